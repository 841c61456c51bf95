"""Control charts and window statistics of single columns, each row from the rows up to it."""

from __future__ import annotations

import math

import numpy as np

from clarion.arrays import FloatArray
from clarion.kernels.compiled import kernel

_HIGHEST = 1e12
"""Cumulative sums stay below: far above any threshold, far from where additions lose a 1."""


@kernel
def cusum(points: FloatArray, slack: float, sums: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return Page's two-sided cumulative sums ``max(S+, S-)``, (n, d), and the last S+ and S-.

    ``S+_t = max(0, S+_{t-1} + u_t - slack)``, and S- likewise of ``-u`` (Page (1954), Biometrika
    41, section 3). ``sums`` has shape ``(2, d)``.
    """
    n, d = points.shape
    out = np.empty((n, d))
    last = sums.copy()
    for i in range(n):
        for j in range(d):
            last[0, j] = min(max(0.0, last[0, j] + points[i, j] - slack), _HIGHEST)
            last[1, j] = min(max(0.0, last[1, j] - points[i, j] - slack), _HIGHEST)
            out[i, j] = max(last[0, j], last[1, j])
    return out, last


@kernel
def page_hinkley(
    points: FloatArray, slack: float, memory: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return the two-sided Page-Hinkley statistic, (n, d), and the memory after the last row.

    The mean is the stream's own, so far: ``m_t = sum (u - mean - slack)`` above its least value so
    far, and likewise below (Hinkley (1971), Biometrika 58, section 3). ``memory`` has shape
    ``(6, d)``: rows so far, mean, and sum and extreme of either side.
    """
    n, d = points.shape
    out = np.empty((n, d))
    last = memory.copy()
    for i in range(n):
        for j in range(d):
            last[0, j] += 1.0
            last[1, j] += (points[i, j] - last[1, j]) / last[0, j]
            deviation = points[i, j] - last[1, j]
            last[2, j] += deviation - slack
            last[3, j] = min(last[3, j], last[2, j])
            last[4, j] += deviation + slack
            last[5, j] = max(last[5, j], last[4, j])
            out[i, j] = min(max(last[2, j] - last[3, j], last[5, j] - last[4, j]), _HIGHEST)
    return out, last


@kernel
def grubbs(points: FloatArray, window: int) -> FloatArray:
    """Return ``|u - mean| / sd`` of each row among the ``window`` rows up to it, ``(n - window + 1, d)``.

    Grubbs (1969), Technometrics 11(1), eq. 1: at most ``(window - 1) / sqrt(window)``. Rows that
    vary by less than 1e-9 count as equal.
    """
    n, d = points.shape
    out = np.empty((n - window + 1, d))
    for i in range(len(out)):
        for j in range(d):
            mean = 0.0
            for k in range(window):
                mean += points[i + k, j]
            mean /= window
            spread = 0.0
            for k in range(window):
                spread += (points[i + k, j] - mean) ** 2
            deviation = abs(points[i + window - 1, j] - mean)
            sd = math.sqrt(spread / (window - 1))
            out[i, j] = deviation / sd if sd > 1e-9 else 0.0
    return out


@kernel
def kolmogorov_smirnov(points: FloatArray, window: int, reference: FloatArray) -> FloatArray:
    """Return the distance of the last ``window`` rows' distribution from the reference's.

    The largest gap of the two empirical distribution functions, in [0, 1], times
    ``sqrt(window m / (window + m))`` (Smirnov (1948), Annals of Mathematical Statistics 19(2)).

    Parameters
    ----------
    points
        Shape ``(n, d)``; the result has shape ``(n - window + 1, d)``.
    reference
        Shape ``(d, m)``: sorted reference values of each column.
    """
    n, d = points.shape
    m = reference.shape[1]
    size = math.sqrt(window * m / (window + m))
    out = np.empty((n - window + 1, d))
    for i in range(len(out)):
        for j in range(d):
            recent = np.sort(points[i : i + window, j])
            seen, gap = 0, 0.0
            for k in range(window):
                while seen < m and reference[j, seen] < recent[k]:
                    seen += 1
                up_to = seen
                while up_to < m and reference[j, up_to] == recent[k]:
                    up_to += 1
                last = k
                while last + 1 < window and recent[last + 1] == recent[k]:
                    last += 1
                gap = max(gap, abs(seen / m - k / window), abs(up_to / m - (last + 1) / window))
            out[i, j] = size * gap
    return out
