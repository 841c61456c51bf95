"""SHAP values of forests for few rows: what `tree_shap` does, with quadrature nodes as lanes.

Both compute the same expressions in the same order, so that a row gets the same bits from either.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from clarion.arrays import FloatArray
from clarion.kernels.compiled import kernel
from clarion.kernels.tree_edges import (
    EARLIER,
    FEATURE,
    LEAF,
    LEVEL,
    NODES,
    PLAYER,
    RIGHT,
    THRESHOLD,
    is_pair,
)
from clarion.kernels.tree_program import TreeProgram
from clarion.kernels.tree_terms import GAIN_NO, GAIN_YES, KEPT, LOST, NO, TERMS, YES, write_terms

U = np.uint64  # unsigned offsets: numba then leaves out the test for negative indices


@kernel
def add_row_by_row(rows: NDArray[np.float32], program: TreeProgram, out: FloatArray) -> None:
    """Add the SHAP values of ``rows`` (n, d) to ``out`` (n, n_players)."""
    for i in range(len(rows)):
        for group in range(len(program.rules)):
            _walk(rows[i], program, group, out[i])


@kernel
def _walk(row: NDArray[np.float32], program: TreeProgram, group: int, out: FloatArray) -> None:
    """Walk all edges down and up with four quadrature nodes.

    Of each level, ``taken`` says whether the row takes all of the player's edges down to it;
    ``products`` are of the factors above, of each node; ``sums`` of the leaves below, of each side
    and node; and ``terms`` are those kept or those of each level's edge.
    """
    places, numbers = program.places, program.numbers
    levels = program.levels + 2
    products, sums = np.ones(levels * NODES), np.zeros(2 * levels * NODES)
    kept = program.terms.shape[1] > 0
    terms = program.terms[group] if kept else np.ones(levels * TERMS)
    taken, paired = np.ones(levels, np.bool_), np.zeros(levels, np.bool_)
    open_at = np.zeros(levels, np.int64)
    n_edges, edge = len(places), 0
    depth = U(0)
    while True:
        level = U(places[edge, LEVEL]) if edge < n_edges else U(1)
        while depth >= level:
            at = open_at[depth]
            slot = (U(2) * depth + U(places[at, RIGHT])) * U(NODES)
            _gather(sums, slot, U(2 * NODES) * (depth + U(1)), paired[depth + U(1)])
            if taken[places[at, EARLIER]]:
                gain = U(at) * U(KEPT) if kept else depth * U(TERMS)
                gain += U(GAIN_YES if taken[depth] else GAIN_NO)
                out[places[at, PLAYER]] += _dot(sums, slot, terms, gain)
            depth -= U(1)
        if edge == n_edges:
            break
        goes_right = row[places[edge, FEATURE]] > numbers[edge, THRESHOLD]
        so_far, right = taken[places[edge, EARLIER]], places[edge, RIGHT] != 0
        taken[level] = so_far and goes_right == right
        paired[level] = is_pair(places, edge)
        if not kept:
            write_terms(terms, places, numbers, edge, program.rules[group])
        above, term = (level - U(1)) * U(NODES), U(edge) * U(KEPT) if kept else level * U(TERMS)
        factor = term + U((YES if taken[level] else NO) if so_far else LOST)
        if places[edge, LEAF] != 0:
            slot = (U(2) * level + U(right)) * U(NODES)
            for q in range(U(NODES)):
                sums[slot + q] = products[above + q] * terms[factor + q]
            if so_far:
                gain = term + U(GAIN_YES if taken[level] else GAIN_NO)
                out[places[edge, PLAYER]] += _dot(products, above, terms, gain)
        else:
            for q in range(U(NODES)):
                products[above + U(NODES) + q] = products[above + q] * terms[factor + q]
            open_at[level] = edge
            depth = level
        edge += 1 + int(paired[level])


@kernel
def _gather(sums: FloatArray, slot: np.uint64, below: np.uint64, paired: bool) -> None:
    """Write an edge's sums: those of both branches below it; of a pair, they are in the first."""
    for q in range(U(NODES)):
        left, right = sums[below + q], sums[below + U(NODES) + q]
        sums[slot + q] = left if paired else left + right


@kernel
def _dot(left: FloatArray, at: np.uint64, right: FloatArray, start: np.uint64) -> float:
    low = left[at] * right[start] + left[at + U(1)] * right[start + U(1)]
    high = left[at + U(2)] * right[start + U(2)] + left[at + U(3)] * right[start + U(3)]
    total: float = low + high
    return total
