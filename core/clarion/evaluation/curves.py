"""A ranking and a score along the rows, cut down to few enough points to draw and to send."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from clarion.arrays import BoolArray, FloatArray, Int64Array
from clarion.evaluation.metrics import Ranking

MOST_POINTS = 500


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """A ranking at some of its thresholds, strictest first, each array of shape ``(k,)``.

    Attributes
    ----------
    thresholds
        Scores from which rows are called anomalous.
    recall, false_alarm_rate, precision
        In [0, 1] at each: ROC is ``recall`` over ``false_alarm_rate``.
    """

    thresholds: FloatArray
    recall: FloatArray
    false_alarm_rate: FloatArray
    precision: FloatArray

    @classmethod
    def of(cls, ranking: Ranking, most: int = MOST_POINTS) -> Self:
        """Return at most ``most`` points, half spread evenly along each rate, both ends among them.

        Even steps in the thresholds would miss the steep beginning, where few rows are anomalous.
        """
        recall, false_alarm_rate = ranking.recall, ranking.false_alarm_rate
        kept = np.arange(len(recall))
        if len(kept) > most:
            rates = (recall, false_alarm_rate)
            kept = np.unique(np.concatenate([_even(rate, most // 2) for rate in rates]))
        return cls(
            ranking.thresholds[kept],
            recall[kept],
            false_alarm_rate[kept],
            ranking.precision[kept],
        )


@dataclass(frozen=True, slots=True, eq=False)
class Stretches:
    """A score along rows cut into ``k`` stretches, each array of shape ``(k,)``.

    Attributes
    ----------
    first_rows
        The row that each stretch begins with.
    lowest, highest
        Of its scores.
    anomalous, alarms
        How many of its rows are labelled anomalous, and how many raised an alarm.
    """

    first_rows: Int64Array
    lowest: FloatArray
    highest: FloatArray
    anomalous: Int64Array
    alarms: Int64Array

    @classmethod
    def of(
        cls, scores: FloatArray, alarms: BoolArray, labels: BoolArray, most: int = MOST_POINTS
    ) -> Self:
        """Cut rows, n > 0 of them, into at most ``most`` stretches of about equal length.

        No peak, alarm or label is lost, as it would be by taking every so many rows.
        """
        n = len(scores)
        first_rows = np.linspace(0, n, min(n, most), endpoint=False).astype(np.int64)
        return cls(
            first_rows,
            np.minimum.reduceat(scores, first_rows),
            np.maximum.reduceat(scores, first_rows),
            np.add.reduceat(labels, first_rows, dtype=np.int64),
            np.add.reduceat(alarms, first_rows, dtype=np.int64),
        )


def _even(rate: FloatArray, count: int) -> Int64Array:
    """Return the first points at which a rising rate reaches ``count`` even steps, up to its last."""
    steps = np.linspace(rate[0], rate[-1], count)
    return np.append(np.searchsorted(rate, steps[:-1]), len(rate) - 1)
