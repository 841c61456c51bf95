"""What the server refuses, as exceptions: the server's taxonomy, class by class.

::

    ClarionError
    ├── InvalidFrameError          the data sent cannot be a frame (shape, bytes, values)
    ├── InvalidParameterError      a parameter or a request field is out of its range
    ├── NotFoundError
    │   ├── ModelNotFoundError
    │   ├── OperationNotFoundError
    │   └── PluginNotFoundError
    ├── AlreadyExistsError
    ├── PreconditionError          right in itself, but not against the state it meets
    │   ├── NotFittedError
    │   ├── SignalMismatchError    other signals than the model was fitted on
    │   ├── UnsupportedPairError   this explainer cannot explain this detector
    │   ├── MissingExtraError      the message holds the command that cures it
    │   ├── UnreachableRateError   a false-alarm rate below the smallest p-value there is
    │   ├── TooFewRowsError
    │   └── BudgetExceededError    no explainer fits the evaluations allowed
    ├── FitInProgressError         another fit holds that model's name
    ├── LimitExceededError         ``retry_delay_s`` says when to come back
    ├── UnavailableError           no server there, or it went away; retried before it is raised
    │   └── DrainingError          the server is shutting down
    ├── UnauthenticatedError
    ├── PermissionDeniedError
    ├── OperationCancelledError
    ├── OperationInterruptedError  the server stopped before the operation was done
    ├── DeadlineExceededError      no answer within ``timeout_s``
    ├── ArtifactCorruptError       a stored model that fails its checks
    ├── PluginError                a plugin of the server raised; the message names it
    └── InternalError              a bug in the server; its log knows more

The class is chosen by the ``reason`` that the server sends, and by the status code where it sends
none, so a new reason of a newer server still arrives as the right kind of error.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import grpc


@dataclass(frozen=True, slots=True)
class FieldViolation:
    """One field of the request at fault: its path, and what is wrong with it."""

    field: str
    description: str


class ClarionError(Exception):
    """Base of all errors of this package.

    Attributes
    ----------
    message
        One sentence: the thing, the value and the cure.
    reason
        A constant for programs, such as ``MODEL_NOT_FOUND``.
    code
        The gRPC status code; UNKNOWN for what this package refuses without asking the server.
    metadata
        What the message names, such as ``{"model": "pump-7"}``.
    violations
        The request's fields at fault.
    request_id
        Finds the request in the server's log; empty where the server sent none.
    retry_delay_s
        Seconds after which a retry makes sense; None where the server did not say.
    """

    reason: str = "CLARION_ERROR"

    def __init__(
        self,
        message: str,
        *,
        code: grpc.StatusCode = grpc.StatusCode.UNKNOWN,
        reason: str = "",
        metadata: Mapping[str, str] | None = None,
        violations: Sequence[FieldViolation] = (),
        request_id: str = "",
        retry_delay_s: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.reason = reason or type(self).reason
        self.metadata: Mapping[str, str] = dict(metadata or {})
        self.violations = tuple(violations)
        self.request_id = request_id
        self.retry_delay_s = retry_delay_s


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
    """An optional library is not installed on the server; the message holds the cure."""

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
    """A limit of the server on size, count or rate."""

    reason = "LIMIT_EXCEEDED"


class UnavailableError(ClarionError):
    """No server answers there, or it went away; the call was retried before this was raised."""

    reason = "UNAVAILABLE"


class DrainingError(UnavailableError):
    """The server is shutting down and takes no new work."""

    reason = "DRAINING"


class UnauthenticatedError(ClarionError):
    """No valid credential came with the request."""

    reason = "UNAUTHENTICATED"


class PermissionDeniedError(ClarionError):
    """The credential does not allow this."""

    reason = "PERMISSION_DENIED"


class OperationCancelledError(ClarionError):
    """The work was cancelled."""

    reason = "CANCELLED"


class OperationInterruptedError(ClarionError):
    """The server stopped before the operation was done; ask for it again."""

    reason = "INTERRUPTED"


class DeadlineExceededError(ClarionError):
    """No answer came within the time allowed; the server may have done the work all the same."""

    reason = "DEADLINE_EXCEEDED"


class ArtifactCorruptError(ClarionError):
    """A stored model does not match its manifest."""

    reason = "ARTIFACT_CORRUPT"


class PluginError(ClarionError):
    """A plugin of the server raised, or broke its contract; the message names it."""

    reason = "PLUGIN_ERROR"


class InternalError(ClarionError):
    """A bug in the server; the request id finds the cause in its log."""

    reason = "INTERNAL"


def _subclasses(root: type[ClarionError]) -> Iterator[type[ClarionError]]:
    yield root
    for child in root.__subclasses__():
        yield from _subclasses(child)


BY_REASON = {error.reason: error for error in _subclasses(ClarionError)}

BY_CODE: dict[grpc.StatusCode, type[ClarionError]] = {
    grpc.StatusCode.INVALID_ARGUMENT: InvalidParameterError,
    grpc.StatusCode.OUT_OF_RANGE: InvalidParameterError,
    grpc.StatusCode.NOT_FOUND: NotFoundError,
    grpc.StatusCode.ALREADY_EXISTS: AlreadyExistsError,
    grpc.StatusCode.FAILED_PRECONDITION: PreconditionError,
    grpc.StatusCode.RESOURCE_EXHAUSTED: LimitExceededError,
    grpc.StatusCode.UNAVAILABLE: UnavailableError,
    grpc.StatusCode.UNAUTHENTICATED: UnauthenticatedError,
    grpc.StatusCode.PERMISSION_DENIED: PermissionDeniedError,
    grpc.StatusCode.CANCELLED: OperationCancelledError,
    grpc.StatusCode.DEADLINE_EXCEEDED: DeadlineExceededError,
    grpc.StatusCode.DATA_LOSS: ArtifactCorruptError,
    grpc.StatusCode.INTERNAL: InternalError,
}
"""For a status without a known reason, such as those that gRPC itself makes."""
