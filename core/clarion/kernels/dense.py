"""Fully connected layers, row by row."""

from __future__ import annotations

import numpy as np

from clarion.arrays import FloatArray
from clarion.kernels.compiled import kernel


@kernel
def dense_layer(
    rows: FloatArray, weights: FloatArray, biases: FloatArray, slope: float
) -> FloatArray:
    """Return ``f(rows weights + biases)``, shape ``(n, k)``, with f(z) = z, or slope z below 0.

    Parameters
    ----------
    rows, weights, biases
        Shapes ``(n, d)``, ``(d, k)`` and ``(k,)``.
    slope
        1 for a linear layer, 0 for rectified units, between for leaky ones.
    """
    n, d = rows.shape
    width = len(biases)
    out = np.empty((n, width))
    for i in range(n):
        for k in range(width):
            out[i, k] = biases[k]
        # Input by input: the inner loop runs over independent sums, so it vectorises in order.
        for j in range(d):
            value = rows[i, j]
            for k in range(width):
                out[i, k] += value * weights[j, k]
        for k in range(width):
            if out[i, k] < 0.0:
                out[i, k] *= slope
    return out
