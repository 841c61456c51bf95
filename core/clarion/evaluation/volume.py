"""VUS: volumes under the PR and ROC surfaces, for anomalies that last.

A label of a time series rarely begins and ends on the very row. So labelled segments get soft
flanks, of every width up to ``window``, and the areas under the curves are averaged over the widths.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from clarion.arrays import BoolArray, FloatArray, Int64Array
from clarion.evaluation.metrics import check_rows

THRESHOLDS = 250
"""Thresholds of each curve, at evenly spaced ranks of the scores: the authors' own number."""
DEFAULT_WINDOW = 100
"""Widest pair of flanks, in rows: half of it before and half of it behind each segment."""


@dataclass(frozen=True, slots=True)
class Volume:
    """``vus_pr`` and ``vus_roc``, in [0, 1]; NaN where no row is anomalous, or all are."""

    vus_pr: float
    vus_roc: float


def volume(scores: FloatArray, labels: BoolArray, window: int = DEFAULT_WINDOW) -> Volume:
    """Return the volumes of ``scores`` (n,) against ``labels`` (n,): one series, in time order.

    With ``h = l // 2`` rows of flank, a row ``k <= h`` rows off a segment has the soft label
    ``sqrt(1 - k / l)``. A threshold's recall is multiplied by the share of segments (those whose
    flanks overlap count as one) in which there was any alarm at all. Positives are the mean of the
    labelled rows and of the labelled rows with the called flanks, as in the authors' code
    (the paper's ``P_l`` counts flanks that were not called as well).

    References
    ----------
    Paparrizos, Boniol, Palpanas, Tsay, Elmore & Franklin (2022), Volume Under the Surface, PVLDB
    15(11), section 4; Liu & Paparrizos (2024), TSB-AD, NeurIPS.
    """
    check_rows(scores, labels)
    if labels.all() or not labels.any():
        return Volume(float("nan"), float("nan"))
    zone = _Zone.of(scores, labels, window)
    areas = np.array([zone.areas(width) for width in range(window + 1)])
    pr, roc = areas.mean(axis=0)
    return Volume(float(pr), float(roc))


@dataclass(frozen=True, slots=True, eq=False)
class _Zone:
    """What all widths share: segments, and the unlabelled rows that may lie in a flank.

    ``called`` counts the rows called at each threshold; ``rank`` is, of each row, the first
    threshold that calls it; ``near`` are the unlabelled rows within half the window of a segment,
    and ``gap`` their distance to the nearest one.
    """

    n: int
    first: Int64Array
    last: Int64Array
    called: Int64Array
    rank: Int64Array
    hits: FloatArray
    starts_before: Int64Array
    ends_before: Int64Array
    near: Int64Array
    gap: Int64Array

    @classmethod
    def of(cls, scores: FloatArray, labels: BoolArray, window: int) -> Self:
        n = len(scores)
        ascending = np.sort(scores)
        thresholds = ascending[n - 1 - np.linspace(0, n - 1, THRESHOLDS).astype(np.int64)]
        rank = np.searchsorted(-thresholds, -scores, side="left")
        edges = np.diff(labels.astype(np.int8), prepend=0, append=0)
        first, last = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1) - 1
        rows = np.arange(n)
        after = np.searchsorted(first, rows, side="right")
        behind = np.where(after > 0, rows - last[after - 1], n)
        ahead = np.where(after < len(first), first[np.minimum(after, len(first) - 1)] - rows, n)
        gap = np.minimum(behind, ahead)
        near = np.flatnonzero(~labels & (gap <= window // 2))
        return cls(
            n=n,
            first=first,
            last=last,
            called=n - np.searchsorted(ascending, thresholds, side="left"),
            rank=rank,
            hits=_cumulative(rank[labels], np.ones(int(labels.sum()))),
            starts_before=np.append(0, np.cumsum(edges[:n] == 1)),
            ends_before=np.append(0, np.cumsum(edges[1:] == -1)),
            near=near,
            gap=gap[near],
        )

    def areas(self, width: int) -> tuple[float, float]:
        """Return the areas under the PR and the ROC curve at one width of flanks."""
        rows, soft = self._flanks(width)
        flank_hits = _cumulative(self.rank[rows], soft)
        hits = self.hits + flank_hits
        positives = (2 * self.hits[-1] + flank_hits) / 2
        recall = np.minimum(hits / positives, 1.0) * self._existence(width // 2)
        precision = hits / self.called
        false_alarms = (self.called - hits) / (self.n - positives)
        area_pr = np.sum(np.diff(recall, prepend=0.0) * precision)
        curve = np.concatenate([[0.0], recall, [1.0]])
        area_roc = np.trapezoid(curve, np.concatenate([[0.0], false_alarms, [1.0]]))
        return float(area_pr), float(area_roc)

    def _flanks(self, width: int) -> tuple[Int64Array, FloatArray]:
        """Return the rows of the flanks, and their soft labels, in (0, 1]."""
        reach = width // 2
        inside = self.gap <= reach
        rows, gap = self.near[inside], self.gap[inside]
        low = np.maximum(rows - reach, 0)
        high = np.minimum(rows + reach + 1, self.n)
        behind = self.ends_before[rows] - self.ends_before[low]
        ahead = self.starts_before[high] - self.starts_before[rows]
        # A flank is at least sqrt(1/2) high, so two that overlap add up to more than 1, and are cut.
        soft = np.where(behind + ahead > 1, 1.0, np.sqrt(1.0 - gap / max(width, 1)))
        return rows, soft

    def _existence(self, reach: int) -> FloatArray:
        """Return, for each threshold, the share of segments with an alarm in them or their flanks."""
        apart = self.first[1:] - self.last[:-1] > 2 * reach
        first = np.maximum(self.first[np.append(True, apart)] - reach, 0)
        last = np.minimum(self.last[np.append(apart, True)] + reach, self.n - 1)
        bounds = np.column_stack([first, last + 1]).ravel()
        padded = np.append(self.rank, THRESHOLDS)  # reduceat takes no bound at the very end
        earliest = np.minimum.reduceat(padded, bounds)[::2]
        return _cumulative(earliest, np.ones(len(earliest))) / len(earliest)


def _cumulative(rank: Int64Array, weights: FloatArray) -> FloatArray:
    """Return, for each threshold, the sum of the weights of what it calls."""
    return np.cumsum(np.bincount(rank, weights, minlength=THRESHOLDS))
