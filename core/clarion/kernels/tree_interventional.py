"""SHAP values of forests for the interventional game: absent features come from background rows.

Against one background row a leaf of value v is worth v to a set of players where each player on its
path takes the path's branches: the explained row's values if present, else the background row's.
Let x stand for the players whose branches the explained row alone takes, b for those that only the
background row takes; the leaf counts only if no player takes them with neither. Then (Lundberg et
al. (2020), Nature Machine Intelligence 2, algorithm 3), with B the beta function::

    phi_j += v B(x, b + 1) for j among the x,   phi_j -= v B(x + 1, b) for j among the b

Sums of leaves are carried up, and players credited edge by edge, as in `tree_shap`.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.special import beta

from clarion.arrays import FloatArray, Int64Array
from clarion.kernels.compiled import kernel
from clarion.kernels.tree_edges import (
    EARLIER,
    FEATURE,
    LEAF,
    LEVEL,
    PLAYER,
    RIGHT,
    THRESHOLD,
    VALUE,
    as_single,
    carry,
)
from clarion.kernels.tree_program import TreeProgram

_MOST_LANES = 512
"""Background rows in flight, at most."""
_VECTOR = 8
"""Integers in the widest registers there are."""

U = np.uint64  # unsigned offsets: numba then leaves out the test for negative indices
Edge: TypeAlias = tuple[np.uint64, np.uint64, np.uint64]
"""Its level, the level of its player's last edge above (0 if none), and the number of lanes."""


def tree_interventional(
    points: FloatArray, background: FloatArray, program: TreeProgram
) -> FloatArray:
    """Return the mean over ``background`` (m, d) of the SHAP values of ``points`` (n, d), (n, k).

    They add up to the score less its mean over the background. Both are compared as float32. A row
    costs about 1.1 ns x background rows x edges, and gets the same bits in any batch. Memory: 16 KB
    a level, and 16 bytes for each pair of the most players on a path.
    """
    rows, absent = as_single(points), as_single(background)
    shares = _shares(program.most_players)
    out = np.zeros((len(rows), program.n_players))
    for first in range(0, len(absent), _MOST_LANES):
        _add(rows, absent[first : first + _MOST_LANES], program, shares, out)
    return out / len(absent)


def _shares(most: int) -> FloatArray:
    """Return ``B(x, b + 1)`` and ``B(x + 1, b)``, shape ``(2, most + 1, most + 2)``, by b and x.

    They are 0 for no player to credit, and in the last column: that of leaves that do not count.
    """
    others, own = np.meshgrid(np.arange(most + 1.0), np.arange(most + 2.0), indexing="ij")
    shares = np.stack([beta(own, others + 1), beta(own + 1, others)])
    shares[0, :, 0] = shares[1, 0] = shares[:, :, -1] = 0.0
    return shares


@kernel
def _add(
    rows: NDArray[np.float32],
    absent: NDArray[np.float32],
    program: TreeProgram,
    shares: FloatArray,
    out: FloatArray,
) -> None:
    """Add to ``out`` the SHAP values against each row of ``absent``, side by side in lanes."""
    m, d = absent.shape
    width = (m + _VECTOR - 1) // _VECTOR * _VECTOR
    cells = np.zeros(d * width)
    for r in range(m):
        for j in range(d):
            cells[j * width + r] = absent[r, j]
    totals = np.empty(out.shape[1] * width)
    for i in range(len(rows)):
        totals[:] = 0.0
        _walk(rows[i], m, program, shares, cells, totals)
        for j in range(out.shape[1]):
            for r in range(m):
                out[i, j] += totals[j * width + r]


@kernel
def _walk(
    row: NDArray[np.float32],
    m: int,
    program: TreeProgram,
    shares: FloatArray,
    cells: FloatArray,
    totals: FloatArray,
) -> None:
    """Walk all edges down and up with one row against ``m`` background rows.

    Of each level, ``present`` says whether the row takes all of the player's edges down to it, and
    ``absent`` whether each background row does; ``only`` counts the players whose edges only the
    row takes (one more than there can be: the leaves below do not count), ``others`` those whose
    edges it does not take; ``sums`` are of the leaves below, as either kind of player is owed. Where
    leaves count against no background row, the walk goes down no further than ``deepest``.
    """
    places, numbers = program.places, program.numbers
    width = U((m + _VECTOR - 1) // _VECTOR * _VECTOR)
    size = (program.levels + 1) * int(width)
    absent, only, sums = np.ones(size, np.int64), np.zeros(size, np.int64), np.zeros(2 * size)
    dead = shares.shape[2] - 1
    only[m : int(width)] = dead  # lanes that fill up
    present = np.ones(program.levels + 1, np.bool_)
    others = np.zeros(program.levels + 1, np.int64)
    open_at = np.zeros(program.levels + 1, np.uint64)
    n_edges = len(places)
    depth, deepest = U(0), U(program.levels)
    for edge in range(n_edges + 1):
        level = U(places[edge, LEVEL]) if edge < n_edges else U(1)
        if level > deepest:
            continue
        deepest = U(program.levels)
        while depth >= level:
            at = open_at[depth]
            left, to = (depth, U(places[at, EARLIER]), width), U(places[at, PLAYER]) * width
            if present[depth]:
                _credit(sums, absent, totals, to, left)
            elif present[places[at, EARLIER]]:
                _debit(sums, totals, to, left)
            carry(sums, depth, U(2) * width, places[at, RIGHT] != 0)
            depth -= U(1)
        if edge == n_edges:
            break
        right, earlier = places[edge, RIGHT] != 0, U(places[edge, EARLIER])
        goes_right = row[places[edge, FEATURE]] > numbers[edge, THRESHOLD]
        present[level] = present[earlier] and goes_right == right
        others[level] = others[level - U(1)] + (present[earlier] and not present[level])
        entered = (level, earlier, width)
        cell = U(places[edge, FEATURE]) * width
        _follow(cells, absent, cell, numbers[edge, THRESHOLD], right, entered)
        _count(absent, only, present[level], dead, entered)
        if not (present[level] or _counts(only, dead, entered)):
            deepest = level
            if not right:
                _clear(sums, level - U(1), width)
            continue
        if places[edge, LEAF] != 0:
            _collect(sums, only, shares, others[level], numbers[edge, VALUE], entered)
        open_at[level] = edge
        depth = level


@kernel
def _follow(
    cells: FloatArray,
    absent: Int64Array,
    cell: np.uint64,
    threshold: float,
    right: bool,
    edge: Edge,
) -> None:
    """Note which background rows take the edge, and all of its player's above."""
    level, earlier, width = edge
    here, above = level * width, earlier * width
    for r in range(width):
        absent[here + r] = absent[above + r] if (cells[cell + r] > threshold) == right else 0


@kernel
def _count(absent: Int64Array, only: Int64Array, present: bool, dead: int, edge: Edge) -> None:
    """Count the players whose edges only the row takes; ``dead`` where neither takes one's."""
    level, earlier, width = edge
    here, above, before = level * width, earlier * width, (level - U(1)) * width
    if present:
        for r in range(width):
            only[here + r] = min(only[before + r] + absent[above + r] - absent[here + r], dead)
    else:
        for r in range(width):
            only[here + r] = only[before + r] if absent[here + r] == 1 else dead


@kernel
def _counts(only: Int64Array, dead: int, edge: Edge) -> bool:
    """Return whether the leaves below count against any background row."""
    level, _, width = edge
    fewest = dead
    for r in range(width):
        fewest = min(fewest, only[level * width + r])
    return fewest < dead


@kernel
def _clear(sums: FloatArray, level: np.uint64, width: np.uint64) -> None:
    """Begin the sums of a level without the branch below it on the left."""
    start = level * U(2) * width
    for r in range(U(2) * width):
        sums[start + r] = 0.0


@kernel
def _collect(
    sums: FloatArray, only: Int64Array, shares: FloatArray, others: int, value: float, edge: Edge
) -> None:
    """Write what a leaf owes each player whose edges only the row takes, or does not."""
    level, _, width = edge
    here, to = level * width, level * U(2) * width
    for r in range(width):
        sums[to + r] = value * shares[0, others, only[here + r]]
        sums[to + width + r] = value * shares[1, others, only[here + r]]


@kernel
def _credit(
    sums: FloatArray, absent: Int64Array, totals: FloatArray, to: np.uint64, edge: Edge
) -> None:
    """Credit a player whose edges the row takes, where the background row left them here."""
    level, earlier, width = edge
    here, above, start = level * width, earlier * width, level * U(2) * width
    for r in range(width):
        totals[to + r] += sums[start + r] if absent[above + r] > absent[here + r] else 0.0


@kernel
def _debit(sums: FloatArray, totals: FloatArray, to: np.uint64, edge: Edge) -> None:
    """Debit a player whose edges the row left here."""
    level, _, width = edge
    start = (level * U(2) + U(1)) * width
    for r in range(width):
        totals[to + r] -= sums[start + r]
