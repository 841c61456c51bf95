"""Signed logarithm: counts, bytes and durations on a scale where a tenfold is a step."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Self

import numpy as np

from clarion.features import (
    ExtractorTraits,
    Features,
    FitContext,
    columns_of,
    row_wise,
    unit_weights,
)
from clarion.frames import Frame, Signal
from clarion.state import State, signal_values

_VERSION = 1


@dataclass(frozen=True, slots=True, eq=False)
class FittedSignedLog:
    """The signals fitted; there is nothing else to learn."""

    inputs: tuple[Signal, ...]

    @property
    def signals(self) -> tuple[Signal, ...]:
        """The signals fitted, unitless."""
        return tuple(replace(signal, unit="") for signal in self.inputs)

    @property
    def reads(self) -> dict[str, tuple[str, ...]]:
        """Each feature reads the signal of its name."""
        return {signal.name: (signal.name,) for signal in self.inputs}

    @property
    def history(self) -> int:
        """No earlier rows."""
        return 0

    def transform(self, frame: Frame) -> Features:
        """Return ``sign(x) log(1 + |x|)`` of each cell; a missing cell stays missing.

        Raises
        ------
        SignalMismatchError
            Other signals than those fitted.
        """
        names = [signal.name for signal in self.inputs]
        values = frame.aligned_to(names).numeric()
        output = frame.with_numeric(np.sign(values) * np.log1p(np.abs(values)), self.signals)
        return row_wise(output, unit_weights(len(names)), columns_of(frame, names), linear=False)

    def state(self) -> State:
        """Return all that was learned."""
        return State(_VERSION, {"inputs": signal_values(self.inputs)})

    @classmethod
    def from_state(cls, state: State) -> Self:
        """Return the fitted extractor that ``state`` describes."""
        return cls(state.require(_VERSION).signals("inputs"))


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedLog:
    """Turns every number x into sign(x) log(1 + |x|): for counts, bytes, durations."""

    traits: ClassVar[ExtractorTraits] = ExtractorTraits(missing_values=True)
    fitted: ClassVar[type[FittedSignedLog]] = FittedSignedLog

    def fit(self, frame: Frame, context: FitContext) -> FittedSignedLog:
        """Remember the signals; their values do not matter."""
        frame.numeric()
        return FittedSignedLog(frame.signals)
