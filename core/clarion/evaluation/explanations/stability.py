"""Stability: how much an explanation changes when its row hardly does.

Alvarez-Melis & Jaakkola (2018), On the robustness of interpretability methods, eq. 2.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import spearmanr

from clarion.arrays import FloatArray
from clarion.evaluation.explanations.subject import Subject, spread

RADIUS = 0.01
"""Of the ball around a row, in standard deviations of normal rows."""
_DRAWS = 4


@dataclass(frozen=True, slots=True)
class Stability:
    """What a step of a hundredth of a standard deviation does to contributions.

    Attributes
    ----------
    slope
        Median over rows of the largest ``|change of contributions| / |contributions|`` per standard
        deviation stepped: 0 is best.
    rank_correlation
        Median of Spearman's correlation of the contributions before and after: 1 is best.
    """

    slope: float
    rank_correlation: float


def stability(subject: Subject, rows: FloatArray, rng: np.random.Generator) -> Stability:
    """Explain rows ``(n, d)`` and some near each; NaN where nothing can be compared."""
    before = subject.explain(rows).contributions
    steps = [_steps(rows.shape, rng) for _ in range(_DRAWS)]
    scale = spread(subject.normal)
    after = [subject.explain(rows + step * scale).contributions for step in steps]
    slopes, correlations = [], []
    for i, own in enumerate(before):
        size = float(np.linalg.norm(own))
        changes = [
            (np.linalg.norm(a[i] - own), np.linalg.norm(s[i]))
            for a, s in zip(after, steps, strict=True)
        ]
        if size > 0:
            slopes.append(max(float(change / step) for change, step in changes) / size)
            correlations += [c for a in after if not np.isnan(c := rank_correlation(own, a[i]))]
    if not slopes:
        return Stability(float("nan"), float("nan"))
    agreed = float(np.median(correlations)) if correlations else float("nan")
    return Stability(float(np.median(slopes)), agreed)


def rank_correlation(one: FloatArray, other: FloatArray) -> float:
    """Return Spearman's correlation, in [-1, 1]; NaN for fewer than two or for constant values."""
    if len(one) < 2 or np.ptp(one) == 0 or np.ptp(other) == 0:
        return float("nan")
    return float(spearmanr(one, other).statistic)


def _steps(shape: tuple[int, ...], rng: np.random.Generator) -> FloatArray:
    """Return points drawn evenly from balls of `RADIUS`, one a row, shape ``(n, d)``."""
    direction = rng.standard_normal(shape)
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    return np.asarray(RADIUS * direction * rng.random((shape[0], 1)) ** (1.0 / shape[1]))
