"""Correcting sampled contributions by what is known of their sum."""

from __future__ import annotations

import numpy as np

from clarion.arrays import FloatArray, Int64Array

_ROUNDING = 1e-24


def corrected(
    drawn: FloatArray, visited: Int64Array, rows: int, expected: float
) -> tuple[FloatArray, FloatArray]:
    """Return mean contributions that sum to ``expected``, and their standard errors, ``(d,)`` each.

    The sum of each estimate is a control variate of known mean: feature j is moved by its
    regression slope on the sum times the sum's error (Owen (2013), Monte Carlo theory, methods and
    examples, section 8.9). The slopes add up to 1, so the sum comes out right, and what the sum
    explains of the variance is gone. Where all have one sum, its error is shared equally, and
    counts in full as each feature's standard error.

    Background rows are a sample without repeats, and orders a sample within each (Cochran (1977),
    Sampling techniques, eq. 10.15): once all rows were visited, only the orders leave an error.

    Parameters
    ----------
    drawn
        Estimates against one background row each, shape ``(pairs, d)``.
    visited
        Which of the visited rows, from 0, each is against, shape ``(pairs,)``; some are repeated.
    rows
        Rows of the whole background.
    """
    unit = float(np.abs(drawn).max()) or 1.0  # squares of huge scores would overflow
    visits = np.bincount(visited)
    by_row = _means(drawn / unit, visited, visits)
    means, between = _regressed(by_row, expected / unit)
    within = ((drawn / unit - by_row[visited]) ** 2).sum(axis=0) / (len(drawn) - len(visits))
    fraction = len(visits) / rows
    variance = (1 - fraction) * between + fraction * within * np.mean(1 / visits) / len(visits)
    return unit * means, unit * np.sqrt(variance)


def _means(drawn: FloatArray, visited: Int64Array, visits: Int64Array) -> FloatArray:
    totals = np.zeros((len(visits), drawn.shape[1]))
    np.add.at(totals, visited, drawn)
    return totals / visits[:, None]


def _regressed(by_row: FloatArray, expected: float) -> tuple[FloatArray, FloatArray]:
    """Return regression estimates of the means, and their variances for a boundless background.

    The variances are MacKinnon & White's (1985) HC3, J. Econometrics 29(3): as by leaving out one
    row after the other, so that a slope fitted to few rows does not pass for certain.
    """
    k, d = by_row.shape
    mean = by_row.mean(axis=0)
    sums = by_row.sum(axis=1)
    off = expected - float(sums.mean())
    lever = sums - sums.mean()
    spread = float((lever**2).sum())
    if spread > _ROUNDING:
        slopes = (lever[:, None] * (by_row - mean)).sum(axis=0) / spread
        pull, weight = 1 / k + lever**2 / spread, 1 / k + lever * off / spread
        unseen = 0.0
    else:  # rows of other scores exist, if the sum is off, but were not drawn
        slopes, pull, weight = np.full(d, 1 / d), np.full(k, 1 / k), np.full(k, 1 / k)
        unseen = off**2
    left = by_row - mean - lever[:, None] * slopes
    missed = left / np.maximum(1 - pull, _ROUNDING)[:, None]
    return mean + slopes * off, ((weight[:, None] * missed) ** 2).sum(axis=0) + unseen
