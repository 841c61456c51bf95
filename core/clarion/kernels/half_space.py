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
    masses: FloatArray,
    counts: FloatArray,
    window: int,
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return each row's missing mass by feature (n, d), and masses and counts after the last.

    A row's mass, summed over the nodes on its way through a tree, counts a node k cuts down
    ``2^k``-fold, so that evenly spread rows give every node the same; what is less than that is
    missing. Each cut's part in it goes to the feature cut: the differences along the way telescope.
    A row is scored before it is learned from; every ``window`` rows their counts become the masses.

    Parameters
    ----------
    points
        Rows in order, shape ``(n, d)``.
    features, cuts
        Shape ``(trees, 2^h - 1)``: node i sends a row left, to ``2 i + 1``, where
        ``point[features[i]] < cuts[i]``, else right, to ``2 i + 2``.
    masses, counts
        Shape ``(trees, 2^(h + 1) - 1)``: shares of the last full window's rows in each node, and
        rows of the window under way, which a tree's root has seen all of.
    """
    n, d = points.shape
    trees, nodes = masses.shape
    height = int(np.log2(nodes + 1)) - 1
    terms = np.zeros((n, d))
    masses, counts = masses.copy(), counts.copy()
    for i in range(n):
        for t in range(trees):
            node, even, looking = 0, 1.0, True
            for depth in range(height):
                feature = features[t, node]
                child = 2 * node + (1 if points[i, feature] < cuts[t, node] else 2)
                counts[t, node] += 1.0
                if looking:
                    here = masses[t, node]
                    looking = here >= FEWEST
                    below = 2.0 * even * masses[t, child] if looking else 0.0
                    # What a cut lacks is lacking at all nodes further down, too.
                    terms[i, feature] += (height - depth) * (even * here - below)
                even *= 2.0
                node = child
            counts[t, node] += 1.0
        for j in range(d):
            terms[i, j] /= trees * (height + 1.0)
        if counts[0, 0] >= window:
            masses = counts / window
            counts[:] = 0.0
    return terms, masses, counts
