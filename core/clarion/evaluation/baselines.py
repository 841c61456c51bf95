"""What every table shows beside a detector: doing nothing clever at all.

A detector that does not beat these adds nothing, and a metric on which they do well means nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from clarion.arrays import BoolArray, FloatArray
from clarion.frames import Frame
from clarion.inputs import robust_scale, scaled


@dataclass(frozen=True, slots=True, eq=False)
class Baseline:
    """Scores and alarms of something trivial, each of shape ``(n,)``."""

    name: str
    scores: FloatArray
    alarms: BoolArray


def baselines(
    train: Frame, test: Frame, false_alarm_rate: float, rng: np.random.Generator
) -> list[Baseline]:
    """Return ``always_alarm``, ``random`` and, where signals are numeric, ``zscore`` on ``test``.

    Parameters
    ----------
    train
        Normal rows; the threshold of ``zscore`` is their ``1 - false_alarm_rate`` quantile.
    false_alarm_rate
        Share of normal rows that may raise an alarm, in (0, 1).
    rng
        Draws the random scores.
    """
    n = len(test)
    noise = rng.random(n)
    found = [
        Baseline("always_alarm", np.zeros(n), np.ones(n, np.bool_)),
        Baseline("random", noise, noise >= 1.0 - false_alarm_rate),
    ]
    if train.of_kind(numeric=True):
        known, scores = _squared_z(train, test)
        threshold = np.quantile(known, 1.0 - false_alarm_rate)
        found.append(Baseline("zscore", scores, scores > threshold))
    return found


def _squared_z(train: Frame, test: Frame) -> tuple[FloatArray, FloatArray]:
    """Return the sum of squared z-scores of both frames' rows; a missing cell counts as the mean."""
    rows = np.asarray(train.values, np.float64)
    present = ~np.isnan(rows).all(axis=0)
    center, scale = robust_scale(rows[:, present])
    aligned = np.asarray(test.aligned_to(train.names).values, np.float64)
    known, unknown = (
        np.nan_to_num(np.square(scaled(values[:, present], center, scale))).sum(axis=1)
        for values in (rows, aligned)
    )
    return known, unknown
