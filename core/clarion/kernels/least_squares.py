"""Weighted least squares whose sums keep their order, whatever library and threads BLAS has."""

from __future__ import annotations

import math

import numpy as np

from clarion.arrays import FloatArray
from clarion.kernels.compiled import kernel


@kernel
def weighted_least_squares(
    design: FloatArray, target: FloatArray, weights: FloatArray
) -> tuple[float, FloatArray]:
    """Return intercept and slopes ``(d,)`` of the weighted linear fit with an intercept.

    By the normal equations of the centred columns, which should be of like size, and Cholesky's
    factorisation; a column that depends on those before it gets the slope 0.

    Parameters
    ----------
    design, target, weights
        Shapes ``(n, d)``, ``(n,)`` and ``(n,)``; weights are positive.
    """
    n, d = design.shape
    mean, level = _weighted_means(design, target, weights)
    normal = np.zeros((d, d))
    slopes = np.zeros(d)
    row = np.empty(d)
    for i in range(n):
        for j in range(d):
            row[j] = design[i, j] - mean[j]
        for j in range(d):
            lever = weights[i] * row[j]
            slopes[j] += lever * (target[i] - level)
            for k in range(j + 1):
                normal[j, k] += lever * row[k]
    _solve(normal, slopes)
    intercept = level
    for j in range(d):
        intercept -= slopes[j] * mean[j]
    return intercept, slopes


@kernel
def _weighted_means(
    design: FloatArray, target: FloatArray, weights: FloatArray
) -> tuple[FloatArray, float]:
    n, d = design.shape
    mean = np.zeros(d)
    level = 0.0
    total = 0.0
    for i in range(n):
        total += weights[i]
    for i in range(n):
        share = weights[i] / total
        level += share * target[i]
        for j in range(d):
            mean[j] += share * design[i, j]
    return mean, level


@kernel
def _solve(matrix: FloatArray, right: FloatArray) -> None:
    """Solve ``matrix x = right`` in place; of the symmetric matrix the lower half is used."""
    d = len(right)
    for j in range(d):
        diagonal = matrix[j, j]
        for k in range(j):
            diagonal -= matrix[j, k] * matrix[j, k]
        dependent = diagonal <= 1e-12 * matrix[j, j]
        matrix[j, j] = math.inf if dependent else math.sqrt(diagonal)
        for i in range(j + 1, d):
            below = matrix[i, j]
            for k in range(j):
                below -= matrix[i, k] * matrix[j, k]
            matrix[i, j] = below / matrix[j, j]
    for j in range(d):
        for k in range(j):
            right[j] -= matrix[j, k] * right[k]
        right[j] /= matrix[j, j]
    for j in range(d - 1, -1, -1):
        for k in range(j + 1, d):
            right[j] -= matrix[k, j] * right[k]
        right[j] /= matrix[j, j]
