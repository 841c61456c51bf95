"""The score of the Numenta Anomaly Benchmark: early alarms inside wide windows, over a corpus.

It rewards the first alarm in each window, the more the earlier, and charges every alarm outside.
It is criticised for both (Wu & Keogh 2021, TKDE): give VUS-PR beside it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from clarion.arrays import BoolArray, FloatArray, Int64Array
from clarion.evaluation.metrics import ratio

PROBATION_SHARE = 0.15
"""Share of a series at its start where alarms do not count."""
PROBATION_ROWS = 750
"""It is never longer than this: 15 % of 5,000 rows."""


@dataclass(frozen=True, slots=True)
class Profile:
    """What a window noticed, an alarm outside and a window missed weigh."""

    true_positive: float
    false_positive: float
    false_negative: float


PROFILES = {
    "standard": Profile(1.0, 0.11, 1.0),
    "low_false_positives": Profile(1.0, 0.22, 1.0),
    "low_false_negatives": Profile(1.0, 0.11, 2.0),
}
"""The application profiles of NAB, config/profiles.json."""


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """One file of the corpus.

    Attributes
    ----------
    scores
        Shape ``(n,)``, comparable over the whole corpus: one threshold serves all of it.
    windows
        First and last row of each anomaly window, inclusive, in order and apart.
    """

    scores: FloatArray
    windows: Sequence[tuple[int, int]] = ()

    @property
    def probation(self) -> int:
        """Rows at the start that do not count."""
        return min(math.floor(PROBATION_SHARE * len(self.scores)), PROBATION_ROWS)


def nab_score(corpus: Sequence[Series], threshold: float, profile: Profile) -> float:
    """Return the score of ``corpus``, at most 100: 0 for silence, 100 for alarms at once, only there.

    NaN where no series has a window.

    References
    ----------
    Lavin & Ahmad (2015), Evaluating Real-time Anomaly Detection Algorithms, ICMLA, section II;
    the positions of rows in and behind windows as in NAB's ``sweeper.py``.
    """
    raw = sum(_raw(series, series.scores >= threshold, profile) for series in corpus)
    windows = sum(len(_counting(series)) for series in corpus)
    silent = -profile.false_negative * windows
    return 100.0 * ratio(raw - silent, profile.true_positive * windows - silent)


def best_nab_score(corpus: Sequence[Series], profile: Profile) -> tuple[float, float]:
    """Return the best score over all thresholds, and the threshold: how NAB's own table is made.

    An upper bound: the threshold is chosen with the labels of the series it is reported on.
    """
    changes = [_changes(series, profile) for series in corpus]
    thresholds = np.concatenate([at for at, _ in changes])
    gains = np.concatenate([gain for _, gain in changes])
    order = np.argsort(-thresholds, kind="stable")
    total = np.cumsum(gains[order])
    last_of_ties = np.append(np.diff(thresholds[order]) != 0, True)
    windows = sum(len(_counting(series)) for series in corpus)
    whole = (profile.true_positive + profile.false_negative) * windows
    if not whole:
        return float("nan"), float("nan")
    candidates = np.flatnonzero(last_of_ties)
    best = candidates[int(np.argmax(total[candidates]))]
    if total[best] <= 0.0:
        return 0.0, float("inf")
    return float(100.0 * total[best] / whole), float(thresholds[order][best])


def _raw(series: Series, alarms: BoolArray, profile: Profile) -> float:
    """Return the raw score of one series: windows found and missed, and alarms outside."""
    worth, window_of = _worth(series, profile)
    outside = alarms & (window_of < 0)
    outside[: series.probation] = False
    total = float(worth[outside].sum())
    for window in _counting(series):
        noticed = np.flatnonzero(alarms & (window_of == window) & _counted(series))
        total += float(worth[noticed[0]]) if len(noticed) else -profile.false_negative
    return total


def _changes(series: Series, profile: Profile) -> tuple[FloatArray, FloatArray]:
    """Return scores, and what the raw score gains as the threshold sinks to each of them."""
    worth, window_of = _worth(series, profile)
    outside = np.flatnonzero((window_of < 0) & _counted(series))
    thresholds, gains = [series.scores[outside]], [worth[outside]]
    for window in _counting(series):
        rows = np.flatnonzero((window_of == window) & _counted(series))
        by_score = rows[np.argsort(-series.scores[rows], kind="stable")]
        earned = np.maximum.accumulate(worth[by_score])
        thresholds.append(series.scores[by_score])
        gains.append(np.diff(earned, prepend=-profile.false_negative))
    return np.concatenate(thresholds), np.concatenate(gains)


def _worth(series: Series, profile: Profile) -> tuple[FloatArray, Int64Array]:
    """Return what an alarm in each row is worth, and the window that the row lies in (-1: none)."""
    n = len(series.scores)
    worth = np.full(n, -profile.false_positive)
    window_of = np.full(n, -1)
    for window, (first, last) in enumerate(series.windows):
        width = last - first + 1
        behind = np.arange(last + 1, n)
        past = (behind - last) / max(width - 1, 1)
        worth[behind] = profile.false_positive * np.where(past >= 3.0, -1.0, _sigmoid(past))
        inside = np.arange(first, last + 1)
        early = _sigmoid(-(last - inside + 1) / width) / _sigmoid(np.array([-1.0]))
        worth[inside] = profile.true_positive * early
        window_of[inside] = window
    return worth, window_of


def _sigmoid(position: FloatArray) -> FloatArray:
    """Return NAB's scaled sigmoid: near 1 at the window's left edge (-1), 0 at its right, then < 0."""
    return np.asarray(2.0 / (1.0 + np.exp(5.0 * position)) - 1.0)


def _counted(series: Series) -> BoolArray:
    return np.asarray(np.arange(len(series.scores)) >= series.probation)


def _counting(series: Series) -> list[int]:
    """Return which windows count: those not wholly inside the probation."""
    return [i for i, (_, last) in enumerate(series.windows) if last >= series.probation]
