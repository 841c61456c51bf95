"""Links: increasing functions that put the scores of different detectors on one scale."""

from __future__ import annotations

import math

import numpy as np

from clarion.arrays import FloatArray
from clarion.kernels.compiled import kernel

LARGEST_SCORE = 1e300
"""Scores count up to here, so that links stay finite."""


@kernel
def surprise(
    scores: FloatArray,
    knots: FloatArray,
    values: FloatArray,
    head_scale: float,
    tail_scale: float,
    tail_shape: float,
) -> FloatArray:
    """Return -log p of each score, shape ``(n,)``: continuous, increasing, finite, >= 0.

    Parameters
    ----------
    scores
        Finite.
    knots, values
        -log p at the knots, both increasing; linear in between. Shape ``(m,)``, m >= 1.
    head_scale
        Below the first knot -log p fades out as ``exp(s / head_scale)``.
    tail_scale, tail_shape
        Above the last knot -log p grows like that of a generalised Pareto law, whose shape is >= 0.
    """
    out = np.empty(len(scores))
    last = len(knots) - 1
    for i in range(len(scores)):
        score = min(max(scores[i], -LARGEST_SCORE), LARGEST_SCORE)
        if score <= knots[0]:
            out[i] = values[0] * math.exp((score - knots[0]) / head_scale)
        elif score >= knots[last]:
            beyond = (score - knots[last]) / tail_scale
            grown = math.log1p(tail_shape * beyond) / tail_shape if tail_shape > 0.0 else beyond
            out[i] = values[last] + grown
        else:
            above = np.searchsorted(knots, score, side="right")
            low, high = knots[above - 1], knots[above]
            rise = (score - low) / (high - low) * (values[above] - values[above - 1])
            out[i] = min(values[above - 1] + rise, values[above])
    return out
