"""The rank rule: which held-out score sets the threshold, and how many rows it takes."""

from __future__ import annotations

import math
from enum import StrEnum
from functools import lru_cache

from scipy import special

CERTAINTY = 0.95
"""How sure `Promise.CERTAIN` is, over the draw of the held-out rows."""
_MANY = 2.0**62
"""More rows than there are: keeps the inverse of a vanishing rate finite."""


class Promise(StrEnum):
    """What a threshold promises of the share of normal rows that reach it."""

    CERTAIN = "certain"
    """The rate is kept with 95 % certainty over the draw of the held-out rows."""
    AVERAGE = "average"
    """The rate is kept on average over the draw of the held-out rows."""


def rank(rate: float, rows: int, promise: Promise) -> int:
    """Return ``k``: a score above the ``k`` th largest of ``rows`` is an alarm; 0 where none keeps ``rate``.

    The share of normal rows above the k-th largest score has the law Beta(k, rows + 1 - k) (Vovk 2012,
    Asian Conference on Machine Learning, Proposition 2a). On average it is ``k / (rows + 1)``; to be
    certain, its 95 % quantile must not exceed ``rate``.
    """
    if promise is Promise.AVERAGE:
        return _average_rank(rate, rows)
    return _certain_rank(rate, rows)


def rows_needed(rate: float, promise: Promise = Promise.AVERAGE) -> int:
    """Return the fewest held-out rows that can promise ``rate``, in (0, 1)."""
    if promise is Promise.AVERAGE:
        inverse = max(2, round(min(1.0 / rate, _MANY)))
        return inverse - 1 if 1.0 / inverse <= rate else inverse
    needed = math.ceil(min(math.log1p(-CERTAINTY) / math.log1p(-rate), _MANY))
    while needed > 1 and _keeps(1, needed - 1, rate):
        needed -= 1
    return needed if _keeps(1, needed, rate) else needed + 1


def smallest_rate(rows: int, promise: Promise) -> float:
    """Return the smallest rate that ``rows`` held-out rows can promise, in (0, 1)."""
    if promise is Promise.AVERAGE:
        return 1.0 / (rows + 1)
    rate = -math.expm1(math.log1p(-CERTAINTY) / rows)
    while not _keeps(1, rows, rate):
        rate = math.nextafter(rate, 1.0)
    return rate


def _average_rank(rate: float, rows: int) -> int:
    """Return the largest ``k`` whose p-value ``k / (rows + 1)`` is, as a double, at most ``rate``."""
    nearest = round(rate * (rows + 1))
    return nearest if nearest / (rows + 1.0) <= rate else nearest - 1


@lru_cache(maxsize=1024)
def _certain_rank(rate: float, rows: int) -> int:
    low, high = 0, _average_rank(rate, rows) + 1
    while high - low > 1:
        middle = (low + high) // 2
        if _keeps(middle, rows, rate):
            low = middle
        else:
            high = middle
    return low


def _keeps(k: int, rows: int, rate: float) -> bool:
    """Return whether the 95 % quantile of Beta(k, rows + 1 - k) is at most ``rate``."""
    return bool(special.betainc(k, rows + 1 - k, rate) >= CERTAINTY)
