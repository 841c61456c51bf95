"""Half-space trees: how many of the last rows lie where a row lies, learned row by row."""

from __future__ import annotations

import numpy as np

from clarion.arrays import FloatArray, Int64Array
from clarion.kernels.compiled import kernel

FEWEST = 0.1
"""Share of a window's rows below which a node is not looked into: Tan et al. (2011), section 4."""


@kernel
def half_space_terms(
    points: FloatArray,
    features: Int64Array,
    cuts: FloatArray,
    learned: tuple[FloatArray, FloatArray],
    fitted: FloatArray,
    limits: tuple[int, float],
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return each row's missing mass by feature (n, d), and masses and counts after the last.

    A row's mass, summed over the nodes on its way through a tree, counts a node k cuts down
    ``2^k``-fold, so that evenly spread rows give every node the same; what is less than that is
    missing. Each cut's part in it goes to the feature cut: the differences along the way telescope.
    A row is scored before it is learned from; every ``window`` rows their counts become the masses. A row
    whose missing mass is above ``gate``, of all features together, by the masses or by the ``fitted``
    ones, teaches nothing.

    Parameters
    ----------
    points
        Rows in order, shape ``(n, d)``.
    features, cuts
        Shape ``(trees, 2^h - 1)``: node i sends a row left, to ``2 i + 1``, where
        ``point[features[i]] < cuts[i]``, else right, to ``2 i + 2``.
    learned
        Masses and counts, of shape ``(trees, 2^(h + 1) - 1)``: shares of the last full window's rows in each node, and
        rows of the window under way, which a tree's root has seen all of.
    fitted
        Masses of where it all began, of the same shape.
    limits
        ``window``, >= 1, and ``gate``.
    """
    n, d = points.shape
    masses, counts = learned[0].copy(), learned[1].copy()
    trees, nodes = masses.shape
    height = int(np.log2(nodes + 1)) - 1
    terms = np.zeros((n, d))
    window, gate = limits
    for i in range(n):
        at_first = 0.0
        for t in range(trees):
            node, even, looking, looked = 0, 1.0, True, True
            for depth in range(height):
                feature = features[t, node]
                child = 2 * node + (1 if points[i, feature] < cuts[t, node] else 2)
                if looked:
                    here = fitted[t, node]
                    looked = here >= FEWEST
                    below = 2.0 * even * fitted[t, child] if looked else 0.0
                    at_first += (height - depth) * (even * here - below)
                if looking:
                    here = masses[t, node]
                    looking = here >= FEWEST
                    below = 2.0 * even * masses[t, child] if looking else 0.0
                    # What a cut lacks is lacking at all nodes further down, too.
                    terms[i, feature] += (height - depth) * (even * here - below)
                even *= 2.0
                node = child
        now = 0.0
        for j in range(d):
            terms[i, j] /= trees * (height + 1.0)
            now += terms[i, j]
        if now <= gate and at_first / (trees * (height + 1.0)) <= gate:
            _count(points[i], features, cuts, counts)
        if counts[0, 0] >= window:
            masses = counts / window
            counts[:] = 0.0
    return terms, masses, counts


@kernel
def _count(point: FloatArray, features: Int64Array, cuts: FloatArray, counts: FloatArray) -> None:
    """Count a row in every node on its way."""
    trees, nodes = counts.shape
    for t in range(trees):
        node = 0
        while node < nodes:
            counts[t, node] += 1.0
            if node >= cuts.shape[1]:
                break
            node = 2 * node + (1 if point[features[t, node]] < cuts[t, node] else 2)
