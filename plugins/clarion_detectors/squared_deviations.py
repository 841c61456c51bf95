"""A sum of squared scaled deviations: what the z-score detectors fit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from clarion.arrays import FloatArray
from clarion.frames import Frame, Signal
from clarion.inputs import complete, scaled
from clarion.kernels.sums import row_sums
from clarion.state import State, signal_values

_VERSION = 1


@dataclass(frozen=True, slots=True, eq=False)
class FittedSquaredDeviations:
    """Center and scale of each signal, in its unit, shape ``(d,)``."""

    signals: tuple[Signal, ...]
    center: FloatArray
    scale: FloatArray

    def terms(self, frame: Frame) -> FloatArray:
        """Return each signal's ``((x - center) / scale)^2``, shape ``(n, d)``: unitless.

        Raises
        ------
        SignalMismatchError, InvalidFrameError
            Other signals than those fitted, or a missing cell.
        """
        return np.square(scaled(complete(frame, self.signals), self.center, self.scale))

    def score(self, frame: Frame) -> FloatArray:
        """Return the sum of the terms, shape ``(n,)``: >= 0, unitless."""
        return row_sums(self.terms(frame))

    def state(self) -> State:
        """Return all that was learned."""
        arrays = {"center": self.center, "scale": self.scale}
        return State(_VERSION, {"signals": signal_values(self.signals)}, arrays)

    @classmethod
    def from_state(cls, state: State) -> Self:
        """Return the fitted detector that ``state`` describes."""
        signals = state.require(_VERSION).signals()
        center, scale = (state.array(name, (len(signals),)) for name in ("center", "scale"))
        return cls(signals, center, scale)
