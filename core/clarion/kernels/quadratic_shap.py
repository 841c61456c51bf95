"""SHAP values of quadratic forms, in closed form.

For ``f(u) = (u - c)' A (u - c)`` and a background of mean ``m`` and covariance ``C`` (divided by n)
the game is 2-additive, and each row's Shapley values need these two moments only::

    phi_j = (u - m)_j [A (u + m - 2c)]_j - sum_k A_jk C_jk

With a single baseline at ``c`` this is Mayrhofer & Filzmoser (2023), Econometrics and Statistics,
"Multivariate outlier explanations using Shapley values and Mahalanobis distances".
"""

from __future__ import annotations

import numpy as np

from clarion.arrays import FloatArray
from clarion.kernels.compiled import kernel


@kernel
def background_moments(points: FloatArray, matrix: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the mean and ``sum_k A_jk C_jk`` of background rows ``(m, d)``, both ``(d,)``."""
    m, d = points.shape
    mean = np.zeros(d)
    spread = np.zeros(d)
    delta = np.empty(d)
    product = np.empty(d)
    for i in range(m):
        for j in range(d):
            mean[j] += points[i, j] / m
    for i in range(m):
        for j in range(d):
            delta[j] = points[i, j] - mean[j]
            product[j] = 0.0
        for k in range(d):
            for j in range(d):
                product[j] += matrix[k, j] * delta[k]
        for j in range(d):
            spread[j] += delta[j] * product[j] / m
    return mean, spread


@kernel
def quadratic_shap(
    points: FloatArray,
    center: FloatArray,
    matrix: FloatArray,
    mean: FloatArray,
    spread: FloatArray,
) -> FloatArray:
    """Return the SHAP values of each row of ``points``, shape ``(n, d)``.

    Parameters
    ----------
    points, center, matrix
        Shapes ``(n, d)``, ``(d,)`` and ``(d, d)``; ``matrix`` is symmetric.
    mean, spread
        What `background_moments` returned, ``(d,)`` each.
    """
    n, d = points.shape
    out = np.empty((n, d))
    sums = np.empty(d)
    product = np.empty(d)
    for i in range(n):
        for j in range(d):
            sums[j] = (points[i, j] - center[j]) + (mean[j] - center[j])
            product[j] = 0.0
        # Column by column: the inner loop runs over independent sums, so it vectorises in order.
        for k in range(d):
            for j in range(d):
                product[j] += matrix[k, j] * sums[k]
        for j in range(d):
            out[i, j] = (points[i, j] - mean[j]) * product[j] - spread[j]
    return out
