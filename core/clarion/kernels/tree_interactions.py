"""Pair interactions of forests for the path-dependent game: `tree_program` has the game.

The Shapley interaction index of players i and j (Grabisch & Roubens (1999), International Journal of
Game Theory 28, p. 547) is the mixed derivative of the multilinear extension, integrated along the
diagonal, so that quadrature gives it as it gives SHAP values::

    I_ij = sum_leaves v (o_i - z_i) (o_j - z_j) int_0^1 prod_{k != i, j} ((1 - t) z_k + t o_k) dt
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from clarion.arrays import BoolArray, FloatArray
from clarion.kernels.compiled import kernel
from clarion.kernels.tree_edges import (
    BEFORE,
    EARLIER,
    FEATURE,
    LEAF,
    LEVEL,
    NODE,
    NODES,
    PLAYER,
    REACH,
    RIGHT,
    SHARE,
    THRESHOLD,
    VALUE,
    WEIGHT,
    as_single,
)
from clarion.kernels.tree_program import TreeProgram


def tree_interactions(points: FloatArray, program: TreeProgram) -> FloatArray:
    """Return the interaction index of each pair for each row of ``points`` (n, d), ``(n, k, k)``.

    Symmetric, 0 on the diagonal, in score units. The SHAP interaction values of Lundberg et al.
    (2020), eq. 8, are half of it, and on the diagonal what is left of each player's SHAP value. A
    row costs about 75 ns an edge of trees 8 deep, and gets the same bits in any batch.
    """
    rows = as_single(points)
    out = np.zeros((len(rows), program.n_players, program.n_players))
    _add_rows(rows, program, out)
    return out + out.transpose(0, 2, 1)


@kernel
def _add_rows(rows: NDArray[np.float32], program: TreeProgram, out: FloatArray) -> None:
    for i in range(len(rows)):
        for rule in program.rules:
            _walk(rows[i], program, rule[NODE], rule[WEIGHT], out[i])


@kernel
def _walk(
    row: NDArray[np.float32],
    program: TreeProgram,
    nodes: FloatArray,
    weights: FloatArray,
    out: FloatArray,
) -> None:
    """Add each pair's index on one side of the diagonal, for one group of quadrature nodes.

    Of each level, ``taken`` says whether the row takes all of the player's edges down to it,
    ``last`` whether no edge below is the player's; ``products`` and ``slopes`` are, of each node,
    of the factors above and ``(o - z) / ((1 - t) z + t o)``.
    """
    places, numbers = program.places, program.numbers
    products = np.ones((program.levels + 1, NODES))
    slopes = np.zeros((program.levels + 1, NODES))
    taken, last = np.ones((2, program.levels + 1), np.bool_)
    open_at = np.zeros(program.levels + 1, np.int64)
    depth = 0
    for edge in range(len(places)):
        level, earlier = int(places[edge, LEVEL]), int(places[edge, EARLIER])
        while depth >= level:
            last[places[open_at[depth], EARLIER]] = True
            depth -= 1
        goes_right = row[places[edge, FEATURE]] > numbers[edge, THRESHOLD]
        taken[level] = taken[earlier] and goes_right == (places[edge, RIGHT] != 0)
        last[earlier], last[level] = False, True
        for q in range(NODES):
            above = _factor(numbers[edge, BEFORE], taken[earlier], nodes[q])
            factor = _factor(numbers[edge, REACH], taken[level], nodes[q])
            ratio = factor / above if taken[earlier] else numbers[edge, SHARE]
            products[level, q] = products[level - 1, q] * ratio
            absent = -1.0 / (1.0 - nodes[q])
            slopes[level, q] = (1.0 - numbers[edge, REACH]) / factor if taken[level] else absent
        open_at[level] = edge
        depth = level
        if places[edge, LEAF] != 0:
            leaf = numbers[edge, VALUE] * weights * products[level]
            _add_pairs(places, open_at[1 : level + 1], last[1:], slopes[1:], leaf, out)


@kernel
def _factor(reach: float, taken: bool, node: float) -> float:
    factor: float = (1.0 - node) * reach + (node if taken else 0.0)
    return factor


@kernel
def _add_pairs(
    places: NDArray[np.uint32],
    edges: NDArray[np.int64],
    last: BoolArray,
    slopes: FloatArray,
    leaf: FloatArray,
    out: FloatArray,
) -> None:
    """Add what one leaf owes each pair of players on its path."""
    for i in range(len(edges)):
        for j in range(i if last[i] else 0):
            if last[j]:
                total = 0.0
                for q in range(NODES):
                    total += leaf[q] * slopes[i, q] * slopes[j, q]
                out[places[edges[i], PLAYER], places[edges[j], PLAYER]] += total
