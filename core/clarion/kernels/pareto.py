"""Shape of a generalised Pareto law, the law of what exceeds a high threshold."""

from __future__ import annotations

import numpy as np

from clarion.arrays import FloatArray


def pareto_shape(excesses: FloatArray, largest: float) -> float:
    """Return the shape by probability-weighted moments, kept in ``[0, largest]``.

    No bounded law is taken (shape < 0): beyond its end it would call p-values 0.

    Parameters
    ----------
    excesses
        Shape ``(m,)``, ascending, >= 0, m >= 1: by how much scores exceed a high threshold.
    largest
        In (0, 1); at 1 the law has no mean, and its fit by moments no meaning.

    References
    ----------
    Hosking & Wallis (1987), Technometrics 29(3), eq. 5.
    """
    n = len(excesses)
    exceeded = 1 - (np.arange(1, n + 1) - 0.35) / n
    mean, weighted = float(excesses.mean()), float((exceeded * excesses).mean())
    if mean <= 2 * weighted:
        return 0.0
    return float(np.clip(2 - mean / (mean - 2 * weighted), 0.0, largest))
