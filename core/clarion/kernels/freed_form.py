"""Quadratic forms some of whose coordinates are free to take their best values."""

from __future__ import annotations

import numpy as np

from clarion.arrays import FloatArray, Int64Array
from clarion.kernels.compiled import kernel


@kernel
def freed_factor(
    matrix: FloatArray, free: Int64Array, flat: float, known: FloatArray
) -> FloatArray:
    """Return ``V``, shape ``(k, d)``: with ``free`` coordinates at their best the form is ``P - V' V``.

    A pivoted Cholesky factorisation, a row a step, of the free rows of ``matrix``.

    Parameters
    ----------
    matrix
        ``P``, symmetric and positive semi-definite, shape ``(d, d)``.
    free
        Shape ``(k,)``, each once.
    flat
        Pivots up to this one are rounding: their coordinates have no say left, and their row is 0.
    known
        The factor of the first of ``free``, shape ``(k', d)``; these rows are taken from it.
    """
    d, k = len(matrix), len(free)
    factor = np.zeros((k, d))
    factor[: len(known)] = known
    for step in range(len(known), k):
        member = free[step]
        row = factor[step]
        for j in range(d):
            row[j] = matrix[member, j]
        for before in range(step):
            share = factor[before, member]
            for j in range(d):
                row[j] -= share * factor[before, j]
        pivot = row[member]
        scale = 1.0 / np.sqrt(pivot) if pivot > flat else 0.0
        for j in range(d):
            row[j] *= scale
    return factor
