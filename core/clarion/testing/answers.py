"""What fitted objects say of frames, and when two of their answers are the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from clarion.arrays import FloatArray, Int64Array
from clarion.features import Features
from clarion.frames import Signal
from clarion.testing.errors import require


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """What a fitted object says of a frame.

    Attributes
    ----------
    rows
        Shape ``(m,)``: rows of the frame that got an answer.
    values
        Shape ``(m, k)``, float64: their scores (k = 1) or features.
    names
        Names of the ``k`` columns.
    """

    rows: Int64Array
    values: FloatArray
    names: tuple[str, ...]

    def take(self, rows: Sequence[int] | Int64Array) -> Answer:
        """Return the answers for ``rows`` of the frame, renumbered from 0 in that order."""
        position = {int(row): i for i, row in enumerate(self.rows)}
        there = [(new, position[int(row)]) for new, row in enumerate(rows) if int(row) in position]
        new_rows = np.array([new for new, _ in there], np.int64)
        return Answer(new_rows, self.values[[old for _, old in there]], self.names)


def require_same(changed: str, wanted: Answer, got: Answer) -> None:
    """Require the same rows with the same bytes; ``changed`` says what was not to matter."""
    require(
        np.array_equal(wanted.rows, got.rows),
        f"{changed}, the rows that get an answer change from {wanted.rows} to {got.rows}",
    )
    require(
        wanted.values.shape == got.values.shape,
        f"{changed}, the shape changes from {wanted.values.shape} to {got.values.shape}",
    )
    # Missing is missing, whatever the bits of its NaN.
    both_missing = np.isnan(wanted.values) & np.isnan(got.values)
    other = (_bits(wanted.values) != _bits(got.values)) & ~both_missing
    if other.any():
        row, column = (int(i) for i in np.argwhere(other)[0])
        require(
            False,
            f"{changed}, '{wanted.names[column]}' of row {wanted.rows[row]} changes from "
            f"{wanted.values[row, column]!r} to {got.values[row, column]!r}",
        )


def _bits(values: FloatArray) -> Int64Array:
    return np.ascontiguousarray(values, np.float64).view(np.int64)


def scored(rows: Int64Array, scores: Any, n: int) -> Answer:
    """Return the answer of ``score`` for ``rows``, which must be float64 of shape ``(n,)``."""
    got = f"{getattr(scores, 'dtype', type(scores).__name__)} of shape {np.shape(scores)}"
    require(
        got == f"float64 of shape ({n},)", f"score must return float64 of shape ({n},), not {got}"
    )
    return Answer(rows, scores[:, None], ("score",))


def require_features(features: Features, signals: Sequence[Signal], n_rows: int) -> None:
    """Require that ``features`` is well formed: its signals, and as many rows as source rows."""
    rows = features.source_rows
    require(
        features.frame.signals == tuple(signals),
        f"the features are {features.frame.names}, 'signals' says "
        f"{tuple(signal.name for signal in signals)}",
    )
    require(
        rows.dtype == np.int64 and rows.shape == (len(features.frame),),
        f"source_rows is {rows.dtype} of shape {rows.shape} for {len(features.frame)} rows of "
        "features; it must be int64, one each",
    )
    require(
        not len(rows) or (rows[0] >= 0 and rows[-1] < n_rows),
        f"source_rows run from {rows[:1]} to {rows[-1:]} in a frame of {n_rows} rows",
    )
