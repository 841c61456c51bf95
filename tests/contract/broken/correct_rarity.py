"""A detector of words that keeps every law: how surprising each signal's word is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np

from clarion.arrays import BoolArray, FloatArray
from clarion.detectors import DetectorTraits
from clarion.errors import InvalidFrameError
from clarion.features import FitContext
from clarion.frames import Frame, Signal, SignalKind
from clarion.inputs import require_rows
from clarion.state import State, signal_values


@dataclass(frozen=True, slots=True, eq=False)
class FittedRarity:
    """How often each word of each signal came in the fit, of ``rows`` rows."""

    signals: tuple[Signal, ...]
    counts: tuple[dict[str, int], ...]
    rows: int

    def score(self, frame: Frame) -> FloatArray:
        ordered = _complete(frame.aligned_to([signal.name for signal in self.signals]))
        total = np.zeros(len(frame))
        for column, counts in enumerate(self.counts):
            vocabulary = ordered.signals[column].vocabulary
            surprise = [-np.log((counts.get(w, 0) + 1) / (self.rows + 2)) for w in vocabulary]
            total += np.array(surprise)[ordered.codes[:, column]]
        return total

    def state(self) -> State:
        values: dict[str, Any] = {"signals": signal_values(self.signals)}
        return State(1, values | {"counts": list(self.counts), "rows": self.rows})

    @classmethod
    def from_state(cls, state: State) -> Self:
        counts = tuple(state.require(1).parameter("counts", list))
        return cls(state.signals(), counts, state.parameter("rows", int))


@dataclass(frozen=True, slots=True, kw_only=True)
class Rarity:
    """Surprise is -log of a word's share, with one row more for each word."""

    traits: ClassVar[DetectorTraits] = DetectorTraits(
        signal_kinds=frozenset({SignalKind.CATEGORICAL})
    )
    fitted: ClassVar[type[FittedRarity]] = FittedRarity

    def fit(self, frame: Frame, labels: BoolArray | None, context: FitContext) -> FittedRarity:
        require_rows(len(_complete(frame)), 1, "the share of a word")
        counts = []
        for column, signal in enumerate(frame.signals):
            codes = frame.codes[:, column]
            counts.append({w: int((codes == i).sum()) for i, w in enumerate(signal.vocabulary)})
        return FittedRarity(frame.signals, tuple(counts), len(frame))


def _complete(frame: Frame) -> Frame:
    for column, signal in enumerate(frame.of_kind(numeric=False)):
        if (frame.codes[:, column] < 0).any():
            raise InvalidFrameError(f"signal '{signal.name}' has a missing word")
    return frame
