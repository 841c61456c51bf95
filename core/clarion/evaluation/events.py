"""Metrics of events: whether a trouble was noticed at all, how late, and at what price in alarms.

An event is a run of flagged rows of one asset, next to each other in that asset's rows. An alarm
event and a true event match if they share a row: no tolerance around either, no point adjustment.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from clarion.arrays import BoolArray, FloatArray, Int64Array
from clarion.evaluation.metrics import check_rows, ratio
from clarion.features import rows_by_asset
from clarion.frames import Frame

_NANOSECONDS_A_DAY = 86_400 * 10**9


@dataclass(frozen=True, slots=True, eq=False)
class Event:
    """One run of flagged rows: their numbers in the frame, in order, shape ``(k,)``."""

    rows: Int64Array

    @property
    def first(self) -> int:
        """The row it begins with."""
        return int(self.rows[0])


def events(frame: Frame, flags: BoolArray) -> list[Event]:
    """Return the runs of rows of one asset where ``flags`` (n,) is True, by first row."""
    found = []
    for rows in rows_by_asset(frame):
        edges = np.diff(flags[rows].astype(np.int8), prepend=0, append=0)
        bounds = zip(np.flatnonzero(edges == 1), np.flatnonzero(edges == -1), strict=True)
        found += [Event(rows[begin:end]) for begin, end in bounds]
    return sorted(found, key=lambda event: event.first)


@dataclass(frozen=True, slots=True)
class EventFigures:
    """Event by event, what became of the true events and of the alarms.

    Attributes
    ----------
    true_events, alarm_events
        How many there are.
    recall
        Share of true events in which there was an alarm.
    precision
        Share of alarm events that touch a true event; NaN where there was no alarm.
    delay_rows
        Median, over the true events noticed, of the rows from its first row to its first alarm.
    delay_seconds
        The same in seconds; NaN where rows have no time.
    alarms_per_asset_day
        Alarms (rows) a day and asset; NaN where rows have no time, or all the same.
    false_events_per_asset_day
        Alarm events that touch no true event, a day and asset.
    """

    true_events: int
    alarm_events: int
    recall: float
    precision: float
    delay_rows: float
    delay_seconds: float
    alarms_per_asset_day: float
    false_events_per_asset_day: float


def event_figures(frame: Frame, alarms: BoolArray, labels: BoolArray) -> EventFigures:
    """Return the figures of ``alarms`` (n,) against ``labels`` (n,); an asset's rows are in order."""
    check_rows(alarms, labels)
    truths, raised = events(frame, labels), events(frame, alarms)
    first_alarms = [(truth, truth.rows[alarms[truth.rows]]) for truth in truths]
    noticed = [(truth, int(rows[0])) for truth, rows in first_alarms if len(rows)]
    right = sum(bool(labels[event.rows].any()) for event in raised)
    days = asset_days(frame)
    return EventFigures(
        true_events=len(truths),
        alarm_events=len(raised),
        recall=ratio(len(noticed), len(truths)),
        precision=ratio(right, len(raised)),
        delay_rows=_median([int((truth.rows < row).sum()) for truth, row in noticed]),
        delay_seconds=_median(
            []
            if frame.time is None
            else [(frame.time[row] - frame.time[truth.first]) / 1e9 for truth, row in noticed]
        ),
        alarms_per_asset_day=ratio(int(alarms.sum()), days),
        false_events_per_asset_day=ratio(len(raised) - right, days),
    )


def asset_days(frame: Frame) -> float:
    """Return the days watched, summed over assets; 0 where rows have no time.

    Each row stands for the asset's median step, so that the last one counts too and gaps do not.
    """
    if frame.time is None:
        return 0.0
    total = 0.0
    for rows in rows_by_asset(frame):
        steps = np.diff(frame.time[rows])
        if len(steps):
            total += max(0.0, float(np.median(steps))) * len(rows)
    return total / _NANOSECONDS_A_DAY


@dataclass(frozen=True, slots=True)
class NameRecall:
    """How many anomalous rows of one name (an attack) there are, and the share that raised an alarm."""

    rows: int
    recall: float


def recall_by_name(
    alarms: BoolArray, labels: BoolArray, names: Sequence[str]
) -> dict[str, NameRecall]:
    """Return the recall of each name among the rows where ``labels`` (n,) is True, by name."""
    check_rows(alarms, labels)
    named = np.asarray(names, dtype=object)  # one long name does not make all of them long
    check_rows(named, labels)
    found, place = np.unique(named[labels], return_inverse=True)
    rows, caught = np.bincount(place), np.bincount(place, alarms[labels])
    return {
        str(name): NameRecall(int(count), float(hits / count))
        for name, count, hits in zip(found, rows, caught, strict=True)
    }


def _median(values: Sequence[float] | FloatArray) -> float:
    return float(np.median(values)) if len(values) else float("nan")
