"""Tests of a stream's p-values, row by row: levels that keep a false-discovery rate, bets against chance."""

from __future__ import annotations

import numpy as np

from clarion.arrays import BoolArray, FloatArray, Int64Array
from clarion.kernels.compiled import kernel

BETS = 19
"""Power bets ``e p^(e - 1)`` with e = 0.05, 0.10, ... 0.95."""
_STEP = 0.05
_TINY = 1e-100


@kernel
def lord_levels(
    p_values: FloatArray,
    first: FloatArray,
    regained: FloatArray,
    tested: int,
    rejected: Int64Array,
    kept: int,
) -> tuple[FloatArray, BoolArray, Int64Array, int]:
    """Return each test's level, what was rejected, the rejections to remember and how many more fell out.

    The level of test t is ``first[t - 1]`` (the last entry once there are no more) plus ``regained[l - 1]``
    for each remembered rejection l tests ago. A rejection is forgotten once ``regained`` ends, or once
    ``kept`` younger ones are there, which is counted; without it levels are lower, so no promise breaks.

    Parameters
    ----------
    p_values
        Shape ``(n,)``, in the order of the tests.
    first, regained
        Shapes ``(h,)`` and ``(k,)``, h, k >= 1.
    tested, rejected
        Tests before these; numbers of those rejected and remembered, ascending.
    """
    n, horizon, reach = len(p_values), len(first), len(regained)
    ring = np.empty(kept, np.int64)
    start, count, fallen = 0, 0, 0
    for number in rejected:
        ring[count] = number
        count += 1
    levels, flags = np.empty(n), np.zeros(n, np.bool_)
    for i in range(n):
        now = tested + i
        level = first[min(now, horizon - 1)]
        while count > 0 and now - ring[start] > reach:
            start, count = (start + 1) % kept, count - 1
        for k in range(count):
            level += regained[now - ring[(start + k) % kept] - 1]
        levels[i] = level
        if p_values[i] <= level:
            flags[i] = True
            if count == kept:
                start, count, fallen = (start + 1) % kept, count - 1, fallen + 1
            ring[(start + count) % kept] = now
            count += 1
    left = np.empty(count, np.int64)
    for k in range(count):
        left[k] = ring[(start + k) % kept]
    return levels, flags, left, fallen


@kernel
def sequential_p_values(
    bins: Int64Array, calibration_rows: int, seen: Int64Array, rows: int
) -> tuple[FloatArray, Int64Array]:
    """Return each row's rank among the calibration rows and all rows before it, as a p-value.

    Parameters
    ----------
    bins
        Shape ``(n,)``, in [1, b]: frozen p-values, rounded up to whole ``1 / b``.
    calibration_rows
        How many there are: ``calibration_rows + 1`` spread evenly over the bins.
    seen
        Shape ``(b + 1,)``: a Fenwick tree over the bins of the rows before (Fenwick, 1994).
    rows
        How many rows came before.

    Returns
    -------
    Shape ``(n,)``, in (0, 1]: who shares a bin counts as at least as strange, so that it never is
    smaller than the rank's own. And the tree after them.
    """
    n, b = len(bins), len(seen) - 1
    out, seen = np.empty(n), seen.copy()
    share = (calibration_rows + 1.0) / b
    for i in range(n):
        stranger, at = 0, bins[i]
        while at > 0:
            stranger += seen[at]
            at -= at & -at
        out[i] = min(1.0, (bins[i] * share + stranger) / (calibration_rows + 1.0 + rows + i))
        at = bins[i]
        while at <= b:
            seen[at] += 1
            at += at & -at
    return out, seen


@kernel
def place_bets(
    p_values: FloatArray, capital: FloatArray, prior: FloatArray, moved: float, scale: float
) -> tuple[FloatArray, FloatArray, float]:
    """Return the logarithm (base 10) of all capital after each row, the capital after the last, its scale.

    ``capital[0]`` is cash; ``capital[k]`` bets by ``e p^(e - 1)``, e = k / 20, whose mean is 1 for
    uniform p. After each row a share ``moved`` of everything is spread anew as ``prior`` says.

    Parameters
    ----------
    p_values
        Shape ``(n,)``, in (0, 1].
    capital, prior
        Shape ``(BETS + 1,)``, > 0.
    scale
        Power of ten that ``capital`` is to be multiplied by: it never overflows.
    """
    n = len(p_values)
    totals, capital = np.empty(n), capital.copy()
    for i in range(n):
        root, power, total = p_values[i] ** -_STEP, 1.0, capital[0]
        for k in range(BETS, 0, -1):
            power *= root
            capital[k] *= _STEP * k * power
            total += capital[k]
        for k in range(BETS + 1):
            capital[k] = (1.0 - moved) * capital[k] + moved * total * prior[k]
        totals[i] = np.log10(total) + scale
        if total > 1.0 / _TINY or total < _TINY:
            capital /= total
            scale += np.log10(total)
    return totals, capital, scale
