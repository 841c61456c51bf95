"""Empirical distribution functions of single columns, frozen at fit."""

from __future__ import annotations

import numpy as np

from clarion.arrays import BoolArray, FloatArray
from clarion.kernels.compiled import kernel


@kernel
def _rank(column: FloatArray, value: float, inclusive: bool) -> int:
    """Return how many of the sorted ``column`` are below ``value``, or equal to it if inclusive."""
    first, length = 0, len(column)
    while length > 0:
        half = length // 2
        middle = column[first + half]
        if middle < value or (inclusive and middle == value):
            first += half + 1
            length -= half + 1
        else:
            length = half
    return first


@kernel
def tail_surprise(
    points: FloatArray,
    columns: FloatArray,
    surprise: FloatArray,
    left_tail: BoolArray,
    either: bool,
) -> FloatArray:
    """Return the larger surprise ``max(left, right)`` of each value, shape ``(n, d)``.

    ``left`` is the surprise at finding values as low, ``right`` at values as high. Unless ``either``
    tail counts, it is ``max(tail, (left + right) / 2)``, with ``tail`` the one that ``left_tail``
    names.

    Parameters
    ----------
    points
        Shape ``(n, d)``.
    columns
        Shape ``(d, m)``: the reference values of each column, sorted.
    surprise
        Shape ``(m + 1,)``: of a tail that holds so many of the m reference values.
    left_tail
        Shape ``(d,)``: whether the longer tail of a column is its left one.
    """
    n, d = points.shape
    m = columns.shape[1]
    out = np.empty((n, d))
    for j in range(d):
        column = columns[j]
        for i in range(n):
            value = points[i, j]
            below = _rank(column, value, False)
            up_to = below
            if below < m and column[below] == value:
                up_to = _rank(column, value, True)
            left = surprise[up_to]
            right = surprise[m - below]
            if either:
                out[i, j] = max(left, right)
            else:
                out[i, j] = max(left if left_tail[j] else right, (left + right) / 2.0)
    return out
