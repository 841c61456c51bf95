"""Semi-factual: the farthest way back to normal that would not have cleared the alarm (SCIENCE 5)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from clarion.arrays import FloatArray

_POINTS, _ROUNDS = 32, 2
STEP = 1.0 / _POINTS**_ROUNDS
"""Width of the last bracket, as a share of the way: a thousandth."""


def farthest_anomalous(
    scores_at: Callable[[FloatArray], FloatArray], threshold: float, score: float
) -> tuple[float, float]:
    """Return the farthest share of the way that is still anomalous, in [0, 1), and its score.

    The way is cut into 32 parts, and the one behind the last anomalous point into 32 again: 62 points are
    scored. `STEP` further on the row is normal. Where the score rises and falls more often
    than that, a farther anomalous point may lie between two normal ones.

    Parameters
    ----------
    scores_at
        Shares in (0, 1), shape ``(t,)``, to scores.
    score
        The score at 0, not below ``threshold``; that at 1 is.
    """
    low, width = 0.0, 1.0
    for _ in range(_ROUNDS):
        width /= _POINTS
        shares: FloatArray = low + width * np.arange(1.0, _POINTS)
        scores = scores_at(shares)
        anomalous = np.flatnonzero(scores >= threshold)
        if len(anomalous):
            low, score = float(shares[anomalous[-1]]), float(scores[anomalous[-1]])
    return low, score
