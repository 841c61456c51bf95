"""Every error that Clarion raises on purpose.

::

    ClarionError
    ├── InvalidFrameError          the data sent cannot be a frame (shape, bytes, values)
    ├── InvalidParameterError      a parameter or a request field is out of its range
    ├── NotFoundError
    │   ├── ModelNotFoundError
    │   ├── OperationNotFoundError
    │   └── PluginNotFoundError
    ├── AlreadyExistsError         a model version or operation of that name is there already
    ├── PreconditionError          right in itself, but not against the state it meets
    │   ├── NotFittedError         a stored detector that was never fitted
    │   ├── SignalMismatchError    other signals than the model was fitted on
    │   ├── UnsupportedPairError   this explainer cannot explain this detector
    │   ├── MissingExtraError      an optional library is not installed
    │   ├── UnreachableRateError   a false-alarm rate below the smallest p-value there is
    │   ├── TooFewRowsError        fewer rows than the fit or its calibration needs
    │   └── BudgetExceededError    no explainer fits the evaluations allowed
    ├── FitInProgressError         another fit holds that model's name
    ├── LimitExceededError         a size, count or rate limit of this server
    ├── DrainingError              the server is shutting down
    ├── UnauthenticatedError
    ├── PermissionDeniedError
    ├── OperationCancelledError    the caller asked for it to stop
    ├── OperationInterruptedError  the server stopped before the operation was done
    ├── ArtifactCorruptError       a model folder that fails its checks
    └── PluginError                a plugin broke its contract or raised

Each class has a constant ``reason``; the server maps class to status code in one table.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar


class ClarionError(Exception):
    """Base of all errors raised on purpose.

    Parameters
    ----------
    message
        Names the thing, the value and the cure, in one sentence a stranger understands.
    field
        Path of the request field at fault, such as ``frame.matrix.values``; empty if none.
    metadata
        What the message names, as text, for programs: ``{"model": "pump-7"}``.
    """

    reason: ClassVar[str] = "CLARION_ERROR"

    def __init__(self, message: str, *, field: str = "", **metadata: object) -> None:
        super().__init__(message)
        self.message = message
        self.field = field
        self.metadata: Mapping[str, str] = {key: str(value) for key, value in metadata.items()}


class InvalidFrameError(ClarionError):
    """The data cannot be a frame, or the detector cannot take its values."""

    reason = "INVALID_FRAME"


class InvalidParameterError(ClarionError):
    """A parameter or a request field is of the wrong type or out of range."""

    reason = "INVALID_PARAMETER"


class NotFoundError(ClarionError):
    """Something named does not exist."""

    reason = "NOT_FOUND"


class ModelNotFoundError(NotFoundError):
    """No such model, or no such version of it."""

    reason = "MODEL_NOT_FOUND"


class OperationNotFoundError(NotFoundError):
    """No such long-running operation."""

    reason = "OPERATION_NOT_FOUND"


class PluginNotFoundError(NotFoundError):
    """No plugin of that name offers this."""

    reason = "PLUGIN_NOT_FOUND"


class AlreadyExistsError(ClarionError):
    """The name is taken."""

    reason = "ALREADY_EXISTS"


class PreconditionError(ClarionError):
    """The request is well formed, but not against the state it meets."""

    reason = "FAILED_PRECONDITION"


class NotFittedError(PreconditionError):
    """A stored detector has no fitted state."""

    reason = "NOT_FITTED"


class SignalMismatchError(PreconditionError):
    """A frame has other signals, kinds or units than those fitted."""

    reason = "SIGNAL_MISMATCH"


class UnsupportedPairError(PreconditionError):
    """An explainer cannot explain this detector."""

    reason = "UNSUPPORTED_PAIR"


class MissingExtraError(PreconditionError):
    """An optional library is not installed; the message holds the command that cures it."""

    reason = "MISSING_EXTRA"


class UnreachableRateError(PreconditionError):
    """A false-alarm rate below the smallest p-value that the calibration can give."""

    reason = "UNREACHABLE_RATE"


class TooFewRowsError(PreconditionError):
    """Fewer rows than the fit or its calibration needs."""

    reason = "TOO_FEW_ROWS"


class BudgetExceededError(PreconditionError):
    """No explainer that supports this detector fits the evaluations allowed."""

    reason = "BUDGET_EXCEEDED"


class FitInProgressError(ClarionError):
    """Another fit under the same model name is running."""

    reason = "FIT_IN_PROGRESS"


class LimitExceededError(ClarionError):
    """A limit of this server on size, count or rate."""

    reason = "LIMIT_EXCEEDED"


class DrainingError(ClarionError):
    """The server is shutting down and takes no new work."""

    reason = "DRAINING"


class UnauthenticatedError(ClarionError):
    """No valid credential came with the request."""

    reason = "UNAUTHENTICATED"


class PermissionDeniedError(ClarionError):
    """The credential does not allow this."""

    reason = "PERMISSION_DENIED"


class OperationCancelledError(ClarionError):
    """The caller cancelled the work."""

    reason = "CANCELLED"


class OperationInterruptedError(ClarionError):
    """The server stopped before the operation was done."""

    reason = "INTERRUPTED"


class ArtifactCorruptError(ClarionError):
    """A stored model does not match its manifest."""

    reason = "ARTIFACT_CORRUPT"


class PluginError(ClarionError):
    """A plugin raised, or broke its contract; the message names it."""

    reason = "PLUGIN_ERROR"
