"""Tables from words to numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from clarion.arrays import FloatArray, Int32Array, Int64Array
from clarion.frames import Signal


@dataclass(frozen=True, slots=True, eq=False)
class WordTable:
    """What each word of a signal becomes.

    Attributes
    ----------
    words
        Words with a row of their own.
    features
        What the columns are.
    values
        Shape ``(len(words) + 2, len(features))``: a row for each word, then one for any other
        word, then one for a missing cell.
    """

    words: tuple[str, ...]
    features: tuple[Signal, ...]
    values: FloatArray

    def looked_up(self, vocabulary: Sequence[str], codes: Int32Array) -> FloatArray:
        """Return the rows of the words ``vocabulary[codes]``, shape ``(n, len(features))``."""
        known = {word: row for row, word in enumerate(self.words)}
        other = len(self.words)
        # The last one is found by the code -1.
        rows = [*(known.get(word, other) for word in vocabulary), other + 1]
        found: FloatArray = self.values[np.array(rows)[codes]]
        return found


def one_hot(signal: Signal, counts: Int64Array, missing: int, max_words: int) -> WordTable:
    """Return 1 in the column of the word, of any other word, or of missing cells if there were some.

    Parameters
    ----------
    counts, missing
        Rows of the fit with each word of the vocabulary, and with none.
    max_words
        Words that get a column, at most: the most frequent ones, ties in the order of spelling.
    """
    seen = [word for word, count in zip(signal.vocabulary, counts, strict=True) if count]
    count_of = dict(zip(signal.vocabulary, counts.tolist(), strict=True))
    words = sorted(seen, key=lambda word: (-count_of[word], word))[:max_words]
    labels = [*words, "<other>", *(["<missing>"] if missing else [])]
    values = np.eye(len(words) + 2)[:, : len(labels)]
    if not missing:
        values[-1, -1] = 1.0
    features = tuple(Signal(f"{signal.name}={label}") for label in labels)
    return WordTable(tuple(words), features, np.ascontiguousarray(values))


def frequencies(signal: Signal, counts: Int64Array, missing: int) -> WordTable:
    """Return -log of each word's frequency in the fit, smoothed; in nats."""
    seen = np.flatnonzero(counts)
    of_words = np.array([*counts[seen], 0, missing], np.float64)
    total = of_words.sum() + len(seen) + (missing > 0) + 1
    words = tuple(signal.vocabulary[code] for code in seen)
    feature = Signal(f"{signal.name}.surprise", unit="nat")
    return WordTable(words, (feature,), -np.log((of_words + 1) / total)[:, None])
