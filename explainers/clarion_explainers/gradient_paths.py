"""Straight paths between rows, and what the score's gradient says along them."""

from __future__ import annotations

import numpy as np

from clarion.arrays import FloatArray
from clarion.detectors import Differentiable
from clarion.kernels.sums import row_sums

CELLS = 1 << 18
"""Coordinates laid out at a time, 2 MiB."""
_POINTS = 1 << 12
"""Points whose gradients are asked for at a time: networks may be much wider than their inputs."""


def path_terms(
    detector: Differentiable, start: FloatArray, end: FloatArray, at: FloatArray
) -> FloatArray:
    """Return ``gradient * (end - start)`` where a path is ``at``, shape ``(k, d)``.

    Its integral over the path is what each coordinate's move adds to the score; the row's sums are
    the score's slopes along the paths.

    Parameters
    ----------
    start, end
        Coordinates, shapes ``(k, d)``, one path each.
    at
        Shape ``(k,)``, from 0 at the start to 1 at the end.
    """
    block = max(1, min(_POINTS, CELLS // max(1, end.shape[1])))
    parts = [np.empty((0, end.shape[1]))]
    for first in range(0, len(end), block):
        part = slice(first, first + block)
        step = end[part] - start[part]
        points = start[part] + at[part, None] * step
        parts.append(detector.gradients(np.ascontiguousarray(points)) * step)
    return np.concatenate(parts)


def shares(contributions: FloatArray) -> FloatArray:
    """Return each contribution's share of the row's, signs apart, shape ``(n, d)``; equal if all 0."""
    sizes = np.abs(contributions)
    largest = sizes.max(axis=1, initial=0.0)[:, None]
    # Sizes are compared to the largest: sums of huge ones would overflow.
    sizes = np.where(largest > 0, sizes / np.where(largest > 0, largest, 1.0), 1.0)
    return np.asarray(sizes / row_sums(np.ascontiguousarray(sizes))[:, None])


def summed_up(contributions: FloatArray, wanted: FloatArray) -> FloatArray:
    """Return contributions ``(n, d)`` that sum to ``wanted`` (n,), each row's gap shared out."""
    gap = wanted - row_sums(np.ascontiguousarray(contributions))
    return contributions + gap[:, None] * shares(contributions)
