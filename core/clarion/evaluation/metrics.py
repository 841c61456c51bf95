"""Row by row metrics: what an alarm is worth at a threshold, and a score at all of them.

Where a figure is undefined (no anomalous or no normal row) it is NaN, never 0. No point adjustment
anywhere: with it a random score beats published detectors (Kim et al. 2022, AAAI, table 2).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from clarion.arrays import BoolArray, FloatArray, Int64Array
from clarion.errors import InvalidParameterError


@dataclass(frozen=True, slots=True)
class Confusion:
    """Rows counted by what was said of them and what they were.

    ``Confusion`` of parts of the data add up: ``a + b`` pools them.
    """

    true_positives: int
    false_positives: int
    true_negatives: int
    false_negatives: int

    @classmethod
    def of(cls, alarms: BoolArray, labels: BoolArray) -> Self:
        """Count ``alarms`` (n,) against ``labels`` (n,), True where a row is anomalous."""
        check_rows(alarms, labels)
        hits = int((alarms & labels).sum())
        raised, anomalous = int(alarms.sum()), int(labels.sum())
        return cls(hits, raised - hits, len(labels) - anomalous - raised + hits, anomalous - hits)

    def __add__(self, other: Confusion) -> Confusion:
        return Confusion(
            self.true_positives + other.true_positives,
            self.false_positives + other.false_positives,
            self.true_negatives + other.true_negatives,
            self.false_negatives + other.false_negatives,
        )

    @property
    def positives(self) -> int:
        """All anomalous rows."""
        return self.true_positives + self.false_negatives

    @property
    def negatives(self) -> int:
        """All normal rows."""
        return self.true_negatives + self.false_positives

    @property
    def recall(self) -> float:
        """Share of anomalous rows that raised an alarm, in [0, 1]: the true positive rate."""
        return ratio(self.true_positives, self.positives)

    @property
    def false_alarm_rate(self) -> float:
        """Share of normal rows that raised an alarm, in [0, 1]: the false positive rate, FAR."""
        return ratio(self.false_positives, self.negatives)

    @property
    def missing_alarm_rate(self) -> float:
        """Share of anomalous rows that raised none, in [0, 1]: MAR, ``1 - recall``."""
        return ratio(self.false_negatives, self.positives)

    @property
    def precision(self) -> float:
        """Share of alarms that were right, in [0, 1]; NaN where there was no alarm."""
        return ratio(self.true_positives, self.true_positives + self.false_positives)

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall, in [0, 1]; 0 where nothing was found."""
        wrong = self.false_positives + self.false_negatives
        return ratio(2 * self.true_positives, 2 * self.true_positives + wrong)


@dataclass(frozen=True, slots=True, eq=False)
class Ranking:
    """A score against labels, at every threshold that makes a difference.

    Attributes
    ----------
    thresholds
        Shape ``(m,)``, descending: the distinct scores; a row is called anomalous from there up.
    true_positives, false_positives
        Shape ``(m,)``: rows called anomalous at each threshold, by what they were.
    positives, negatives
        All anomalous rows, all normal rows.
    """

    thresholds: FloatArray
    true_positives: Int64Array
    false_positives: Int64Array
    positives: int
    negatives: int

    @classmethod
    def of(cls, scores: FloatArray, labels: BoolArray) -> Self:
        """Rank ``scores`` (n,), higher is stranger, against ``labels`` (n,).

        Raises
        ------
        InvalidParameterError
            No rows, unequal lengths, or a score that is not a number.
        """
        check_rows(scores, labels)
        if np.isnan(scores).any():
            raise InvalidParameterError("a score is not a number", field="scores")
        order = np.argsort(-scores, kind="stable")
        ranked, hits = scores[order], np.cumsum(labels[order], dtype=np.int64)
        last_of_ties = np.append(np.flatnonzero(np.diff(ranked)), len(ranked) - 1)
        found = hits[last_of_ties]
        positives = int(hits[-1])
        return cls(
            ranked[last_of_ties],
            found,
            last_of_ties + 1 - found,
            positives,
            len(labels) - positives,
        )

    @property
    def recall(self) -> FloatArray:
        """Shape ``(m,)``: the recall at each threshold."""
        return _share(self.true_positives, self.positives)

    @property
    def false_alarm_rate(self) -> FloatArray:
        """Shape ``(m,)``: the false alarm rate at each threshold."""
        return _share(self.false_positives, self.negatives)

    @property
    def precision(self) -> FloatArray:
        """Shape ``(m,)``: the precision at each threshold."""
        return np.asarray(self.true_positives / (self.true_positives + self.false_positives))

    def roc_auc(self) -> float:
        """Return the area under the ROC curve: the chance that an anomalous row outranks a normal one.

        Ties count half. NaN where there are rows of one class only.
        """
        if not (self.positives and self.negatives):
            return float("nan")
        recall = np.append(0.0, self.recall)
        return float(np.trapezoid(recall, np.append(0.0, self.false_alarm_rate)))

    def average_precision(self) -> float:
        """Return PR-AUC as average precision: the sum over thresholds of precision x gain in recall.

        No interpolation, which is too kind (Davis & Goadrich 2006, ICML, p. 236). Compare it with
        the share of anomalous rows, which a random score gets. NaN where none is anomalous.
        """
        if not self.positives:
            return float("nan")
        return float(np.sum(np.diff(self.recall, prepend=0.0) * self.precision))

    def best_f1(self) -> tuple[float, float]:
        """Return the largest F1 over all thresholds, and the threshold that gives it.

        An upper bound: it is chosen with the labels of the very rows it is reported on.
        """
        if not self.positives:
            return float("nan"), float("nan")
        called = self.true_positives + self.false_positives
        f1 = 2.0 * self.true_positives / (called + self.positives)
        best = int(np.argmax(f1))
        return float(f1[best]), float(self.thresholds[best])

    def recall_at(self, false_alarm_rate: float) -> float:
        """Return the largest recall whose false alarm rate is at most ``false_alarm_rate``.

        No interpolation between thresholds. NaN where there are rows of one class only.
        """
        if not (self.positives and self.negatives):
            return float("nan")
        allowed = np.flatnonzero(self.false_alarm_rate <= false_alarm_rate)
        return float(self.recall[allowed[-1]]) if len(allowed) else 0.0


def roc_auc(scores: FloatArray, labels: BoolArray) -> float:
    """Return `Ranking.roc_auc` of ``scores``."""
    return Ranking.of(scores, labels).roc_auc()


def average_precision(scores: FloatArray, labels: BoolArray) -> float:
    """Return `Ranking.average_precision` of ``scores``."""
    return Ranking.of(scores, labels).average_precision()


def ratio(part: float, whole: float) -> float:
    """Return ``part / whole``, NaN where ``whole`` is zero."""
    return part / whole if whole else float("nan")


def check_rows(of_rows: FloatArray | BoolArray, labels: BoolArray) -> None:
    """Raise InvalidParameterError unless both have the same length, above zero."""
    if of_rows.shape != labels.shape or labels.ndim != 1 or not len(labels):
        raise InvalidParameterError(
            f"an evaluation needs one label a row, and at least one row; there are "
            f"{len(of_rows)} rows and {len(labels)} labels",
            field="labels",
        )


def _share(counts: Int64Array, whole: int) -> FloatArray:
    return counts / whole if whole else np.full(len(counts), np.nan)
