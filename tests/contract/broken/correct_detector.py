"""A row detector that keeps every law: the scaled squared distance from a typical row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from clarion.arrays import BoolArray, FloatArray
from clarion.detectors import DetectorTraits
from clarion.features import FitContext
from clarion.frames import Frame, Signal
from clarion.inputs import complete, require_rows, robust_scale, scaled
from clarion.parameters import parameter
from clarion.state import State, signal_values


@dataclass(frozen=True, slots=True, eq=False)
class FittedTypicalRow:
    """A typical row and the scale of each signal, in the signals' units, shape (d,)."""

    signals: tuple[Signal, ...]
    typical: FloatArray
    scale: FloatArray

    def score(self, frame: Frame) -> FloatArray:
        values = complete(frame, self.signals)
        squares = np.square(scaled(values, self.typical, self.scale))
        total: FloatArray = sum(squares.T, start=np.zeros(len(frame)))
        return total

    def state(self) -> State:
        arrays = {"typical": self.typical, "scale": self.scale}
        return State(1, {"signals": signal_values(self.signals)}, arrays)

    @classmethod
    def from_state(cls, state: State) -> Self:
        signals = state.require(1).signals()
        typical, scale = (state.array(name, (len(signals),)) for name in ("typical", "scale"))
        return cls(signals, typical, scale)


@dataclass(frozen=True, slots=True, kw_only=True)
class TypicalRow:
    """The scale is that of some rows drawn at random."""

    traits: ClassVar[DetectorTraits] = DetectorTraits()
    fitted: ClassVar[type[FittedTypicalRow]] = FittedTypicalRow

    drawn: int = parameter(50, "Rows drawn to learn the scale from.", minimum=2, maximum=1000)

    def fit(self, frame: Frame, labels: BoolArray | None, context: FitContext) -> FittedTypicalRow:
        signals = frame.signals
        values = complete(frame, signals)
        require_rows(len(frame), 2, "a scale")
        rng = context.rng
        chosen = values[rng.integers(0, len(values), self.drawn)]
        scale = robust_scale(chosen)[1]
        typical = values[len(values) // 2].copy()
        return FittedTypicalRow(signals, typical, scale)
