"""How good scores are, where the truth is known."""

from __future__ import annotations

from dataclasses import dataclass

from clarion.arrays import BoolArray, FloatArray
from clarion.evaluation.metrics import Confusion, Ranking


@dataclass(frozen=True, slots=True)
class Judgement:
    """Scores against labels, row by row.

    Attributes
    ----------
    rows, positives
        Rows judged, and those of them labelled anomalous.
    roc_auc, pr_auc
        Area under ROC, and average precision: both of the ranking, whatever the threshold.
    detected
        Share of the labelled rows that were called anomalous.
    false_alarms
        Share of the normal rows that were called anomalous.
    """

    rows: int
    positives: int
    roc_auc: float
    pr_auc: float
    detected: float
    false_alarms: float


def judge(scores: FloatArray, anomalous: BoolArray, truth: BoolArray) -> Judgement | None:
    """Return how good scores are; None where all rows are of one kind, or there are none."""
    positives = int(truth.sum())
    if positives in (0, len(truth)):
        return None
    ranking, counted = Ranking.of(scores, truth), Confusion.of(anomalous, truth)
    return Judgement(
        len(truth),
        positives,
        ranking.roc_auc(),
        ranking.average_precision(),
        counted.recall,
        counted.false_alarm_rate,
    )
