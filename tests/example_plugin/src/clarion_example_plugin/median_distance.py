"""Median distance: the city-block distance from the median, in median absolute deviations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Protocol, Self, runtime_checkable

import numpy as np

from clarion.arrays import BoolArray, FloatArray
from clarion.detectors import DetectorTraits
from clarion.features import FitContext
from clarion.frames import Frame, Signal
from clarion.inputs import complete, require_rows, robust_scale, scaled
from clarion.parameters import parameter
from clarion.state import State, signal_values

_SIGMA_PER_MAD = 1.4826  # under a normal law: Rousseeuw & Croux (1993), JASA 88(424), p. 1273


@runtime_checkable
class Distances(Protocol):
    """A capability of this package: the score is a power of the sum of one distance a signal."""

    @property
    def power(self) -> float:
        """The exponent, > 0."""
        ...

    def distances(self, frame: Frame) -> FloatArray:
        """Return each signal's distance from normal, >= 0, shape ``(n, d)``."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class FittedMedianDistance:
    """What was learned: ``median`` and ``scale``, shape ``(d,)``, in each signal's unit."""

    signals: tuple[Signal, ...]
    median: FloatArray
    scale: FloatArray
    power: float

    def distances(self, frame: Frame) -> FloatArray:
        """Return each signal's distance from its median in scales, shape ``(n, d)``."""
        return np.abs(scaled(complete(frame, self.signals), self.median, self.scale))

    def score(self, frame: Frame) -> FloatArray:
        """Return the sum of the distances to the power, shape ``(n,)``: unitless, >= 0.

        Raises
        ------
        SignalMismatchError, InvalidFrameError
            Other signals than those fitted, or a missing cell.
        """
        total = np.zeros(len(frame))
        for column in self.distances(frame).T:  # in the order of the signals, in any batch
            total += column
        return total**self.power

    def state(self) -> State:
        """Return all that was learned."""
        parameters = {"signals": signal_values(self.signals), "power": self.power}
        return State(1, parameters, {"median": self.median, "scale": self.scale})

    @classmethod
    def from_state(cls, state: State) -> Self:
        """Return the fitted detector that ``state`` describes."""
        signals = state.require(1).signals()
        median, scale = (state.array(name, (len(signals),)) for name in ("median", "scale"))
        return cls(signals, median, scale, state.parameter("power", float))


@dataclass(frozen=True, slots=True, kw_only=True)
class MedianDistance:
    """The city-block distance from the median, each signal in its median absolute deviation."""

    traits: ClassVar[DetectorTraits] = DetectorTraits()
    fitted: ClassVar[type[FittedMedianDistance]] = FittedMedianDistance

    power: float = parameter(
        1.0, "Exponent of the summed distance.", exclusive_minimum=0.0, maximum=4.0
    )

    def fit(
        self, frame: Frame, labels: BoolArray | None, context: FitContext
    ) -> FittedMedianDistance:
        """Learn median and scale from normal rows.

        Raises
        ------
        TooFewRowsError
            Fewer than 2 rows.
        """
        values = complete(frame, frame.signals)
        require_rows(len(frame), 2, "a median absolute deviation")
        median = np.median(values, axis=0)
        deviation = _SIGMA_PER_MAD * np.median(np.abs(values - median), axis=0)
        # Where more than half of the rows are equal, the deviation says nothing.
        scale = np.where(deviation > 0, deviation, robust_scale(values)[1])
        return FittedMedianDistance(frame.signals, median, scale, self.power)
