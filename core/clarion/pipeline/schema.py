"""Does a frame fit the signals that a model was fitted on? Names, kinds and units, each by name."""

from __future__ import annotations

from collections.abc import Sequence

from clarion.errors import InvalidFrameError, SignalMismatchError
from clarion.frames import Frame, Signal


def conform(frame: Frame, signals: Sequence[Signal]) -> Frame:
    """Return ``frame`` with its signals in the order of ``signals``.

    Raises
    ------
    InvalidFrameError
        It has no rows.
    SignalMismatchError
        Signals are missing, unexpected, of another kind or in another unit; they are named.
    """
    if not len(frame):
        raise InvalidFrameError("the frame has no rows; send at least one", field="frame")
    aligned = frame.aligned_to([signal.name for signal in signals])
    for sent, fitted in zip(aligned.signals, signals, strict=True):
        if sent.kind is not fitted.kind:
            raise _other(sent, f"is {sent.kind.value}", f"as {fitted.kind.value}")
        if sent.unit and fitted.unit and sent.unit != fitted.unit:
            raise _other(sent, f"comes in {sent.unit}", f"in {fitted.unit}")
    return aligned


def _other(signal: Signal, sent: str, fitted: str) -> SignalMismatchError:
    return SignalMismatchError(
        f"signal '{signal.name}' {sent}, but the model was fitted on it {fitted}",
        field="frame.signals",
        signal=signal.name,
    )
