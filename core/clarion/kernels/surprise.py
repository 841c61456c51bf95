"""How far single numbers depart from what a signal does when all is well, row by row."""

from __future__ import annotations

import math

import numpy as np

from clarion.arrays import FloatArray
from clarion.kernels.compiled import kernel

KNEE = 4.0
"""Deviations beyond which a departure grows like its logarithm: huge ones differ by little."""
CLIP = 3.0
"""Jump scales by which one row may pull a mean: an anomaly must not teach that it is usual."""
_MOST = 1e300
_SAME = 1e-9  # share of a constant's size that is rounding


@kernel
def squashed(deviation: float) -> float:
    """Return ``deviation``; beyond `KNEE` either way, KNEE plus KNEE times the logarithm of the ratio."""
    size = min(abs(deviation), _MOST)
    if size <= KNEE:
        return deviation
    return math.copysign(KNEE + KNEE * math.log(size / KNEE), deviation)


@kernel
def moments(values: FloatArray, size: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return mean and standard deviation of each column (n, d), as shares of ``size`` (d,), > 0.

    Where no number is larger than its column's size, no square overflows. NaN is left out; of a
    column of nothing else both are 0.
    """
    n, d = values.shape
    mean, deviation, count = np.zeros(d), np.zeros(d), np.zeros(d)
    for i in range(n):
        for j in range(d):
            if not math.isnan(values[i, j]):
                count[j] += 1.0
                mean[j] += (values[i, j] / size[j] - mean[j]) / count[j]
    for i in range(n):
        for j in range(d):
            if not math.isnan(values[i, j]):
                deviation[j] += (values[i, j] / size[j] - mean[j]) ** 2 / count[j]
    return mean, np.sqrt(deviation)


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
