"""Forests: many rows through many trees, level by level and without a branch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clarion.arrays import FloatArray
from clarion.detectors import Forest
from clarion.errors import ArtifactCorruptError
from clarion.kernels.compiled import kernel

_BLOCK = 64
"""Rows in flight: their waits for memory overlap. Measured best of 8 to 128."""


@dataclass(frozen=True, slots=True, eq=False)
class PackedForest:
    """A forest laid out for `leaf_means`: levels end to end, siblings side by side.

    Attributes
    ----------
    links
        Shape ``(n_nodes, 2)``: each node's left child, behind which is the right one, and its
        feature; a leaf is its own child.
    threshold, value
        Shape ``(n_nodes,)``, as in `Forest`, but rounded down to float32, and +inf at a leaf.
    n_trees, depth
        The first ``n_trees`` nodes are the roots; no leaf is deeper than ``depth``.
    """

    links: NDArray[np.uint32]
    threshold: NDArray[np.float32]
    value: FloatArray
    n_trees: int
    depth: int


def pack(forest: Forest, n_features: int) -> PackedForest:
    """Lay out ``forest``, whose rows have ``n_features`` values.

    Raises
    ------
    ArtifactCorruptError
        The nodes do not form trees, or read features that rows do not have.
    """
    require_trees(forest, n_features)
    levels, inner = [], forest.roots
    while len(inner):
        levels.append(inner)
        parents = inner[forest.left[inner] >= 0]
        inner = np.column_stack([forest.left[parents], forest.right[parents]]).ravel()
    order = np.concatenate(levels)
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    leaf = forest.left[order] < 0
    child = place[np.where(leaf, order, forest.left[order])]
    feature = np.where(leaf, 0, forest.feature[order])
    return PackedForest(
        links=np.column_stack([child, feature]).astype(np.uint32),
        threshold=np.where(leaf, np.float32(np.inf), _rounded_down(forest.threshold[order])),
        value=forest.value[order],
        n_trees=len(forest.roots),
        depth=len(levels) - 1,
    )


def require_trees(forest: Forest, n_features: int) -> None:
    """Raise ArtifactCorruptError unless the nodes form trees that read ``n_features`` at most."""
    inner = np.flatnonzero(forest.left >= 0)
    children = np.concatenate([forest.left[inner], forest.right[inner]])
    nodes = np.sort(np.concatenate([forest.roots, children]))
    trees = np.array_equal(nodes, np.arange(len(forest.left)))
    if not trees or (children <= np.tile(inner, 2)).any() or not len(forest.roots):
        raise ArtifactCorruptError("the nodes of the forest do not form trees")
    if ((forest.feature[inner] < 0) | (forest.feature[inner] >= n_features)).any():
        raise ArtifactCorruptError(f"the forest reads features beyond the {n_features} there are")


def _rounded_down(thresholds: FloatArray) -> NDArray[np.float32]:
    """Return the largest float32 not above each threshold: no float32 lies between the two."""
    with np.errstate(over="ignore"):
        nearest = thresholds.astype(np.float32)
    below = np.nextafter(nearest, np.float32(-np.inf))
    return np.where(nearest > thresholds, below, nearest).astype(np.float32)


def forest_scores(points: FloatArray, packed: PackedForest, forest: Forest) -> FloatArray:
    """Return ``offset + scale * mean leaf value`` of each row of ``points`` (n, d), shape ``(n,)``."""
    means = leaf_means(
        points,
        packed.links,
        packed.threshold,
        packed.value,
        packed.n_trees,
        packed.depth,
    )
    return forest.offset + forest.scale * means


@kernel
def leaf_means(
    points: FloatArray,
    links: NDArray[np.uint32],
    threshold: NDArray[np.float32],
    value: FloatArray,
    n_trees: int,
    depth: int,
) -> FloatArray:
    """Return the mean over the trees of the value of the leaf that each row reaches, ``(n,)``.

    Parameters
    ----------
    points
        Shape ``(n, d)``; compared as float32, so that beyond its range counts as infinite.
    links, threshold, value, n_trees, depth
        The fields of a `PackedForest`. Values are added in the order of the trees.
    """
    n, d = points.shape
    out = np.zeros(n)
    block = np.empty(d * _BLOCK, np.float32)
    node = np.empty(_BLOCK, np.uint32)
    # Unsigned offsets: numba then leaves out the test for negative indices.
    width = np.uint64(_BLOCK)
    for first in range(0, n, _BLOCK):
        rows = min(_BLOCK, n - first)
        for r in range(rows):
            for j in range(d):
                block[j * _BLOCK + r] = points[first + r, j]
        for tree in range(n_trees):
            for r in range(rows):
                node[r] = tree
            for _ in range(depth):
                for r in range(rows):
                    at = node[r]
                    cell = np.uint64(links[at, 1]) * width + np.uint64(r)
                    node[r] = links[at, 0] + (block[cell] > threshold[at])
            for r in range(rows):
                out[first + r] += value[node[r]]
    for i in range(n):
        out[i] /= n_trees
    return out
