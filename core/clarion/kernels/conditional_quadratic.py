"""Shapley values of quadratic forms where absent features follow the present ones, as Gaussians.

For ``f(u) = (u - c)' A (u - c)`` and a Gaussian background of mean m and covariance C, a set S of
present features is worth the mean of f given them. With ``delta = u - m`` and ``b = m - c``::

    v(S)  = (g + b)' A (g + b) + tr(A R),     g = C_.S inv(C_SS) delta_S,
                                              R = C - C_.S inv(C_SS) C_S.

In an order of the features, let L be Cholesky's factor of C and ``z = inv(L) delta``, of which the
k-th entry is the innovation of the k-th feature: what those before it do not tell, over its standard
deviation. The k-th feature then adds, with ``B = L' A L``::

    B_kk (z_k^2 - 1) + 2 z_k ([L' A b]_k + sum_{i<k} B_ki z_i)

whose sum over the features is ``f(u) - E f`` in any order. A Shapley value is its mean over all
orders. For Mahalanobis' distance (``A = inv(C)``, ``b = 0``) that is the mean of ``z_k^2 - 1``: the
game of Takeishi & Kawahara (2023), TMLR, up to ``d - |S|``, the mean of what is absent.
"""

from __future__ import annotations

import numpy as np

from clarion.arrays import BoolArray, FloatArray, Int64Array
from clarion.kernels.compiled import kernel
from clarion.kernels.least_squares import cholesky


@kernel
def ordered_factors(
    orders: Int64Array, covariance: FloatArray, matrix: FloatArray, shift: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return L and B of each order, ``(o, d, d)``, and ``L' A b``, ``(o, d)``.

    Parameters
    ----------
    orders
        Shape ``(o, d)``: the features of each, the first one first.
    covariance, matrix, shift
        C ``(d, d)``, positive definite; A ``(d, d)``, symmetric; b ``(d,)``.
    """
    o, d = orders.shape
    lower, form, slant = np.zeros((o, d, d)), np.empty((o, d, d)), np.zeros((o, d))
    image = _product(matrix, shift)
    for s in range(o):
        order = orders[s]
        for i in range(d):
            for j in range(i + 1):
                lower[s, i, j] = covariance[order[i], order[j]]
        cholesky(lower[s])
        form[s] = _congruent(lower[s], _chosen(matrix, order))
        for i in range(d):
            for k in range(i + 1):
                slant[s, k] += lower[s, i, k] * image[order[i]]
    return lower, form, slant


@kernel
def _chosen(matrix: FloatArray, features: Int64Array) -> FloatArray:
    n = len(features)
    out = np.empty((n, n))
    for i in range(n):
        for j in range(n):
            out[i, j] = matrix[features[i], features[j]]
    return out


@kernel
def _product(matrix: FloatArray, vector: FloatArray) -> FloatArray:
    out = np.zeros(len(vector))
    for i in range(len(vector)):
        for j in range(len(vector)):
            out[i] += matrix[i, j] * vector[j]
    return out


@kernel
def gains_in_orders(
    delta: FloatArray,
    orders: Int64Array,
    lower: FloatArray,
    form: FloatArray,
    slant: FloatArray,
    player_of: Int64Array,
) -> FloatArray:
    """Return what each player adds to one row's worth in each order, shape ``(o, k)``.

    Parameters
    ----------
    delta
        The row less the mean, ``(d,)``.
    lower, form, slant
        What `ordered_factors` returned.
    player_of
        The player of each feature, ``(d,)``; a player's features follow each other in every order.
    """
    o, d = orders.shape
    gains = np.zeros((o, player_of.max() + 1))
    innovations = np.empty(d)
    for s in range(o):
        for k in range(d):
            left, pull = delta[orders[s, k]], slant[s, k]
            for i in range(k):
                left -= lower[s, k, i] * innovations[i]
                pull += form[s, k, i] * innovations[i]
            z = left / lower[s, k, k]
            innovations[k] = z
            gains[s, player_of[orders[s, k]]] += form[s, k, k] * (z * z - 1) + 2 * z * pull
    return gains


@kernel
def shapley_forms(
    covariance: FloatArray, matrix: FloatArray, shift: FloatArray, player_of: Int64Array
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return each player's Shapley value as a quadratic function of delta, from all ``2^k`` sets.

    It is ``delta' Q delta + q' delta + t``: Q ``(k, d, d)``, q ``(k, d)`` and t ``(k,)``.
    """
    d, players = len(covariance), player_of.max() + 1
    squares, slants = np.zeros((players, d, d)), np.zeros((players, d))
    constants = np.zeros(players)
    for members in range(1 << players):
        present = np.array([(members >> player_of[j]) & 1 == 1 for j in range(d)])
        square, slant, constant = _worth(present, covariance, matrix, shift)
        size = 0
        for j in range(players):
            size += (members >> j) & 1
        for j in range(players):
            weight = _weight(size - 1, players) if (members >> j) & 1 else -_weight(size, players)
            squares[j] += weight * square
            slants[j] += weight * slant
            constants[j] += weight * constant
    return squares, slants, constants


@kernel
def _weight(size: int, players: int) -> float:
    """Return the weight of sets of so many others: ``size! (players - size - 1)! / players!``."""
    weight = 1.0 / players
    for i in range(size):
        weight *= (i + 1) / (players - 1 - i)
    return weight


@kernel
def _worth(
    present: BoolArray, covariance: FloatArray, matrix: FloatArray, shift: FloatArray
) -> tuple[FloatArray, FloatArray, float]:
    """Return v(S) less its constant ``b' A b`` as a quadratic function of delta."""
    inside, outside = np.flatnonzero(present), np.flatnonzero(~present)
    told = _expectation(inside, outside, covariance)
    slant = 2 * _product(told.T.copy(), _product(matrix, shift))
    constant = 0.0
    for i in outside:
        for j in outside:
            left = covariance[i, j]
            for s in inside:
                left -= told[i, s] * covariance[s, j]
            constant += matrix[i, j] * left
    return _congruent(told, matrix), slant, constant


@kernel
def _expectation(inside: Int64Array, outside: Int64Array, covariance: FloatArray) -> FloatArray:
    """Return G ``(d, d)``, so that all features' expectation given those ``inside`` is ``G delta``."""
    told = np.zeros_like(covariance)
    for i in inside:
        told[i, i] = 1.0
    known = _chosen(covariance, inside)
    cholesky(known)
    for i in outside:
        _regress(told[i], covariance[i], inside, known)
    return told


@kernel
def _regress(
    slopes: FloatArray, moments: FloatArray, inside: Int64Array, known: FloatArray
) -> None:
    """Put the regression of a feature on those ``inside`` into ``slopes``, given their factor."""
    n = len(inside)
    right = np.empty(n)
    for i in range(n):
        right[i] = moments[inside[i]]
        for k in range(i):
            right[i] -= known[i, k] * right[k]
        right[i] /= known[i, i]
    for i in range(n - 1, -1, -1):
        for k in range(i + 1, n):
            right[i] -= known[k, i] * right[k]
        right[i] /= known[i, i]
        slopes[inside[i]] = right[i]


@kernel
def _congruent(told: FloatArray, matrix: FloatArray) -> FloatArray:
    """Return ``told' matrix told``."""
    d = len(told)
    image, out = np.zeros((d, d)), np.zeros((d, d))
    for i in range(d):
        for k in range(d):
            for j in range(d):
                image[i, j] += matrix[i, k] * told[k, j]
    for i in range(d):
        for k in range(d):
            for j in range(d):
                out[k, j] += told[i, k] * image[i, j]
    return out


@kernel
def quadratic_functions(
    deltas: FloatArray, squares: FloatArray, slants: FloatArray, constants: FloatArray
) -> FloatArray:
    """Return the value of each of k quadratic functions at each row of ``deltas``, ``(n, k)``."""
    n, d = deltas.shape
    out = np.empty((n, len(constants)))
    product = np.empty(d)
    for i in range(n):
        for p in range(len(constants)):
            product[:] = slants[p]
            # Column by column: the inner loop runs over independent sums, so it vectorises in order.
            for k in range(d):
                for j in range(d):
                    product[j] += squares[p, k, j] * deltas[i, k]
            total = constants[p]
            for j in range(d):
                total += product[j] * deltas[i, j]
            out[i, p] = total
    return out
