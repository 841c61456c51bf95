"""Edges of trees, as rows of two tables: what kernels that walk trees have in common."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from clarion.arrays import FloatArray
from clarion.kernels.compiled import kernel

LEVEL, EARLIER, FEATURE, PLAYER, RIGHT, LEAF = range(6)
"""Columns of `TreeProgram.places`."""
THRESHOLD, SHARE, REACH, BEFORE, VALUE = range(5)
"""Columns of `TreeProgram.numbers`."""
NODE, WEIGHT, LOSS = range(3)
"""Rows of each of `TreeProgram.rules`."""
NODES = 4
"""Quadrature nodes worked on at a time."""


@kernel
def is_pair(places: NDArray[np.uint32], edge: int) -> bool:
    """Return whether the edge and the next are branches of one node that both lead to leaves."""
    if edge + 1 >= len(places) or places[edge, RIGHT] != 0 or places[edge + 1, RIGHT] == 0:
        return False
    leaves = places[edge, LEAF] != 0 and places[edge + 1, LEAF] != 0
    pair: bool = leaves and places[edge, LEVEL] == places[edge + 1, LEVEL]
    return pair


@kernel
def carry(sums: FloatArray, level: np.uint64, size: np.uint64, right: bool) -> None:
    """Add the ``size`` sums of a level to those of the level above; a left edge comes first."""
    here, above = level * size, (level - np.uint64(1)) * size
    if right:
        for i in range(size):
            sums[above + i] += sums[here + i]
    else:
        for i in range(size):
            sums[above + i] = sums[here + i]


def as_single(points: FloatArray) -> NDArray[np.float32]:
    """Return ``points`` in single precision, as trees compare them; infinite beyond its range."""
    with np.errstate(over="ignore"):
        return np.ascontiguousarray(points, np.float32)
