"""How far single numbers depart from what a signal does when all is well, row by row."""

from __future__ import annotations

import math

import numpy as np

from clarion.arrays import BoolArray, FloatArray
from clarion.kernels.compiled import kernel

KNEE = 4.0
"""Deviations beyond which a departure grows like its logarithm: huge ones differ by little."""
CLIP = 3.0
"""Jump scales by which one row may pull a mean: an anomaly must not teach that it is usual."""
_MOST = 1e300
_SAME = 1e-9  # share of a constant's size that is rounding
_FLAT = 1e-9  # share of its precision that a signal keeps where the others all but fix it


@kernel
def squashed(deviation: float) -> float:
    """Return ``deviation``; beyond `KNEE` either way, KNEE plus KNEE times the logarithm of the ratio."""
    size = min(abs(deviation), _MOST)
    if size <= KNEE:
        return deviation
    return math.copysign(KNEE + KNEE * math.log(size / KNEE), deviation)


@kernel
def departures(
    values: FloatArray, center: FloatArray, scale: FloatArray, first: float
) -> FloatArray:
    """Return how far each value lies from ``center`` in units of ``scale``, squashed, (n, d).

    A scale of 0 means a signal that never moved: any other value is ``first`` away. NaN stays NaN.
    """
    n, d = values.shape
    out = np.empty((n, d))
    for i in range(n):
        for j in range(d):
            away = values[i, j] - center[j]
            if math.isnan(away):
                out[i, j] = math.nan
            elif scale[j] > 0:
                out[i, j] = squashed(away / scale[j])
            elif abs(away) > _SAME * abs(center[j]):
                out[i, j] = math.copysign(first, away)
            else:
                out[i, j] = 0.0
    return out


@kernel
def jumps(
    points: FloatArray, memory: FloatArray, spans: FloatArray, scales: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return each number's largest jump off its running means, the memory after, and squares.

    The mean over about ``w`` rows moves by ``2 / (w + 1)`` of each jump, which is first cut at
    `CLIP` scales (Huber's rule); while there are fewer rows it is their plain mean. A number with no
    row before it is as strange as it is far from 0.

    Parameters
    ----------
    points
        One asset's rows in order, shape ``(n, d)``; NaN where missing, which changes nothing.
    memory
        Shape ``(k + 1, d)``: the running means, and how many numbers made them.
    spans, scales
        Shapes ``(k,)``, rows; and ``(k, d)``: what a jump off each mean is divided by.

    Returns
    -------
    Shapes ``(n, d)``, NaN where missing; ``(k + 1, d)``; and ``(k, d)``, each mean's jumps squared
    and summed.
    """
    n, d = points.shape
    k = len(spans)
    out, after, squares = np.empty((n, d)), memory.copy(), np.zeros((k, d))
    per_scale, most, rates = 1.0 / scales, CLIP * scales, 2.0 / (spans + 1.0)
    for i in range(n):
        for j in range(d):
            point, seen = points[i, j], after[k, j]
            if math.isnan(point):
                out[i, j] = point
                continue
            if seen == 0:
                out[i, j] = abs(point)
                after[:k, j] = point
            else:
                largest, plain = 0.0, 1.0 / (seen + 1.0)
                for s in range(k):
                    jump = point - after[s, j]
                    squares[s, j] += jump * jump
                    largest = max(largest, abs(jump) * per_scale[s, j])
                    limited = min(max(jump, -most[s, j]), most[s, j])
                    after[s, j] += max(rates[s], plain) * limited
                out[i, j] = largest
            after[k, j] = seen + 1.0
    return out, after, squares


@kernel
def conditional(
    points: FloatArray, covariance: FloatArray, precision: FloatArray, sick: float
) -> FloatArray:
    """Return how far each number lies from what the healthy ones foretell, in its deviations.

    Each row's sick signals are found greedily: the one whose freeing lowers the squared Mahalanobis
    distance most, ``(P x)_j^2 / P_jj``, is taken out of the others' forecasts, until none lowers it
    by ``sick``. Every number is then held against the forecast of the healthy others alone.

    Parameters
    ----------
    points
        Rows around the mean, shape ``(n, d)``; NaN where missing.
    covariance, precision
        Shape ``(d, d)``: of the normal rows, and its inverse.

    Returns
    -------
    Shape ``(n, d)``, >= 0; NaN where missing.
    """
    n, d = points.shape
    out = np.empty((n, d))
    row, pull, freed = np.empty(d), np.empty(d), np.empty(d, np.bool_)
    for i in range(n):
        left = precision.copy()
        for j in range(d):
            freed[j] = math.isnan(points[i, j])
            row[j] = 0.0 if freed[j] else points[i, j]
            if freed[j]:
                _free(left, j)
        for _ in range(d // 2):
            strangest, most = _strangest(left, row, freed, pull)
            if most < sick:
                break
            freed[strangest] = True
            _free(left, strangest)
        _strangest(left, row, freed, pull)
        for j in range(d):
            if math.isnan(points[i, j]):
                out[i, j] = math.nan
            elif freed[j]:
                out[i, j] = _off_forecast(left, covariance[j], covariance[j, j], row, j)
            else:
                out[i, j] = math.sqrt(pull[j])
    return out


@kernel
def _free(precision: FloatArray, freed: int) -> None:
    """Take one signal out of a precision matrix in place: the others' own (Schur complement)."""
    d = len(precision)
    column, size = precision[freed].copy(), precision[freed, freed]
    for a in range(d):
        share = column[a] / size
        for b in range(d):
            precision[a, b] -= share * column[b]
    precision[freed, :] = 0.0
    precision[:, freed] = 0.0


@kernel
def _strangest(
    precision: FloatArray, row: FloatArray, freed: BoolArray, pull: FloatArray
) -> tuple[int, float]:
    """Write each signal's squared surprise given the others into ``pull``; return the largest."""
    place, most = 0, -1.0
    for j in range(len(row)):
        pull[j] = 0.0
        if freed[j]:
            continue
        total = 0.0
        for k in range(len(row)):
            total += precision[j, k] * row[k]
        pull[j] = total * total / precision[j, j]
        if pull[j] > most:
            place, most = j, pull[j]
    return place, most


@kernel
def _off_forecast(
    precision: FloatArray, covariances: FloatArray, variance: float, row: FloatArray, own: int
) -> float:
    """Return a freed number's distance from the forecast of those not freed, in its deviations."""
    forecast, known = 0.0, 0.0
    for a in range(len(row)):
        weight = 0.0
        for b in range(len(row)):
            weight += precision[a, b] * covariances[b]
        forecast += weight * row[a]
        known += weight * covariances[a]
    unknown = max(variance - known, _FLAT * variance)
    return abs(float(row[own]) - forecast) / math.sqrt(unknown)
