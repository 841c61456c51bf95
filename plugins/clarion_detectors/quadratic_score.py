"""A quadratic form of scaled deviations: what the detectors of covariance and of subspaces fit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from clarion.arrays import FloatArray
from clarion.detectors import Quadratic
from clarion.frames import Frame, Signal
from clarion.inputs import complete, require_memory, scaled
from clarion.kernels.quadratic import quadratic_form
from clarion.state import State, signal_values

_VERSION = 1
_SQUARES = 6
"""Matrices of signals by signals that a fit holds at once, measured on the largest."""


def require_square(signals: int, what: str) -> None:
    """Raise LimitExceededError, with the estimate, if ``what`` of so many signals is too large."""
    require_memory(8.0 * _SQUARES * signals**2, f"{what} of {signals} signals")


@dataclass(frozen=True, slots=True, eq=False)
class FittedQuadratic:
    """What was learned, in the coordinates ``u = (x - center) / scale``.

    Attributes
    ----------
    center, scale
        Shape ``(d,)``, in each signal's unit.
    location, precision
        Center ``(d,)`` of ``u`` and matrix ``(d, d)`` of the form, unitless; the matrix is symmetric
        and positive semi-definite (an inverse covariance, a projection on a residual space).
    """

    signals: tuple[Signal, ...]
    center: FloatArray
    scale: FloatArray
    location: FloatArray
    precision: FloatArray

    def score(self, frame: Frame) -> FloatArray:
        """Return ``(u - location)' precision (u - location)``, shape ``(n,)``: >= 0, unitless.

        Raises
        ------
        SignalMismatchError, InvalidFrameError
            Other signals than those fitted, or a missing cell.
        """
        return quadratic_form(self.coordinates(frame), self.location, self.precision)

    def coordinates(self, frame: Frame) -> FloatArray:
        """Return the scaled deviations ``u``, shape ``(n, d)``."""
        return scaled(complete(frame, self.signals), self.center, self.scale)

    def quadratic(self) -> Quadratic:
        """Return the score as a quadratic form of ``u``."""
        return Quadratic(self.location, self.precision)

    def state(self) -> State:
        """Return all that was learned."""
        arrays = {
            "center": self.center,
            "scale": self.scale,
            "location": self.location,
            "precision": self.precision,
        }
        return State(_VERSION, {"signals": signal_values(self.signals)}, arrays)

    @classmethod
    def from_state(cls, state: State) -> Self:
        """Return the fitted detector that ``state`` describes."""
        signals = state.require(_VERSION).signals()
        d = len(signals)
        return cls(
            signals,
            state.array("center", (d,)),
            state.array("scale", (d,)),
            state.array("location", (d,)),
            state.array("precision", (d, d)),
        )
