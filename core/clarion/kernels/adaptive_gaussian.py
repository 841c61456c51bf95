"""A Gaussian that forgets: every row is judged by those before it, and learned from unless strange."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from clarion.arrays import FloatArray
from clarion.kernels.compiled import kernel


class Learning(NamedTuple):
    """How a row is learned from.

    Attributes
    ----------
    weight
        Share of a new row in the mean, and what the covariance loses at it.
    gate
        Squared distance beyond which a row teaches nothing.
    farthest
        Squared distance from where it all began, in the metric of then, beyond which a row teaches
        nothing: however slowly someone walks, neither mean nor covariance leave what lies within.
    gain, floor
        What a row's ``delta delta'`` counts in the covariance, and what its diagonal gains.
    """

    weight: float
    gate: float
    farthest: float
    gain: float
    floor: float


@kernel
def gaussian_terms(
    points: FloatArray,
    mean: FloatArray,
    covariance: FloatArray,
    fitted: tuple[FloatArray, FloatArray],
    learning: Learning,
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return the parts of each row's squared Mahalanobis distance (n, d), and mean and covariance.

    With ``P`` the inverse covariance, ``delta_j (P delta)_j`` is the Shapley value of signal j with
    the mean as baseline: Mayrhofer & Filzmoser (2023), Econometrics and Statistics. A row is judged
    before it is learned from: ``mean += weight delta``, ``C = (1 - weight) C + gain delta delta' +
    floor I``.

    Parameters
    ----------
    points
        Rows in order, shape ``(n, d)``.
    mean, covariance
        Shapes ``(d,)`` and ``(d, d)``, positive definite.
    fitted
        Mean and covariance of where it all began.
    """
    n, d = points.shape
    mean, covariance = mean.copy(), covariance.copy()
    terms = np.empty((n, d))
    lower, first = np.empty((d, d)), np.empty((d, d))
    _factor(fitted[1], first)
    delta = np.empty(d)
    solved = np.empty(d)
    for i in range(n):
        distance = 0.0
        for j in range(d):
            delta[j] = points[i, j] - mean[j]
        _factor(covariance, lower)
        _solve(lower, delta, solved)
        for j in range(d):
            terms[i, j] = delta[j] * solved[j]
            distance += terms[i, j]
        if distance <= learning.gate and (
            _distance(points[i], fitted[0], first) <= learning.farthest
        ):
            for j in range(d):
                mean[j] += learning.weight * delta[j]
                for k in range(d):
                    kept = (1.0 - learning.weight) * covariance[j, k]
                    covariance[j, k] = kept + learning.gain * (delta[j] * delta[k])
                covariance[j, j] += learning.floor
    return terms, mean, covariance


@kernel
def _distance(point: FloatArray, mean: FloatArray, lower: FloatArray) -> float:
    """Return the squared distance of ``point`` from ``mean`` under the covariance ``lower lower'``."""
    delta, solved = point - mean, np.empty(len(mean))
    _solve(lower, delta, solved)
    distance = 0.0
    for j in range(len(mean)):
        distance += delta[j] * solved[j]
    return distance


@kernel
def _factor(matrix: FloatArray, lower: FloatArray) -> None:
    """Write Cholesky's factor of ``matrix`` into ``lower``."""
    d = len(matrix)
    for j in range(d):
        for k in range(j + 1):
            total = matrix[j, k]
            for m in range(k):
                total -= lower[j, m] * lower[k, m]
            lower[j, k] = np.sqrt(total) if j == k else total / lower[k, k]


@kernel
def _solve(lower: FloatArray, right: FloatArray, out: FloatArray) -> None:
    """Write the solution of ``lower lower' out = right`` into ``out``."""
    d = len(right)
    for j in range(d):
        total = right[j]
        for k in range(j):
            total -= lower[j, k] * out[k]
        out[j] = total / lower[j, j]
    for j in range(d - 1, -1, -1):
        total = out[j]
        for k in range(j + 1, d):
            total -= lower[k, j] * out[k]
        out[j] = total / lower[j, j]
