"""SHAP values of forests for few rows: what `tree_shap` does, with quadrature nodes as lanes.

Both compute the same expressions in the same order, so that a row gets the same bits from either.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from clarion.arrays import FloatArray
from clarion.kernels.compiled import kernel
from clarion.kernels.tree_program import (
    BEFORE,
    EARLIER,
    FEATURE,
    LEAF,
    LEVEL,
    NODES,
    PLAYER,
    REACH,
    RIGHT,
    SHARE,
    THRESHOLD,
    VALUE,
    TreeProgram,
    carry,
)

U = np.uint64  # unsigned offsets: numba then leaves out the test for negative indices


@kernel
def add_row_by_row(rows: NDArray[np.float32], program: TreeProgram, out: FloatArray) -> None:
    """Add the SHAP values of ``rows`` (n, d) to ``out`` (n, n_players)."""
    for i in range(len(rows)):
        for group in range(len(program.nodes)):
            _walk(rows[i], program, program.nodes[group], program.weights[group], out[i])


@kernel
def _walk(
    row: NDArray[np.float32],
    program: TreeProgram,
    nodes: FloatArray,
    weights: FloatArray,
    out: FloatArray,
) -> None:
    """Walk all edges down and up with four quadrature nodes, which are the lanes.

    Of each level, ``taken`` says whether the row takes all of the player's edges down to it;
    ``products``, ``sums``, ``gains`` and ``inverse`` are, of each node, of the factors above, of
    the leaves below, what the player gains from these, and ``1 / ((1 - t) z + t)``.
    """
    places, numbers = program.places, program.numbers
    size = (program.levels + 1) * NODES
    products, sums, gains, inverse = np.ones(size), np.zeros(size), np.zeros(size), np.ones(size)
    taken = np.ones(program.levels + 1, np.bool_)
    open_at = np.zeros(program.levels + 1, np.uint64)
    n_edges = len(places)
    depth = U(0)
    for edge in range(n_edges + 1):
        level = U(places[edge, LEVEL]) if edge < n_edges else U(1)
        while depth >= level:
            at = open_at[depth]
            out[places[at, PLAYER]] += _gain(sums, gains, depth * U(NODES))
            carry(sums, depth, U(NODES), places[at, RIGHT] != 0)
            depth -= U(1)
        if edge == n_edges:
            break
        goes_right = row[places[edge, FEATURE]] > numbers[edge, THRESHOLD]
        so_far = taken[places[edge, EARLIER]]
        yes = so_far and goes_right == (places[edge, RIGHT] != 0)
        taken[level] = yes
        scale = numbers[edge, VALUE] if places[edge, LEAF] != 0 else 1.0
        lost = numbers[edge, SHARE] * scale
        target = sums if places[edge, LEAF] != 0 else products
        reach, before = numbers[edge, REACH], numbers[edge, BEFORE]
        here, last = level * U(NODES), U(places[edge, EARLIER]) * U(NODES)
        for q in range(U(NODES)):
            absent = 1.0 - nodes[q]
            reached = absent * reach
            above = inverse[last + q]
            off = weights[q] * (1.0 - before) * above
            whole = reached + nodes[q]
            inverse[here + q] = 1.0 / whole
            factor = (whole if yes else reached) * above * scale
            gain = weights[q] * (1.0 - reach) * inverse[here + q] if yes else -weights[q] / absent
            gains[here + q] = gain - off if so_far else 0.0
            product = products[here - U(NODES) + q]
            target[here + q] = product * (factor if so_far else lost)
        open_at[level] = edge
        depth = level


@kernel
def _gain(sums: FloatArray, gains: FloatArray, at: np.uint64) -> float:
    low = sums[at] * gains[at] + sums[at + U(1)] * gains[at + U(1)]
    high = sums[at + U(2)] * gains[at + U(2)] + sums[at + U(3)] * gains[at + U(3)]
    total: float = low + high
    return total
