"""Weighted sums of Gaussian kernels."""

from __future__ import annotations

import math

import numpy as np

from clarion.arrays import FloatArray
from clarion.kernels.compiled import kernel


@kernel
def gaussian_sum(
    points: FloatArray, centers: FloatArray, weights: FloatArray, gamma: FloatArray
) -> FloatArray:
    """Return ``sum_i weights_i exp(-sum_j gamma_ji (u_j - centers_ji)^2)`` of each row, ``(n,)``.

    Parameters
    ----------
    points
        Rows u, shape ``(n, d)``.
    centers
        Shape ``(d, m)``: one center a column, so that the centers lie in the SIMD lanes.
    weights, gamma
        Shapes ``(m,)`` and ``(d, m)``.
    """
    n, d = points.shape
    m = len(weights)
    out = np.empty(n)
    exponents = np.empty(m)
    for i in range(n):
        exponents[:] = 0.0
        for j in range(d):
            for c in range(m):
                difference = points[i, j] - centers[j, c]
                exponents[c] += gamma[j, c] * (difference * difference)
        total = 0.0
        for c in range(m):
            total += weights[c] * math.exp(-exponents[c])
        out[i] = total
    return out
