"""All figures of one score on one labelled frame."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np

from clarion.arrays import BoolArray, FloatArray
from clarion.errors import InvalidParameterError
from clarion.evaluation.events import EventFigures, NameRecall, event_figures, recall_by_name
from clarion.evaluation.metrics import Confusion, Ranking
from clarion.evaluation.volume import DEFAULT_WINDOW, Volume, volume
from clarion.features import rows_by_asset
from clarion.frames import Frame


@dataclass(frozen=True, slots=True, eq=False)
class Labelled:
    """Rows whose truth is known.

    Attributes
    ----------
    frame
        The rows; those of an asset in time order if ``ordered``.
    labels
        Shape ``(n,)``: True where a row is anomalous.
    names
        What each anomalous row is called (an attack); empty where nothing is known of names.
    ordered
        Whether the rows are in time order, so that events and volumes mean something.
    """

    frame: Frame
    labels: BoolArray
    names: tuple[str, ...] = ()
    ordered: bool = False

    def __post_init__(self) -> None:
        """Refuse labels or names that do not fit the rows."""
        for given, what in ((self.labels, "labels"), (self.names or self.labels, "names")):
            if len(given) != len(self.frame):
                raise InvalidParameterError(
                    f"{len(given)} {what} for {len(self.frame)} rows", field=what
                )

    def in_time_order(self) -> Labelled:
        """Return the rows sorted by time, where they are ordered and have a time."""
        if not self.ordered or self.frame.time is None:
            return self
        order = np.argsort(self.frame.time, kind="stable")
        names = tuple(self.names[i] for i in order) if self.names else ()
        return Labelled(self.frame.take(order), self.labels[order], names, self.ordered)


@dataclass(frozen=True, slots=True)
class Figures:
    """What a score and its alarms are worth; a figure that is not defined is NaN.

    Attributes
    ----------
    confusion
        Of the alarms, whose threshold comes from training data only.
    roc_auc, pr_auc
        Of the score, over all thresholds.
    recall_at_1_percent, recall_at_5_percent
        The best recall while at most so many normal rows raise an alarm.
    best_f1_upper_bound
        F1 at the best threshold for these very labels: an upper bound, never a result.
    volume
        VUS, the mean over assets; NaN where rows are not ordered.
    events
        None where rows are not ordered.
    recall_by_name
        Of the alarms, for each name of an anomaly.
    """

    confusion: Confusion
    roc_auc: float
    pr_auc: float
    recall_at_1_percent: float
    recall_at_5_percent: float
    best_f1_upper_bound: float
    volume: Volume
    events: EventFigures | None = None
    recall_by_name: Mapping[str, NameRecall] = field(default_factory=dict)

    @classmethod
    def of(cls, truth: Labelled, scores: FloatArray, alarms: BoolArray) -> Self:
        """Judge ``scores`` (n,), higher is stranger, and ``alarms`` (n,) against ``truth``."""
        ranking = Ranking.of(scores, truth.labels)
        ordered = truth.ordered
        return cls(
            confusion=Confusion.of(alarms, truth.labels),
            roc_auc=ranking.roc_auc(),
            pr_auc=ranking.average_precision(),
            recall_at_1_percent=ranking.recall_at(0.01),
            recall_at_5_percent=ranking.recall_at(0.05),
            best_f1_upper_bound=ranking.best_f1()[0],
            volume=_volume(truth, scores) if ordered else Volume(math.nan, math.nan),
            events=event_figures(truth.frame, alarms, truth.labels) if ordered else None,
            recall_by_name=recall_by_name(alarms, truth.labels, truth.names)
            if truth.names and truth.labels.any()
            else {},
        )

    def to_json(self) -> dict[str, Any]:
        """Return the figures by name, None where they are not defined."""
        counts = self.confusion
        values: dict[str, Any] = {
            "rows": counts.positives + counts.negatives,
            "anomalous_rows": counts.positives,
            "tpr": counts.recall,
            "fpr": counts.false_alarm_rate,
            "precision": counts.precision,
            "recall": counts.recall,
            "f1": counts.f1,
            "roc_auc": self.roc_auc,
            "pr_auc": self.pr_auc,
            "recall_at_1_percent": self.recall_at_1_percent,
            "recall_at_5_percent": self.recall_at_5_percent,
            "best_f1_upper_bound": self.best_f1_upper_bound,
            "vus_pr": self.volume.vus_pr,
            "vus_roc": self.volume.vus_roc,
        }
        if self.events is not None:
            values |= {f"event_{k}": v for k, v in dataclasses.asdict(self.events).items()}
        if self.recall_by_name:
            values["recall_by_name"] = {
                name: dataclasses.asdict(found) for name, found in self.recall_by_name.items()
            }
        return {name: defined(value) for name, value in values.items()}


def defined(value: Any) -> Any:
    """Return ``value``, or None where it is not a number: JSON has no NaN."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _volume(truth: Labelled, scores: FloatArray) -> Volume:
    """Return the mean volume over the assets that have rows of both classes."""
    volumes = [
        volume(scores[rows], truth.labels[rows], DEFAULT_WINDOW)
        for rows in rows_by_asset(truth.frame)
        if truth.labels[rows].any() and not truth.labels[rows].all()
    ]
    if not volumes:
        return Volume(math.nan, math.nan)
    return Volume(
        float(np.mean([found.vus_pr for found in volumes])),
        float(np.mean([found.vus_roc for found in volumes])),
    )
