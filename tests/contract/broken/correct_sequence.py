"""A sequence detector that keeps every law: jumps from one row of an asset to the next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
from scipy import sparse

from clarion.arrays import BoolArray, FloatArray, Int64Array
from clarion.detectors import DetectorKind, DetectorTraits
from clarion.features import Features, FitContext, Trace, columns_of
from clarion.frames import Frame, Signal
from clarion.inputs import complete, require_rows, robust_scale, scaled
from clarion.state import State, signal_values


@dataclass(frozen=True, slots=True, eq=False)
class FittedJumps:
    """Center and scale of each input, shape (d,)."""

    inputs: tuple[Signal, ...]
    center: FloatArray
    scale: FloatArray

    @property
    def signals(self) -> tuple[Signal, ...]:
        return tuple(Signal(f"{signal.name}.jump") for signal in self.inputs)

    @property
    def reads(self) -> dict[str, tuple[str, ...]]:
        return {f"{signal.name}.jump": (signal.name,) for signal in self.inputs}

    def start(self) -> State:
        return State(1, {"rows": 0}, {"last": np.zeros(len(self.inputs))})

    def unroll(self, memory: State, frame: Frame) -> tuple[Features, State]:
        points = scaled(complete(frame, self.inputs), self.center, self.scale)
        last = memory.arrays["last"]
        path = np.vstack([last, points])
        jumps = frame.with_numeric(np.diff(path, axis=0), self.signals)
        columns = columns_of(frame, [signal.name for signal in self.inputs])
        features = Features(jumps, np.arange(len(frame)), _Lineage(self.scale, columns, len(frame)))
        rows = memory.parameters["rows"] + len(frame)
        after = {"last": path[-1].copy()}
        return features, State(1, {"rows": rows}, after)

    def score(self, frame: Frame) -> FloatArray:
        jumps = np.clip(complete(frame, self.signals), -1e150, 1e150)
        total: FloatArray = sum(np.square(jumps).T, start=np.zeros(len(frame)))
        return total

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
    """A jump reads the cell of its row, and that of the row before if the frame has one."""

    scale: FloatArray
    columns: Int64Array
    n_rows: int

    def rows(self, index: int) -> Trace:
        d = len(self.columns)
        before = [index - 1] if index else []
        cells = np.array([index, *before]) * d + self.columns[:, None]
        signs = np.array([1.0, -1.0])[: 1 + len(before)]
        weights = np.zeros((d, self.n_rows * d))
        weights[np.arange(d)[:, None], cells] = signs / self.scale[:, None]
        return Trace(sparse.csr_array(weights), np.ones(d, np.bool_))


@dataclass(frozen=True, slots=True, kw_only=True)
class Jumps:
    """The sum of the squared jumps, in scales."""

    traits: ClassVar[DetectorTraits] = DetectorTraits(kind=DetectorKind.SEQUENCE, ordered=True)
    fitted: ClassVar[type[FittedJumps]] = FittedJumps

    def fit(self, frame: Frame, labels: BoolArray | None, context: FitContext) -> FittedJumps:
        values = complete(frame, frame.signals)
        require_rows(len(frame), 2, "a scale")
        return FittedJumps(frame.signals, *robust_scale(values))
