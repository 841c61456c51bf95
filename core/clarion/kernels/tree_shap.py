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
    as_single,
    carry,
)
from clarion.kernels.tree_shap_row import add_row_by_row

_ALONE = 3
"""Rows for which going one by one is faster. Measured: 0.2 ms a row, a block of 8 takes 0.9 ms."""
_MOST_LANES = 128
"""Rows in flight, at most. Measured: 64 / 128 / 256 take 21.8 / 17.6 / 17.5 us a row."""
_VECTOR = 8
"""Doubles in the widest registers there are."""

U = np.uint64  # unsigned offsets: numba then leaves out the test for negative indices
Edge: TypeAlias = tuple[np.uint64, np.uint64, np.uint64]
"""Its level, the level of its player's last edge above (0 if none), and the number of lanes."""


def tree_shap(points: FloatArray, program: TreeProgram) -> FloatArray:
    """Return the SHAP values of each row of ``points`` (n, d), shape ``(n, n_players)``.

    Points are compared as float32, so that beyond its range counts as infinite. A row gets the same
    bits in any batch. Memory: 10 KB a level of the deepest tree.
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
        for group in range(len(program.nodes)):
            _walk(program, program.nodes[group], program.weights[group], cells, totals, U(width))
        for r in range(count):
            for j in range(players):
                out[first + r, j] = totals[j * width + r]


@kernel
def _walk(
    program: TreeProgram,
    nodes: FloatArray,
    weights: FloatArray,
    cells: FloatArray,
    totals: FloatArray,
    width: np.uint64,
) -> None:
    """Walk all edges down and up with four quadrature nodes, ``width`` rows side by side.

    Of each level, ``taken`` is 1 where the row takes all of the player's edges down to it, else 0;
    ``products`` and ``sums`` are, of each node, of the factors above and of the leaves below; and
    ``terms``, without lanes, factors not taken and taken, gains not taken and taken.
    """
    places, numbers = program.places, program.numbers
    size = (program.levels + 1) * int(width)
    taken, products, sums = np.ones(size), np.ones(NODES * size), np.zeros(NODES * size)
    terms = np.zeros((program.levels + 1) * 4 * NODES)
    open_at = np.zeros(program.levels + 1, np.uint64)
    n_edges = len(places)
    depth = U(0)
    for edge in range(n_edges + 1):
        level = U(places[edge, LEVEL]) if edge < n_edges else U(1)
        while depth >= level:
            at = open_at[depth]
            left = (depth, U(places[at, EARLIER]), width)
            _gain(sums, taken, terms, totals, U(places[at, PLAYER]) * width, left)
            carry(sums, depth, width * U(NODES), places[at, RIGHT] != 0)
            depth -= U(1)
        if edge == n_edges:
            break
        entered = (level, U(places[edge, EARLIER]), width)
        cell, right = U(places[edge, FEATURE]) * width, places[edge, RIGHT] != 0
        _follow(cells, taken, cell, numbers[edge, THRESHOLD], right, entered)
        _weigh(terms, numbers, edge, level, nodes, weights)
        if places[edge, LEAF] != 0:
            scaled = (numbers[edge, SHARE], numbers[edge, VALUE])
            _descend(products, sums, taken, terms, scaled, entered)
        else:
            _descend(products, products, taken, terms, (numbers[edge, SHARE], 1.0), entered)
        open_at[level] = edge
        depth = level


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
def _weigh(
    terms: FloatArray,
    numbers: FloatArray,
    edge: int,
    level: np.uint64,
    nodes: FloatArray,
    weights: FloatArray,
) -> None:
    """Write the edge's factors and gains in rows that take the player's edges above it."""
    at = level * U(4 * NODES)
    reach, before = numbers[edge, REACH], numbers[edge, BEFORE]
    for q in range(U(NODES)):
        absent = 1.0 - nodes[q]
        reached = absent * reach
        above = 1.0 / (absent * before + nodes[q])
        off = weights[q] * (1.0 - before) * above
        whole = reached + nodes[q]
        terms[at + q] = reached * above
        terms[at + U(NODES) + q] = whole * above
        terms[at + U(2 * NODES) + q] = -weights[q] / absent - off
        terms[at + U(3 * NODES) + q] = weights[q] * (1.0 - reach) * (1.0 / whole) - off


@kernel
def _descend(
    products: FloatArray,
    target: FloatArray,
    taken: FloatArray,
    terms: FloatArray,
    scaled: tuple[float, float],
    edge: Edge,
) -> None:
    """Write the products down to the edge into ``target``, times a leaf's value."""
    level, earlier, width = edge
    share, scale = scaled
    lost = share * scale
    here, above = level * width, earlier * width
    for q in range(U(NODES)):
        term = level * U(4 * NODES) + q
        yes, no = terms[term + U(NODES)] * scale, terms[term] * scale
        to = (level * U(NODES) + q) * width
        at = to - U(NODES) * width
        if earlier == U(0):
            for r in range(width):
                target[to + r] = products[at + r] * (yes if taken[here + r] > 0.5 else no)
        else:
            for r in range(width):
                factor = yes if taken[here + r] > 0.5 else no
                target[to + r] = products[at + r] * (factor if taken[above + r] > 0.5 else lost)


@kernel
def _gain(
    sums: FloatArray,
    taken: FloatArray,
    terms: FloatArray,
    totals: FloatArray,
    to: np.uint64,
    edge: Edge,
) -> None:
    """Add to the player's total at ``to`` what the leaves below the edge owe it to the edge."""
    level, earlier, width = edge
    n0, n1, n2, n3 = _four(terms, level * U(4 * NODES) + U(2 * NODES))
    y0, y1, y2, y3 = _four(terms, level * U(4 * NODES) + U(3 * NODES))
    here, above = level * width, earlier * width
    s0 = level * U(NODES) * width
    s1, s2, s3 = s0 + width, s0 + U(2) * width, s0 + U(3) * width
    for r in range(width):
        yes, so_far = taken[here + r] > 0.5, taken[above + r] > 0.5
        low = sums[s0 + r] * (y0 if yes else n0) + sums[s1 + r] * (y1 if yes else n1)
        high = sums[s2 + r] * (y2 if yes else n2) + sums[s3 + r] * (y3 if yes else n3)
        totals[to + r] += low + high if so_far else 0.0


@kernel
def _four(terms: FloatArray, at: np.uint64) -> tuple[float, float, float, float]:
    return terms[at], terms[at + U(1)], terms[at + U(2)], terms[at + U(3)]
