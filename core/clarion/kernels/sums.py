"""Sums within each row, in the order of the columns."""

from __future__ import annotations

import numpy as np

from clarion.arrays import FloatArray
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
