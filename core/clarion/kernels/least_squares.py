"""Weighted least squares whose sums keep their order, whatever library and threads BLAS has."""

from __future__ import annotations

import math

import numpy as np

from clarion.arrays import FloatArray
from clarion.kernels.compiled import kernel


@kernel
def mirrored_least_squares(
    half: FloatArray, odd: FloatArray, weights: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return slopes ``(d,)`` and inverse ``(d, d)`` of the weighted linear fit to mirrored points.

    A pair is a point and its mirror image, of the same weight. Centred as they are, the slopes
    follow from half the differences of the targets, by the normal equations of the columns, which
    should be of like size, and Cholesky's factorisation; a column that depends on those before it
    gets the slope 0. The inverse is that of the normal equations' matrix, 0 in such columns' rows.

    Parameters
    ----------
    half, odd, weights
        One point of each pair ``(n, d)``, half the difference of the pair's targets ``(n,)``, and
        the weight of either ``(n,)``, positive.
    """
    n, d = half.shape
    normal = np.zeros((d, d))
    slopes = np.zeros(d)
    for i in range(n):
        for j in range(d):
            lever = 2 * weights[i] * half[i, j]
            slopes[j] += lever * odd[i]
            for k in range(j + 1):
                normal[j, k] += lever * half[i, k]
    right = np.zeros((d, d + 1))
    for j in range(d):
        right[j, j] = 1.0
        right[j, d] = slopes[j]
    cholesky(normal)
    _solve(normal, right)
    return right[:, d].copy(), right[:, :d].copy()


@kernel
def cholesky(matrix: FloatArray) -> None:
    """Put Cholesky's factor into the lower half of a symmetric matrix, inf for dependent columns."""
    d = len(matrix)
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


@kernel
def _solve(matrix: FloatArray, right: FloatArray) -> None:
    """Solve ``matrix X = right`` (d, m) in place, given what `cholesky` made of the matrix."""
    d, m = right.shape
    for j in range(d):
        for k in range(j):
            for c in range(m):
                right[j, c] -= matrix[j, k] * right[k, c]
        for c in range(m):
            right[j, c] /= matrix[j, j]
    for j in range(d - 1, -1, -1):
        for k in range(j + 1, d):
            for c in range(m):
                right[j, c] -= matrix[k, j] * right[k, c]
        for c in range(m):
            right[j, c] /= matrix[j, j]
