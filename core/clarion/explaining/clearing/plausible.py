"""Plausibility: how usual a cleared row is among normal rows, as a p-value of its neighbourhood."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from clarion.arrays import FloatArray
from clarion.explaining.clearing.task import Normal

NEIGHBOURS = 5
MOST_ROWS = 256
"""Background rows compared with each other, at most: all pairs of them are."""


@dataclass(frozen=True, eq=False)
class Plausibility:
    """Distances to the 5th nearest of normal rows (or the farthest, of fewer), in sd of each feature."""

    normal: Normal

    def p_value(self, row: FloatArray) -> float | None:
        """Return ``(1 + #{normal rows as far from the others or farther}) / (m + 1)``; (0, 1].

        Small where the row is farther from its nearest normal rows than these are from each other.
        None with fewer than two normal rows.
        """
        if len(self._rows) < 2:
            return None
        farther = int((self._among >= _distance(row / self.normal.spread, self._rows)).sum())
        return (1 + farther) / (len(self._among) + 1)

    @cached_property
    def _rows(self) -> FloatArray:
        """The first background rows, which are in no order, in sd; shape ``(m, d)``."""
        return np.asarray(self.normal.rows[:MOST_ROWS] / self.normal.spread)

    @cached_property
    def _among(self) -> FloatArray:
        """Each normal row's distance among the others, shape ``(m,)``."""
        rows = self._rows
        return np.array([_distance(row, np.delete(rows, i, axis=0)) for i, row in enumerate(rows)])


def _distance(row: FloatArray, rows: FloatArray) -> float:
    with np.errstate(over="ignore"):
        squares = np.square(rows - row).sum(axis=1)
    return float(np.sort(squares)[min(NEIGHBOURS, len(squares)) - 1])
