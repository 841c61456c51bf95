"""SHAP values of sums of product kernels, by exact quadrature of the multilinear extension.

Against one background row, with factors ``p`` of the explained row and ``q`` of that row::

    phi_j = sum_i a_i int_0^1 (p - q)_ij prod_{k != j} (q_ik + t (p - q)_ik) dt

(Owen (1972), Management Science 18(5), eq. 8: the Shapley value is the gradient of the multilinear
extension, integrated along the diagonal.) The integrand is a polynomial in t, so that Gauss-Legendre
quadrature is exact; products before and after j are carried along, so that nothing is divided.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from clarion.arrays import FloatArray, Int64Array, frozen
from clarion.kernels.compiled import kernel

_LANES = 32
"""Kernels worked on side by side: their factors stay in the cache, and the loops vectorise."""


@lru_cache(64)
def quadrature(d: int) -> tuple[FloatArray, FloatArray]:
    """Return nodes and weights on [0, 1] that are exact for ``d`` features.

    ``ceil(d / 2)`` nodes integrate degree ``d - 1`` exactly. Beyond 64 features ``4 sqrt(d)`` do,
    to 1e-13 of the sum of the kernels' weights: the integrands have coefficients in [0, 1] in the
    Bernstein basis, over which a test adds up the errors. Fewer will not do: with 8 nodes a row far
    away in each of 200 features would get 19 % of its due.
    """
    count = max(1, min((d + 1) // 2, math.ceil(4 * math.sqrt(d))))
    nodes, weights = np.polynomial.legendre.leggauss(count)
    return frozen((nodes + 1) / 2), frozen(weights / 2)


@kernel
def gaussian_factors(rows: FloatArray, points: FloatArray, gamma: FloatArray) -> FloatArray:
    """Return ``exp(-gamma_ij (u_rj - points_ij)^2)`` in blocks of kernels, ``(n, blocks, d, lanes)``.

    Kernel i is lane ``i % lanes`` of block ``i // lanes``; lanes beyond the last kernel hold ones.

    Parameters
    ----------
    rows, points, gamma
        Shapes ``(n, d)``, ``(n_points, d)`` and ``(n_points, d)``.
    """
    n, d = rows.shape
    blocks = (points.shape[0] + _LANES - 1) // _LANES
    out = np.ones((n, blocks, d, _LANES))
    for r in range(n):
        for i in range(points.shape[0]):
            for j in range(d):
                delta = rows[r, j] - points[i, j]
                out[r, i // _LANES, j, i % _LANES] = math.exp(-gamma[i, j] * delta * delta)
    return out


@kernel
def grouped_factors(factors: FloatArray, players: Int64Array, n_players: int) -> FloatArray:
    """Return the products of each player's factors, ``(n, blocks, n_players, lanes)``.

    Parameters
    ----------
    factors
        What `gaussian_factors` returned.
    players
        Player of each feature, shape ``(d,)``.
    """
    n, blocks, d, lanes = factors.shape
    out = np.ones((n, blocks, n_players, lanes))
    for r in range(n):
        for block in range(blocks):
            for j in range(d):
                for lane in range(lanes):
                    out[r, block, players[j], lane] *= factors[r, block, j, lane]
    return out


@kernel
def add_product_shap(
    present: FloatArray,
    absent: FloatArray,
    weights: FloatArray,
    nodes: FloatArray,
    node_weights: FloatArray,
    out: FloatArray,
) -> None:
    """Add to ``out`` (n, d) the SHAP values against each background row, summed over those rows.

    Parameters
    ----------
    present, absent
        `gaussian_factors`, or `grouped_factors`, of the explained and of the background rows.
    weights
        The kernels' weights, shape ``(n_points,)``.
    nodes, node_weights
        What `quadrature` returned.
    """
    n, blocks, d = present.shape[:3]
    for r in range(n):
        for block in range(blocks):
            total = _integrals(present[r, block].ravel(), absent, block, nodes, node_weights)
            for j in range(d):
                for lane in range(min(_LANES, len(weights) - block * _LANES)):
                    out[r, j] += weights[block * _LANES + lane] * total[j * _LANES + lane]


@kernel
def _integrals(
    present: FloatArray,
    absent: FloatArray,
    block: int,
    nodes: FloatArray,
    node_weights: FloatArray,
) -> FloatArray:
    """Return one block's integrals, summed over the background rows, shape ``(d * lanes,)``."""
    size = absent.shape[2] * _LANES
    gap = np.empty(size)
    factor = np.empty(size)
    before = np.empty(size)
    after = np.empty(size)
    total = np.zeros(size)
    for b in range(absent.shape[0]):
        without = absent[b, block].ravel()
        for i in range(size):
            gap[i] = present[i] - without[i]
        for node in range(len(nodes)):
            for i in range(size):
                factor[i] = without[i] + nodes[node] * gap[i]
            for i in range(_LANES):
                before[i] = node_weights[node]
                after[size - _LANES + i] = 1.0
            for i in range(_LANES, size):
                before[i] = before[i - _LANES] * factor[i - _LANES]
            for i in range(size - _LANES - 1, -1, -1):
                after[i] = after[i + _LANES] * factor[i + _LANES]
            for i in range(size):
                total[i] += gap[i] * (before[i] * after[i])
    return total
