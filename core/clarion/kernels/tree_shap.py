"""SHAP values of forests for the path-dependent game: `tree_program` has the equations.

A walk carries products of factors down and sums of leaves up. Below an edge of player j are leaves
whose last edge of j it is, and others with a later one: adding ``g_j S`` at every edge, and taking
the earlier edge's off, counts each leaf once::

    phi_j += S (g_j(o, z) - g_j(o', z')),   g(1, z) = w (1 - z) / ((1 - t) z + t),   g(0, z) = -w / (1 - t)

with o', z' without the edge itself, and S the sum of ``v prod f`` of the leaves below. Every part
is bounded (w / t < 2.6 at all nodes of all orders), and nothing is divided by a factor that may be
0, so that depth costs no accuracy. `tree_shap_row` does the same for rows one by one.
"""

from __future__ import annotations

from typing import TypeAlias

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
    as_single,
    is_pair,
)
from clarion.kernels.tree_program import TreeProgram
from clarion.kernels.tree_shap_row import add_row_by_row
from clarion.kernels.tree_terms import (
    GAIN_NO,
    GAIN_YES,
    KEPT,
    LOST,
    NO,
    TERMS,
    YES,
    four,
    write_terms,
)

_ALONE = 3
"""Rows for which going one by one is faster."""
_MOST_LANES = 128
"""Rows in flight, at most. Measured best of 64 to 256."""
_VECTOR = 8
"""Doubles in the widest registers there are."""

U = np.uint64  # unsigned offsets: numba then leaves out the test for negative indices
Edge: TypeAlias = tuple[np.uint64, np.uint64, np.uint64]
"""Its level, the level of its player's last edge above (0 if none), and the number of lanes."""


def tree_shap(points: FloatArray, program: TreeProgram) -> FloatArray:
    """Return the SHAP values of each row of ``points`` (n, d), shape ``(n, n_players)``.

    Points are compared as float32, so that beyond its range counts as infinite. A row gets the same
    bits in any batch. Memory: 14 KB a level of the deepest tree.
    """
    rows = as_single(points)
    out = np.zeros((len(rows), program.n_players))
    if len(rows) <= _ALONE:
        add_row_by_row(rows, program, out)
    else:
        blocks = -(-len(rows) // _MOST_LANES)
        width = -(-len(rows) // (blocks * _VECTOR)) * _VECTOR
        _add_block_by_block(rows, program, width, out)
    return out


@kernel
def _add_block_by_block(
    rows: NDArray[np.float32], program: TreeProgram, width: int, out: FloatArray
) -> None:
    """Add the SHAP values of ``rows`` to ``out``, ``width`` rows at a time, side by side in lanes."""
    n, d = rows.shape
    players = out.shape[1]
    cells = np.zeros(d * width)
    totals = np.zeros(players * width)
    for first in range(0, n, width):
        count = min(width, n - first)
        for r in range(count):
            for j in range(d):
                cells[j * width + r] = rows[first + r, j]
        totals[:] = 0.0
        for group in range(len(program.rules)):
            _walk(program, group, cells, totals, U(width))
        for r in range(count):
            for j in range(players):
                out[first + r, j] = totals[j * width + r]


@kernel
def _walk(
    program: TreeProgram, group: int, cells: FloatArray, totals: FloatArray, width: np.uint64
) -> None:
    """Walk all edges down and up with four quadrature nodes, ``width`` rows side by side.

    Of each level, ``taken`` is 1 where the row takes all of the player's edges down to it, else 0;
    ``products`` are of the factors above, of each node; ``sums`` of the leaves below, of each side
    and node; and ``terms``, without lanes, those kept or those of each level's edge.
    """
    places, numbers = program.places, program.numbers
    levels = program.levels + 2
    size = levels * int(width)
    taken, products, sums = np.ones(size), np.ones(NODES * size), np.zeros(2 * NODES * size)
    kept = program.terms.shape[1] > 0
    terms = program.terms[group] if kept else np.ones(levels * TERMS)
    open_at, paired = np.zeros(levels, np.int64), np.zeros(levels, np.bool_)
    n_edges, edge = len(places), 0
    depth = U(0)
    while True:
        level = U(places[edge, LEVEL]) if edge < n_edges else U(1)
        while depth >= level:
            at = open_at[depth]
            left = (depth, U(places[at, EARLIER]), width)
            term = U(at) * U(KEPT) if kept else depth * U(TERMS)
            slot, to = U(2) * depth + U(places[at, RIGHT]), U(places[at, PLAYER]) * width
            _gather(sums, slot, depth + U(1), paired[depth + U(1)], width)
            _gain(sums, taken, terms, totals, (slot * U(NODES) * width, term, to), left)
            depth -= U(1)
        if edge == n_edges:
            break
        entered = (level, U(places[edge, EARLIER]), width)
        cell, right = U(places[edge, FEATURE]) * width, places[edge, RIGHT] != 0
        paired[level] = is_pair(places, edge)
        _follow(cells, taken, cell, numbers[edge, THRESHOLD], right, entered)
        if not kept:
            write_terms(terms, places, numbers, edge, program.rules[group])
        term = U(edge) * U(KEPT) if kept else level * U(TERMS)
        above = (level - U(1)) * U(NODES) * width
        if places[edge, LEAF] != 0:
            slot = (U(2) * level + U(right)) * U(NODES) * width
            _multiply(products, sums, taken, terms, (slot, term), entered)
            to = U(places[edge, PLAYER]) * width
            _gain(products, taken, terms, totals, (above, term, to), entered)
        else:
            below = above + U(NODES) * width
            _multiply(products, products, taken, terms, (below, term), entered)
            open_at[level] = edge
            depth = level
        edge += 1 + int(paired[level])


@kernel
def _follow(
    cells: FloatArray,
    taken: FloatArray,
    cell: np.uint64,
    threshold: float,
    right: bool,
    edge: Edge,
) -> None:
    """Note which rows take the edge, and all of its player's above."""
    level, earlier, width = edge
    here, above = level * width, earlier * width
    for r in range(width):
        taken[here + r] = taken[above + r] if (cells[cell + r] > threshold) == right else 0.0


@kernel
def _multiply(
    products: FloatArray,
    target: FloatArray,
    taken: FloatArray,
    terms: FloatArray,
    spots: tuple[np.uint64, np.uint64],
    edge: Edge,
) -> None:
    """Write the products above the edge times its factors to ``target``.

    Where target and factors begin, ``spots`` tells.
    """
    level, earlier, width = edge
    to, first = spots
    here, above = level * width, earlier * width
    for q in range(U(NODES)):
        term = first + q
        lost, yes, no = terms[term + U(LOST)], terms[term + U(YES)], terms[term + U(NO)]
        at, start = ((level - U(1)) * U(NODES) + q) * width, to + q * width
        if earlier == U(0):
            for r in range(width):
                target[start + r] = products[at + r] * (yes if taken[here + r] > 0.5 else no)
        else:
            for r in range(width):
                factor = yes if taken[here + r] > 0.5 else no
                target[start + r] = products[at + r] * (factor if taken[above + r] > 0.5 else lost)


@kernel
def _gather(
    sums: FloatArray, slot: np.uint64, below: np.uint64, paired: bool, width: np.uint64
) -> None:
    """Write an edge's sums: those of both branches below it; of a pair, they are in the first."""
    size = U(NODES) * width
    to, left = slot * size, U(2) * below * size
    right = left + size
    if paired:
        for i in range(size):
            sums[to + i] = sums[left + i]
    else:
        for i in range(size):
            sums[to + i] = sums[left + i] + sums[right + i]


@kernel
def _gain(
    owed: FloatArray,
    taken: FloatArray,
    terms: FloatArray,
    totals: FloatArray,
    spots: tuple[np.uint64, np.uint64, np.uint64],
    edge: Edge,
) -> None:
    """Add to a player's total the edge's gains times ``owed``.

    Where what is owed, the edge's terms, and the total begin, ``spots`` tells.
    """
    level, earlier, width = edge
    s0, term, to = spots
    g0, g1, g2, g3 = four(terms, term + U(GAIN_YES))
    h0, h1, h2, h3 = four(terms, term + U(GAIN_NO))
    here, above = level * width, earlier * width
    s1, s2, s3 = s0 + width, s0 + U(2) * width, s0 + U(3) * width
    if earlier == U(0):
        for r in range(width):
            yes = taken[here + r] > 0.5
            low = owed[s0 + r] * (g0 if yes else h0) + owed[s1 + r] * (g1 if yes else h1)
            high = owed[s2 + r] * (g2 if yes else h2) + owed[s3 + r] * (g3 if yes else h3)
            totals[to + r] += low + high
    else:
        for r in range(width):
            yes, so_far = taken[here + r] > 0.5, taken[above + r] > 0.5
            low = owed[s0 + r] * (g0 if yes else h0) + owed[s1 + r] * (g1 if yes else h1)
            high = owed[s2 + r] * (g2 if yes else h2) + owed[s3 + r] * (g3 if yes else h3)
            totals[to + r] += low + high if so_far else 0.0
