"""Shrinkage: what a group's own rows say of it, and what is borrowed from all groups.

A group's estimate is pulled towards the pooled one by the credibility ``Z = n / (n + K)``, with
``K`` = the group's variance / variance between groups (Buehlmann (1967), ASTIN Bulletin 4, 199-207;
with a variance for each group, Efron & Morris (1975), JASA 70, 311-319): groups that differ little
share all, groups that differ much keep their own. The variance between groups is that of Paule & Mandel
(1982), Journal of Research of the NBS 87, 377-385. Variances are shrunk on the logarithm, the sampling law of
which is known: Smyth (2004), Statistical Applications in Genetics and Molecular Biology 3(1), article 3.
Rows that resemble the rows before them are worth less than they count: a group is then believed somewhat too
much.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import digamma, polygamma

from clarion.arrays import BoolArray, FloatArray, Int64Array

_SAME = 1e-12
"""Spread, as a share of a signal's size, that is rounding: it never moved."""
_NARROWEST = 0.01
"""No scale is below this share of its group's range, as in `clarion.inputs.robust_scale`."""
_HALVINGS = 60


@dataclass(frozen=True, slots=True, eq=False)
class Shrunk:
    """Estimates of all groups.

    Attributes
    ----------
    pooled
        What holds of a group of which nothing is known.
    between
        Variance of the groups' true values around it, >= 0.
    credibility
        Shape ``(n_groups,)``, in [0, 1]: how far each group was believed.
    values
        Shape ``(n_groups,)``: the estimates.
    """

    pooled: float
    between: float
    credibility: FloatArray
    values: FloatArray


def shrunk(means: FloatArray, noise: FloatArray) -> Shrunk:
    """Shrink groups' ``means`` towards that of all.

    Parameters
    ----------
    means, noise
        Shape ``(n_groups,)``: estimates and their sampling variances, > 0; an infinite one says that
        nothing is known of the group, whose mean is not looked at.
    """
    known = np.isfinite(noise)
    if not known.any():
        return Shrunk(0.0, 0.0, np.zeros(len(means)), np.zeros(len(means)))
    between = _between(means[known], noise[known])
    pooled, _ = _spread(means[known], noise[known] + between)
    credibility = between / (between + noise)
    apart = np.where(known, means, pooled) - pooled
    return Shrunk(pooled, between, credibility, pooled + credibility * apart)


def _between(means: FloatArray, noise: FloatArray) -> float:
    """Return the variance between groups with which their spread is just what is expected."""
    expected = len(means) - 1.0
    low, high = 0.0, float(len(means) * np.ptp(means) ** 2)
    if _spread(means, noise)[1] <= expected:
        return 0.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2.0
        if _spread(means, noise + middle)[1] > expected:
            low = middle
        else:
            high = middle
    return high


def _spread(means: FloatArray, variance: FloatArray) -> tuple[float, float]:
    """Return the weighted mean, and the sum of squares around it in units of the variances."""
    weights = 1.0 / variance
    middle = float((weights * means).sum() / weights.sum())
    return middle, float((weights * (means - middle) ** 2).sum())


@dataclass(frozen=True, slots=True, eq=False)
class Levels:
    """Where one signal lies in each group, and how widely; in its unit.

    Attributes
    ----------
    center, scale
        Shape ``(n_groups + 1,)``; the last is for rows of no group known. Scales are positive.
    unit
        The scale of a typical group.
    """

    center: FloatArray
    scale: FloatArray
    unit: float


def levels(column: FloatArray, starts: Int64Array) -> Levels:
    """Return the levels of one signal.

    Parameters
    ----------
    column
        Shape ``(n,)``: its cells, group after group; missing is NaN.
    starts
        Shape ``(n_groups,)``: where each group begins; none is empty.

    Notes
    -----
    The scale of a group is that of its next row: ``scale^2 = own^2 + (1 - Z) between``, the
    posterior predictive variance of the normal model, so that a center that is little known
    raises no alarms.
    """
    present = ~np.isnan(column)
    size = float(np.max(np.abs(column), initial=0.0, where=present)) or 1.0
    cells = np.where(present, column / size, 0.0)
    rows = np.add.reduceat(present.astype(np.float64), starts)
    means = np.add.reduceat(cells, starts) / np.maximum(rows, 1.0)
    lengths = np.diff([*starts.tolist(), len(column)])
    deviations = np.where(present, cells - np.repeat(means, lengths), 0.0)
    squares = np.add.reduceat(deviations**2, starts)
    rounding = squares <= rows * (_SAME * means) ** 2
    squares[rounding] = 0.0
    spans = np.where(rounding, 0.0, _spans(cells, present, starts))
    unit, own = _scales(squares, np.maximum(rows - 1.0, 0.0), spans)
    noise = np.maximum(own**2, _SAME**2) / np.where(rows > 0, rows, np.nan)
    center = shrunk(means, np.where(rows > 0, noise, np.inf))
    if not unit:
        unit = _NARROWEST * abs(center.pooled) or 1.0
        own = np.full(len(rows), unit)
    scale = np.sqrt(own**2 + (1.0 - center.credibility) * center.between)
    unseen = np.sqrt(unit**2 + center.between)
    return Levels(
        size * np.append(center.values, center.pooled), size * np.append(scale, unseen), size * unit
    )


def _spans(cells: FloatArray, present: BoolArray, starts: Int64Array) -> FloatArray:
    """Return the range of each group's present cells; 0 of none."""
    high = np.maximum.reduceat(np.where(present, cells, -np.inf), starts)
    low = np.minimum.reduceat(np.where(present, cells, np.inf), starts)
    return np.where(high >= low, high - low, 0.0)


def _scales(
    squares: FloatArray, freedom: FloatArray, spans: FloatArray
) -> tuple[float, FloatArray]:
    """Return the typical group's scale, and each group's; 0 where nothing ever moved."""
    own = np.sqrt(squares / np.maximum(freedom, 1.0))
    own = np.maximum(own, _NARROWEST * spans)
    # Nothing is known of how far a signal moves that never did: it is taken to move as in other groups.
    moves = (own > 0) & (freedom > 0)
    if not moves.any():
        return 0.0, own
    half = np.where(freedom > 0, freedom, 1.0) / 2.0
    # The log of a sample variance is off by digamma(d/2) - log(d/2), and varies by trigamma(d/2).
    logs = 2.0 * np.log(np.where(moves, own, 1.0)) - digamma(half) + np.log(half)
    found = shrunk(logs, np.where(moves, polygamma(1, half), np.inf))
    return float(np.exp(found.pooled / 2.0)), np.exp(found.values / 2.0)
