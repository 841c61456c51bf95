"""An extractor that keeps every law: each signal's mean over the last three rows of its asset."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
from scipy import sparse

from clarion.arrays import FloatArray, Int64Array
from clarion.features import (
    ExtractorTraits,
    Features,
    FitContext,
    Trace,
    columns_of,
    rows_by_asset,
)
from clarion.frames import Frame, Signal
from clarion.inputs import complete, require_rows, robust_scale, scaled
from clarion.parameters import parameter
from clarion.state import State, signal_values


@dataclass(frozen=True, slots=True, eq=False)
class FittedTrailingMean:
    """Center and scale of each input, shape (d,)."""

    inputs: tuple[Signal, ...]
    center: FloatArray
    scale: FloatArray

    @property
    def signals(self) -> tuple[Signal, ...]:
        return tuple(Signal(f"{signal.name}.mean") for signal in self.inputs)

    @property
    def reads(self) -> dict[str, tuple[str, ...]]:
        return {f"{signal.name}.mean": (signal.name,) for signal in self.inputs}

    @property
    def history(self) -> int:
        return 2

    def transform(self, frame: Frame) -> Features:
        values = complete(frame, self.inputs)
        points = scaled(values, self.center, self.scale)
        means, windows = [np.empty((0, len(self.inputs)))], [np.empty((0, 3), np.int64)]
        for rows in rows_by_asset(frame):
            picked = np.stack([rows[:-2], rows[1:-1], rows[2:]], axis=1)
            mean = (points[picked[:, 0]] + points[picked[:, 1]] + points[picked[:, 2]]) / 3
            means.append(mean)
            windows.append(picked)
        window = np.concatenate(windows)
        order = np.argsort(window[:, 2])
        output = frame.take(window[order, 2])
        columns = columns_of(frame, [signal.name for signal in self.inputs])
        lineage = _Lineage(window[order], self.scale, columns, len(frame))
        features = output.with_numeric(np.concatenate(means)[order], self.signals)
        return Features(features, window[order, 2], lineage)

    def state(self) -> State:
        arrays = {"center": self.center, "scale": self.scale}
        return State(1, {"inputs": signal_values(self.inputs)}, arrays)

    @classmethod
    def from_state(cls, state: State) -> Self:
        inputs = state.require(1).signals("inputs")
        center, scale = (state.array(name, (len(inputs),)) for name in ("center", "scale"))
        return cls(inputs, center, scale)


@dataclass(frozen=True, slots=True, eq=False)
class _Lineage:
    """The rows of each window, shape (n, 3)."""

    windows: Int64Array
    scale: FloatArray
    columns: Int64Array
    n_rows: int

    def rows(self, index: int) -> Trace:
        d = len(self.columns)
        rows = self.windows[index]
        weights = np.zeros((d, self.n_rows * d))
        for feature, column in enumerate(self.columns):
            weights[feature, rows * d + column] = 1.0 / self.scale[feature] / 3
        return Trace(sparse.csr_array(weights), np.ones(d, np.bool_))


@dataclass(frozen=True, slots=True, kw_only=True)
class TrailingMean:
    """Values count from a typical row, in scales of some rows drawn at random."""

    traits: ClassVar[ExtractorTraits] = ExtractorTraits()
    fitted: ClassVar[type[FittedTrailingMean]] = FittedTrailingMean

    drawn: int = parameter(50, "Rows drawn to learn the scale from.", minimum=2, maximum=1000)

    def fit(self, frame: Frame, context: FitContext) -> FittedTrailingMean:
        signals = frame.signals
        values = complete(frame, signals)
        require_rows(len(frame), 2, "a scale")
        rng = context.rng
        chosen = values[rng.integers(0, len(values), self.drawn)]
        scale = robust_scale(chosen)[1]
        typical = values[len(values) // 2].copy()
        return FittedTrailingMean(signals, typical, scale)
