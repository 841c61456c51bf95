"""Sums within each row, in the order of the columns."""

from __future__ import annotations

import numpy as np

from clarion.arrays import FloatArray, Int64Array
from clarion.kernels.compiled import kernel


@kernel
def row_sums(terms: FloatArray) -> FloatArray:
    """Return the sum of each row of ``terms`` (n, d), shape ``(n,)``."""
    n, d = terms.shape
    out = np.empty(n)
    for i in range(n):
        total = 0.0
        for j in range(d):
            total += terms[i, j]
        out[i] = total
    return out


@kernel
def group_sums(terms: FloatArray, group_of: Int64Array, groups: int) -> FloatArray:
    """Return the sums of the columns of each group, ``(n, d)`` to ``(n, groups)``.

    ``group_of`` is the group of each column, shape ``(d,)``.
    """
    n, d = terms.shape
    out = np.zeros((n, groups))
    for i in range(n):
        for j in range(d):
            out[i, group_of[j]] += terms[i, j]
    return out
