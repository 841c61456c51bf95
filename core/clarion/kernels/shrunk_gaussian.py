"""A Gaussian fitted to few rows of many features."""

from __future__ import annotations

import math

import numpy as np

from clarion.arrays import FloatArray
from clarion.kernels.compiled import kernel

_LEAST = 1e-6  # variance in any direction, where a feature's own is 1
_CONSTANT = 1e-9  # deviation, relative to a feature's size, that is rounding


@kernel
def shrunk_gaussian(points: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return mean and deviation ``(d,)`` of rows ``(m, d)``, and their correlations ``(d, d)``.

    Correlations are shrunk: Ledoit & Wolf (2004), J. Multivariate Anal. 88(2), section 3.3, of the
    standardised features, so that units do not matter; and 1e-6 is added to the diagonal, which is
    near 1. A constant feature gets the deviation 1, and a small variance in the correlations' place.
    """
    mean, scale = _moments(points)
    m, d = points.shape
    correlation, fourth = np.zeros((d, d)), 0.0
    row = np.empty(d)
    for i in range(m):
        size = 0.0
        for j in range(d):
            row[j] = (points[i, j] - mean[j]) / scale[j]
            size += row[j] * row[j]
        fourth += size * size / m
        for j in range(d):
            for k in range(d):
                correlation[j, k] += row[j] * row[k] / m
    level, total = np.trace(correlation) / d, 0.0
    for j in range(d):
        for k in range(d):
            total += correlation[j, k] ** 2
    spread = total - d * level * level
    weight = min(1.0, max(0.0, (fourth - total) / m / spread)) if spread > 0 else 0.0
    for j in range(d):
        for k in range(d):
            correlation[j, k] *= 1 - weight
        correlation[j, j] += weight * level + _LEAST
    return mean, scale, correlation


@kernel
def _moments(points: FloatArray) -> tuple[FloatArray, FloatArray]:
    m, d = points.shape
    mean, scale = np.zeros(d), np.zeros(d)
    for i in range(m):
        for j in range(d):
            mean[j] += points[i, j] / m
    for i in range(m):
        for j in range(d):
            scale[j] += (points[i, j] - mean[j]) ** 2 / m
    for j in range(d):
        deviation = math.sqrt(scale[j])
        scale[j] = deviation if deviation > _CONSTANT * max(1.0, abs(mean[j])) else 1.0
    return mean, scale
