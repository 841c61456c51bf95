"""Quadratic forms, row by row."""

from __future__ import annotations

import numpy as np

from clarion.arrays import FloatArray
from clarion.kernels.compiled import kernel


@kernel
def quadratic_form(points: FloatArray, center: FloatArray, matrix: FloatArray) -> FloatArray:
    """Return ``(u - center)' matrix (u - center)`` for each row u of ``points``, shape ``(n,)``.

    Parameters
    ----------
    points, center, matrix
        Shapes ``(n, d)``, ``(d,)`` and ``(d, d)``; ``matrix`` is symmetric.
    """
    n, d = points.shape
    out = np.empty(n)
    delta = np.empty(d)
    product = np.empty(d)
    for i in range(n):
        for j in range(d):
            delta[j] = points[i, j] - center[j]
            product[j] = 0.0
        # Column by column: the inner loop runs over independent sums, so it vectorises in order.
        for k in range(d):
            for j in range(d):
                product[j] += matrix[k, j] * delta[k]
        total = 0.0
        for j in range(d):
            total += delta[j] * product[j]
        out[i] = total
    return out
