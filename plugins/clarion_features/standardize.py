"""Standardise: every signal on its own scale."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Self

import numpy as np

from clarion.arrays import FloatArray
from clarion.features import (
    ExtractorTraits,
    Features,
    FitContext,
    columns_of,
    row_wise,
    unit_weights,
)
from clarion.frames import Frame, Signal
from clarion.inputs import require_rows, robust_scale, scaled
from clarion.parameters import parameter
from clarion.state import State, signal_values

_VERSION = 1


@dataclass(frozen=True, slots=True, eq=False)
class FittedStandardize:
    """``(x - center) / scale`` of each signal; ``center`` and ``scale`` in its unit, shape ``(d,)``."""

    inputs: tuple[Signal, ...]
    center: FloatArray
    scale: FloatArray

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
        """Return the scaled signals; a missing cell stays missing.

        The lineage is the derivative ``1 / scale``, also beyond `clarion.inputs.SATURATION` scales,
        where values are clipped.
        """
        names = [signal.name for signal in self.inputs]
        values = scaled(frame.aligned_to(names).numeric(), self.center, self.scale)
        weights = unit_weights(len(names), 1.0 / self.scale)
        output = frame.with_numeric(values, self.signals)
        return row_wise(output, weights, columns_of(frame, names))

    def state(self) -> State:
        """Return all that was learned."""
        arrays = {"center": self.center, "scale": self.scale}
        return State(_VERSION, {"inputs": signal_values(self.inputs)}, arrays)

    @classmethod
    def from_state(cls, state: State) -> Self:
        """Return the fitted extractor that ``state`` describes."""
        inputs = state.require(_VERSION).signals("inputs")
        return cls(inputs, *(state.array(name, (len(inputs),)) for name in ("center", "scale")))


@dataclass(frozen=True, slots=True, kw_only=True)
class Standardize:
    """Puts every signal on its own scale: minus the mean, by max(sd, 1 % of the range)."""

    traits: ClassVar[ExtractorTraits] = ExtractorTraits(missing_values=True)
    fitted: ClassVar[type[FittedStandardize]] = FittedStandardize

    centered: bool = parameter(True, "Whether to subtract the mean.")

    def fit(self, frame: Frame, context: FitContext) -> FittedStandardize:
        """Learn center and scale of each signal, missing cells left out.

        Raises
        ------
        TooFewRowsError
            No rows, or a signal without one present cell.
        """
        values = frame.numeric()
        present = (~np.isnan(values)).sum(axis=0)
        for signal, count in zip(frame.signals, present, strict=True):
            require_rows(int(count), 1, f"the scale of signal '{signal.name}'")
        center, scale = robust_scale(values)
        return FittedStandardize(
            frame.signals, center if self.centered else np.zeros_like(center), scale
        )
