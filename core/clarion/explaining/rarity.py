"""Rarity: how strange a word or a missing cell is, by how many normal rows have it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from clarion.arrays import FloatArray, Int64Array
from clarion.errors import ArtifactCorruptError
from clarion.frames import Frame, Signal, SignalKind
from clarion.kernels.surprise import squashed
from clarion.state import State

FLOOR = 0.01
"""Share of its range that is added to each scale, or signals that hardly ever move would rank first
at every flicker (Tusher et al. (2001), PNAS 98(9), p. 5117; the share: SCIENCE 2)."""


def rarity(seen: int, rows: int) -> float:
    """Return how strange it is to have what ``seen`` of ``rows`` normal rows have, >= 0.

    Taken as a number, 1 where a row has it and 0 elsewhere, a 1 is that many deviations from the
    mean, squashed as all departures are; the row at hand counts as one more.
    """
    share = (seen + 1) / (rows + 1)
    return float(squashed((1 - share) / (math.sqrt(share * (1 - share)) + FLOOR)))


@dataclass(frozen=True, eq=False)
class Rarity:
    """Counts over ``rows`` normal rows.

    Attributes
    ----------
    signals
        All raw signals, in the model's order.
    missing
        Shape ``(n_signals,)``: rows without a value.
    words
        Rows with each word, one vocabulary after the other.
    """

    signals: tuple[Signal, ...]
    rows: int
    missing: Int64Array
    words: Int64Array

    @classmethod
    def learn(cls, frame: Frame) -> Rarity:
        """Count in normal rows."""
        counts = [
            np.bincount(codes[codes >= 0], minlength=len(signal.vocabulary))
            for signal, codes in zip(frame.of_kind(numeric=False), frame.codes.T, strict=True)
        ]
        words = np.concatenate([np.empty(0, np.int64), *counts]).astype(np.int64)
        return cls(frame.signals, len(frame), _missing(frame), words)

    def filled(self, frame: Frame, chosen: Int64Array, numbers: FloatArray) -> FloatArray:
        """Return how strange every cell of the ``chosen`` rows is, (m, n_signals) >= 0.

        ``numbers`` has it of the numbers, shape ``(m, d_numeric)``, NaN where missing; here come
        words and missing cells.
        """
        absent = np.isnan(numbers)
        if len(self._numeric) == len(self.signals) and not absent.any():
            return numbers
        out = np.empty((len(chosen), len(self.signals)))
        out[:, self._numeric] = np.where(absent, self._missing[self._numeric], numbers)
        words = zip(self._coded, frame.of_kind(numeric=False), self._words, strict=True)
        for column, (place, signal, known) in enumerate(words):
            strange = [known.get(word, rarity(0, self.rows)) for word in signal.vocabulary]
            codes = frame.codes[chosen, column]  # -1, the last, is missing
            out[:, place] = np.array([*strange, self._missing[place]])[codes]
        return out

    @cached_property
    def _numeric(self) -> list[int]:
        return _places(self.signals, numeric=True)

    @cached_property
    def _coded(self) -> list[int]:
        return _places(self.signals, numeric=False)

    @cached_property
    def _missing(self) -> FloatArray:
        return np.array([rarity(int(count), self.rows) for count in self.missing])

    @cached_property
    def _words(self) -> list[dict[str, float]]:
        strange = iter([rarity(count, self.rows) for count in self.words.tolist()])
        return [
            {word: next(strange) for word in self.signals[place].vocabulary}
            for place in self._coded
        ]

    def state(self) -> State:
        """Return all of it but the signals, which the pipeline has."""
        return State(1, {"rows": self.rows}, {"missing": self.missing, "words": self.words})

    @classmethod
    def from_state(cls, state: State, signals: tuple[Signal, ...]) -> Rarity:
        """Return the counts that `state` describes, of ``signals``.

        Raises
        ------
        ArtifactCorruptError
            It describes none.
        """
        rows = state.require(1).parameter("rows", int)
        missing = state.array("missing", (len(signals),), np.int64)
        words = state.array("words", (sum(len(s.vocabulary) for s in signals),), np.int64)
        for counts in (missing, words):
            if rows < 1 or (counts < 0).any() or (counts > rows).any():
                raise ArtifactCorruptError(f"the stored rarities are not counts of {rows} rows")
        return cls(signals, rows, missing, words)


def _places(signals: Sequence[Signal], *, numeric: bool) -> list[int]:
    kinds = [signal.kind is SignalKind.NUMERIC for signal in signals]
    return [place for place, kind in enumerate(kinds) if kind == numeric]


def _missing(frame: Frame) -> Int64Array:
    """Return how many rows lack each signal, shape ``(n_signals,)``."""
    counts = np.empty(len(frame.signals), np.int64)
    counts[_places(frame.signals, numeric=True)] = np.isnan(frame.values).sum(axis=0)
    counts[_places(frame.signals, numeric=False)] = (frame.codes < 0).sum(axis=0)
    return counts
