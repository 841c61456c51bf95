"""Per-feature terms of a mean squared distance to fixed neighbours."""

from __future__ import annotations

import numpy as np

from clarion.arrays import FloatArray
from clarion.kernels.compiled import kernel


@kernel
def coordinate_moments(points: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return mean and variance (divided by m) of each column of ``points`` (m, d)."""
    m, d = points.shape
    mean = np.zeros(d)
    variance = np.zeros(d)
    for i in range(m):
        for j in range(d):
            mean[j] += points[i, j] / m
    for i in range(m):
        for j in range(d):
            delta = points[i, j] - mean[j]
            variance[j] += delta * delta / m
    return mean, variance


@kernel
def neighbour_terms(
    points: FloatArray, neighbours: FloatArray, mean: FloatArray, variance: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return contributions ``(n, d)`` and base values ``(n,)`` of the frozen-neighbour score.

    Over the background, ``mean_b (b_j - n)^2 = variance_j + (mean_j - n)^2``.

    Parameters
    ----------
    points, neighbours
        Shapes ``(n, d)`` and ``(n, k, d)``.
    mean, variance
        The background's `coordinate_moments`, ``(d,)`` each.
    """
    n, d = points.shape
    k = neighbours.shape[1]
    contributions = np.zeros((n, d))
    base_value = np.zeros(n)
    for i in range(n):
        for j in range(d):
            here = 0.0
            absent = variance[j]
            for near in range(k):
                own = points[i, j] - neighbours[i, near, j]
                other = mean[j] - neighbours[i, near, j]
                here += own * own / k
                absent += other * other / k
            contributions[i, j] = here - absent
            base_value[i] += absent
    return contributions, base_value
