"""Trees as kernels of SHAP values walk them: edge by edge, down from the roots.

In the path-dependent game (Lundberg et al. (2020), Nature Machine Intelligence 2, algorithm 1) a
leaf of value v is worth ``v prod_k f_k`` to a set of players: over the players k on its path, f_k
is ``o_k`` if k is present (1 where the row takes all of k's branches, else 0) and ``z_k`` if absent
(the share of the training rows that take them). So it is a product game, and its SHAP values are
an integral over the multilinear extension (Owen (1972), Management Science 18(5), eq. 8)::

    phi_j = sum_leaves v (o_j - z_j) int_0^1 prod_{k != j} ((1 - t) z_k + t o_k) dt

of a polynomial in t, which Gauss-Legendre quadrature integrates exactly.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from clarion.arrays import FloatArray, Int64Array
from clarion.detectors import Forest
from clarion.kernels.compiled import kernel
from clarion.kernels.forest import require_trees
from clarion.kernels.product_shap import quadrature
from clarion.kernels.tree_edges import (
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
)
from clarion.kernels.tree_terms import kept_terms


class TreeProgram(NamedTuple):
    """The edges of a forest, each tree's in preorder: an edge is the branch into a node.

    Attributes
    ----------
    places
        Shape ``(n_edges, 6)``: the edge's level (1 below a root), the level of the last edge above
        that asks the same player (0 if none), feature and player asked, whether it is the branch of
        rows above the threshold, and whether it leads to a leaf.
    numbers
        Shape ``(n_edges, 5)``: threshold; share of the rows above that take the edge, by cover; the
        product of the shares of its player's edges, down to this one and (1 if none) without it;
        what the leaf adds to the score.
    rules
        Shape ``(groups, 3, 4)``: quadrature on [0, 1], exact for the most players on a path: nodes,
        weights, and ``-weight / (1 - node)``.
    terms
        Shape ``(groups, n_edges * KEPT)``: what `tree_terms` says of each edge; ``(groups, 0)``
        where that is too much to keep.
    levels, n_players, most_players
        The deepest level, the number of players, and how many distinct ones a path asks at most.
    base_value
        The score with every player absent: its mean over the trees' training rows.
    """

    places: NDArray[np.uint32]
    numbers: FloatArray
    rules: FloatArray
    terms: FloatArray
    levels: int
    n_players: int
    most_players: int
    base_value: float


def tree_program(forest: Forest, player_of_feature: Int64Array) -> TreeProgram:
    """Lay out ``forest`` for players 0 .. k - 1, ``player_of_feature`` of shape ``(d,)``.

    Raises
    ------
    ArtifactCorruptError
        The nodes do not form trees, or read features that rows do not have.
    """
    require_trees(forest, len(player_of_feature))
    n_edges = len(forest.left) - len(forest.roots)
    places = np.zeros((n_edges, 6), np.uint32)
    numbers = np.zeros((n_edges, 5))
    share = forest.scale / len(forest.roots)
    levels, most = _write_edges(_plain(forest), player_of_feature, share, places, numbers)
    players = int(player_of_feature.max(initial=-1)) + 1
    base = mean_over_cover(forest)
    rules = _rules(most)
    terms = kept_terms(places, numbers, rules, levels)
    return TreeProgram(places, numbers, rules, terms, levels, players, most, base)


def mean_over_cover(forest: Forest) -> float:
    """Return the score's mean over the trees' training rows: what it is worth without features."""
    tree = np.searchsorted(forest.roots, np.arange(len(forest.left)), side="right") - 1
    reach = forest.cover / forest.cover[forest.roots[tree]]
    leaves = forest.left < 0
    mean = math.fsum(forest.value[leaves] * reach[leaves]) / len(forest.roots)
    return forest.offset + forest.scale * mean


def _rules(most: int) -> FloatArray:
    """Return `TreeProgram.rules` for ``most`` players; nodes that fill up the last weigh nothing."""
    nodes, weights = quadrature(most)
    filler = -len(nodes) % NODES
    nodes, weights = np.pad(nodes, (0, filler), constant_values=0.5), np.pad(weights, (0, filler))
    rules = np.stack([nodes, weights, -weights / (1.0 - nodes)])
    return np.ascontiguousarray(rules.reshape(3, -1, NODES).transpose(1, 0, 2))


class _Trees(NamedTuple):
    """A `Forest`'s arrays, as kernels take them."""

    roots: Int64Array
    left: Int64Array
    right: Int64Array
    feature: Int64Array
    threshold: FloatArray
    value: FloatArray
    cover: FloatArray


def _plain(forest: Forest) -> _Trees:
    """Return the arrays contiguous and writable, so that there is one kind to compile for."""
    roots, left, right, feature = (
        np.array(column, np.int64)
        for column in (forest.roots, forest.left, forest.right, forest.feature)
    )
    threshold, value, cover = (
        np.array(column, np.float64) for column in (forest.threshold, forest.value, forest.cover)
    )
    return _Trees(roots, left, right, feature, threshold, value, cover)


@kernel
def _write_edges(
    trees: _Trees,
    player_of: Int64Array,
    share: float,
    places: NDArray[np.uint32],
    numbers: FloatArray,
) -> tuple[int, int]:
    """Fill the rows of ``places`` and ``numbers``; return the deepest level and most players."""
    latest = np.zeros(player_of.max() + 1 if len(player_of) else 1, np.int64)
    open_at = np.zeros(len(trees.left) + 1, np.int64)
    distinct = np.zeros(len(trees.left) + 1, np.int64)
    waiting = np.empty((len(trees.left) + 1, 3), np.int64)
    edge, levels, most, depth = 0, 0, 0, 0
    for root in trees.roots:
        count = _ask(trees, waiting, 0, root, 1)
        while count > 0:
            count -= 1
            node, parent, level = waiting[count, 0], waiting[count, 1], waiting[count, 2]
            while depth >= level:
                latest[places[open_at[depth], PLAYER]] = places[open_at[depth], EARLIER]
                depth -= 1
            player = player_of[trees.feature[parent]]
            earlier = latest[player]
            places[edge, LEVEL], places[edge, EARLIER] = level, earlier
            places[edge, FEATURE], places[edge, PLAYER] = trees.feature[parent], player
            places[edge, RIGHT] = trees.right[parent] == node
            places[edge, LEAF] = trees.left[node] < 0
            before = numbers[open_at[earlier], REACH] if earlier > 0 else 1.0
            taken = trees.cover[node] / trees.cover[parent] if trees.cover[parent] > 0.0 else 0.5
            numbers[edge, THRESHOLD], numbers[edge, SHARE] = trees.threshold[parent], taken
            numbers[edge, REACH], numbers[edge, BEFORE] = before * taken, before
            numbers[edge, VALUE] = share * trees.value[node]
            distinct[level] = distinct[level - 1] + (earlier == 0)
            levels, most = max(levels, level), max(most, distinct[level])
            open_at[level], latest[player], depth = edge, level, level
            count = _ask(trees, waiting, count, node, level + 1)
            edge += 1
    return levels, most


@kernel
def _ask(trees: _Trees, waiting: Int64Array, count: int, node: int, level: int) -> int:
    """Put the children of ``node``, if any, on the stack ``waiting``; return its new height."""
    if trees.left[node] < 0:
        return count
    for child in (trees.right[node], trees.left[node]):
        waiting[count, 0], waiting[count, 1], waiting[count, 2] = child, node, level
        count += 1
    return count
