"""What an edge of a tree means to a row: factors, and gains of the edge's player.

Each for three kinds of row: those that left the player's edges above, those that take them all down
to this one, and those that leave them here. The equations are in `tree_program` and `tree_shap`.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from clarion.arrays import FloatArray
from clarion.kernels.compiled import kernel
from clarion.kernels.tree_edges import (
    BEFORE,
    EARLIER,
    LEAF,
    LEVEL,
    LOSS,
    NODE,
    NODES,
    REACH,
    SHARE,
    VALUE,
    WEIGHT,
    is_pair,
)

LOST, YES, NO, GAIN_YES, GAIN_NO, INVERSE = range(0, 6 * NODES, NODES)
"""Places of an edge's terms, of four nodes each: factors of rows that left the player above, take the
edge, and leave it here; gains of the latter two (the first gain nothing); and ``1 / ((1 - t) z + t)``."""
TERMS = 6 * NODES
"""Terms of an edge."""
KEPT = 5 * NODES
"""Those kept: the first ones, for the last only serves to find those of edges below."""
_MOST_BYTES = 1 << 25
"""Terms of all edges that are kept at most, 32 MiB; those of larger forests are found as they are
needed, which takes a row on its own twice as long."""

U = np.uint64  # unsigned offsets: numba then leaves out the test for negative indices


def kept_terms(
    places: NDArray[np.uint32], numbers: FloatArray, rules: FloatArray, levels: int
) -> FloatArray:
    """Return the terms of all edges, ``(groups, n_edges * KEPT)``; of none where that is too much."""
    wanted = (len(rules), len(places) * KEPT)
    if 8 * math.prod(wanted) > _MOST_BYTES:
        return np.empty((len(rules), 0))
    terms = np.empty(wanted)
    _write_all(terms, places, numbers, rules, levels)
    return terms


@kernel
def _write_all(
    terms: FloatArray,
    places: NDArray[np.uint32],
    numbers: FloatArray,
    rules: FloatArray,
    levels: int,
) -> None:
    draft = np.ones((levels + 1) * TERMS)
    for group in range(len(rules)):
        for edge in range(len(places)):
            write_terms(draft, places, numbers, edge, rules[group])
            start = int(places[edge, LEVEL]) * TERMS
            for i in range(KEPT):
                terms[group, edge * KEPT + i] = draft[start + i]


@kernel
def write_terms(
    terms: FloatArray,
    places: NDArray[np.uint32],
    numbers: FloatArray,
    edge: int,
    rule: FloatArray,
) -> None:
    """Write an edge's terms at its level; those of the levels above are there (1 at level 0)."""
    if places[edge, LEAF] != 0:
        _weigh_leaves(terms, places, numbers, edge, rule)
    else:
        _weigh(terms, places, numbers, edge, rule)


@kernel
def _weigh(
    terms: FloatArray,
    places: NDArray[np.uint32],
    numbers: FloatArray,
    edge: int,
    rule: FloatArray,
) -> None:
    """Write the terms of an edge to an inner node."""
    reach, before, share = numbers[edge, REACH], numbers[edge, BEFORE], numbers[edge, SHARE]
    at = U(places[edge, LEVEL]) * U(TERMS)
    above = four(terms, U(places[edge, EARLIER]) * U(TERMS) + U(INVERSE))
    for q in range(U(NODES)):
        yes, no, gain_yes, gain_no, inverse = _terms(reach, before, above[q], rule, q)
        terms[at + U(LOST) + q] = share
        terms[at + U(YES) + q] = yes
        terms[at + U(NO) + q] = no
        terms[at + U(GAIN_YES) + q] = gain_yes
        terms[at + U(GAIN_NO) + q] = gain_no
        terms[at + U(INVERSE) + q] = inverse


@kernel
def _weigh_leaves(
    terms: FloatArray,
    places: NDArray[np.uint32],
    numbers: FloatArray,
    edge: int,
    rule: FloatArray,
) -> None:
    """Write the terms of an edge to a leaf; of a pair, both edges' terms added.

    Factors are times the leaf's value, and gains times that: what a product above is multiplied by.
    A row that takes one edge of a pair leaves the other.
    """
    reach, before, value = numbers[edge, REACH], numbers[edge, BEFORE], numbers[edge, VALUE]
    other_reach, other_value, lost = 0.0, 0.0, numbers[edge, SHARE] * value
    pair = is_pair(places, edge)
    if pair:
        other_reach, other_value = numbers[edge + 1, REACH], numbers[edge + 1, VALUE]
        lost += numbers[edge + 1, SHARE] * other_value
    at = U(places[edge, LEVEL]) * U(TERMS)
    above = four(terms, U(places[edge, EARLIER]) * U(TERMS) + U(INVERSE))
    for q in range(U(NODES)):
        yes, no, gain_yes, gain_no, _ = _terms(reach, before, above[q], rule, q)
        yes, no = yes * value, no * value
        gain_yes, gain_no = gain_yes * yes, gain_no * no
        if pair:
            taken, left, gain_taken, gain_left, _ = _terms(other_reach, before, above[q], rule, q)
            taken, left = taken * other_value, left * other_value
            yes, no = yes + left, no + taken
            gain_yes, gain_no = gain_yes + gain_left * left, gain_no + gain_taken * taken
        terms[at + U(LOST) + q] = lost
        terms[at + U(YES) + q] = yes
        terms[at + U(NO) + q] = no
        terms[at + U(GAIN_YES) + q] = gain_yes
        terms[at + U(GAIN_NO) + q] = gain_no


@kernel
def _terms(
    reach: float, before: float, above: float, rule: FloatArray, q: int
) -> tuple[float, float, float, float, float]:
    """Return the terms of node ``q`` but the first, for rows that did not leave the player above."""
    reached = (1.0 - rule[NODE, q]) * reach
    whole = reached + rule[NODE, q]
    inverse = 1.0 / whole
    off = rule[WEIGHT, q] * (1.0 - before) * above
    gain_yes = rule[WEIGHT, q] * (1.0 - reach) * inverse - off
    return whole * above, reached * above, gain_yes, rule[LOSS, q] - off, inverse


@kernel
def four(values: FloatArray, at: np.uint64) -> tuple[float, float, float, float]:
    """Return the four values from ``at`` on."""
    return values[at], values[at + U(1)], values[at + U(2)], values[at + U(3)]
