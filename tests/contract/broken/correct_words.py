"""An extractor of words that keeps every law: whether each signal says its most common word."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
from scipy import sparse

from clarion.errors import InvalidFrameError
from clarion.features import ExtractorTraits, Features, FitContext, RowLineage, columns_of
from clarion.frames import Frame, Signal, SignalKind
from clarion.inputs import require_rows
from clarion.state import State, signal_values


@dataclass(frozen=True, slots=True, eq=False)
class FittedCommonWord:
    """The most common word of each signal."""

    inputs: tuple[Signal, ...]
    words: tuple[str, ...]

    @property
    def signals(self) -> tuple[Signal, ...]:
        return tuple(Signal(f"{signal.name}.common") for signal in self.inputs)

    @property
    def reads(self) -> dict[str, tuple[str, ...]]:
        return {f"{signal.name}.common": (signal.name,) for signal in self.inputs}

    @property
    def history(self) -> int:
        return 0

    def transform(self, frame: Frame) -> Features:
        names = [signal.name for signal in self.inputs]
        ordered = _complete(frame.aligned_to(names))
        said = np.empty(ordered.codes.shape)
        for column, word in enumerate(self.words):
            vocabulary = ordered.signals[column].vocabulary
            code = vocabulary.index(word) if word in vocabulary else -2
            said[:, column] = ordered.codes[:, column] == code
        d, columns = len(names), columns_of(frame, names)
        weights = sparse.csr_array((np.ones(d), columns, np.arange(d + 1)), shape=(d, d))
        lineage = RowLineage(weights, len(frame))
        return Features(ordered.with_numeric(said, self.signals), np.arange(len(frame)), lineage)

    def state(self) -> State:
        return State(1, {"inputs": signal_values(self.inputs), "words": list(self.words)})

    @classmethod
    def from_state(cls, state: State) -> Self:
        words = tuple(state.require(1).parameter("words", list))
        return cls(state.signals("inputs"), words)


@dataclass(frozen=True, slots=True, kw_only=True)
class CommonWord:
    """1 where a signal says the word most common in the fit, else 0."""

    traits: ClassVar[ExtractorTraits] = ExtractorTraits(
        signal_kinds=frozenset({SignalKind.CATEGORICAL})
    )
    fitted: ClassVar[type[FittedCommonWord]] = FittedCommonWord

    def fit(self, frame: Frame, context: FitContext) -> FittedCommonWord:
        require_rows(len(_complete(frame)), 1, "a most common word")
        words = []
        for column, signal in enumerate(frame.signals):
            counts = np.bincount(frame.codes[:, column], minlength=len(signal.vocabulary))
            words.append(signal.vocabulary[int(np.argmax(counts))])
        return FittedCommonWord(frame.signals, tuple(words))


def _complete(frame: Frame) -> Frame:
    for column, signal in enumerate(frame.of_kind(numeric=False)):
        if (frame.codes[:, column] < 0).any():
            raise InvalidFrameError(f"signal '{signal.name}' has a missing word")
    return frame
