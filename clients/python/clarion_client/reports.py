"""What an evaluation found: figures of a model beside trivial baselines, and curves to draw."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from clarion_api.v1 import evaluation_pb2
from clarion_client.explanations import record, values_of
from clarion_client.faithfulness import ExplanationReport
from clarion_client.packed import floats, moments
from clarion_client.reliability import ReliabilityReport

FloatArray = NDArray[np.float64]
Int64Array = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class EventFigures:
    """What became of true events and of alarms; an event is an unbroken run of rows of one asset.

    Attributes
    ----------
    recall, precision
        Share of true events with an alarm in them; share of runs of alarms that touch a true event.
    delay_rows, delay_seconds
        Median, over the true events noticed, from its first row to its first alarm.
    alarms_per_asset_day, false_events_per_asset_day
        Alarms (rows), and runs of alarms that touch no true event, an asset and day.
    """

    true_event_count: int
    alarm_event_count: int
    recall: float | None
    precision: float | None
    delay_rows: float | None
    delay_seconds: float | None
    alarms_per_asset_day: float | None
    false_events_per_asset_day: float | None


@dataclass(frozen=True, slots=True)
class NameRecall:
    """How many anomalous rows of one name (an attack) there are, and the share that raised an alarm."""

    name: str
    row_count: int
    recall: float


@dataclass(frozen=True, slots=True)
class Figures:
    """What the scores and alarms of a model, or of a ``baseline``, are worth, row by row.

    All in [0, 1], and None where it is not defined. There is no point adjustment.

    Attributes
    ----------
    recall, false_alarm_rate
        TPR and FPR at the threshold.
    roc_auc, pr_auc
        Of the ranking, whatever the threshold; a random score has 0.5, and the share of anomalous
        rows.
    vus_pr, vus_roc
        Volumes under the surfaces; None without time order.
    recall_at_1_percent, recall_at_5_percent
        The best recall while at most so many normal rows raise an alarm.
    best_f1_upper_bound
        F1 at the best threshold for these very labels: an upper bound, never a result.
    events
        None without time order.
    name_recalls
        Recall of each name of an anomaly, by name.
    """

    name: str
    baseline: bool
    true_positive_count: int
    false_positive_count: int
    recall: float | None
    false_alarm_rate: float | None
    precision: float | None
    f1: float | None
    roc_auc: float | None
    pr_auc: float | None
    vus_pr: float | None
    vus_roc: float | None
    recall_at_1_percent: float | None
    recall_at_5_percent: float | None
    best_f1_upper_bound: float | None
    events: EventFigures | None
    name_recalls: tuple[NameRecall, ...]

    @classmethod
    def of(cls, message: evaluation_pb2.Figures) -> Self:
        """Return the figures of a message."""
        values = values_of(cls, message)
        if values["events"] is not None:
            values["events"] = record(EventFigures, message.events)
        values["name_recalls"] = tuple(record(NameRecall, m) for m in message.name_recalls)
        return cls(**values)


@dataclass(frozen=True, slots=True)
class Latency:
    """Seconds that a batch of rows took to score: median and 99th percentile over batches."""

    batch_row_count: int
    batch_count: int
    p50_seconds: float
    p99_seconds: float


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """The model's score at the thresholds that make a difference, strictest first; at most 500.

    Each array has shape ``(k,)``; ROC is ``recalls`` over ``false_alarm_rates``.
    """

    thresholds: FloatArray
    recalls: FloatArray
    false_alarm_rates: FloatArray
    precisions: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Trace:
    """The model's score along the rows, in time order, cut into at most 500 stretches of rows.

    Attributes
    ----------
    first_rows, event_times
        Shape ``(k,)``: place of each stretch's first row, and when it was observed (UTC; None where
        rows have no times).
    lowest_scores, highest_scores
        Shape ``(k,)``: of the stretch.
    anomalous_row_counts, alarm_counts
        Shape ``(k,)``: its anomalous rows by the labels, and its alarms.
    """

    first_rows: Int64Array
    event_times: NDArray[np.datetime64] | None
    lowest_scores: FloatArray
    highest_scores: FloatArray
    anomalous_row_counts: Int64Array
    alarm_counts: Int64Array

    @classmethod
    def of(cls, message: evaluation_pb2.ScoreTrace) -> Self:
        """Return the trace of a message."""
        return cls(
            np.array(message.first_rows, np.int64),
            moments(message.event_times),
            floats(message.lowest_scores),
            floats(message.highest_scores),
            np.array(message.anomalous_row_counts, np.int64),
            np.array(message.alarm_counts, np.int64),
        )


@dataclass(frozen=True, slots=True, eq=False)
class EvaluationReport:
    """How a model did on labelled rows.

    Attributes
    ----------
    model_version, model_digest, calibration_id
        What was judged.
    threshold, false_alarm_rate
        The smallest score that raises an alarm, from held-out training rows only, and the rate
        that set it.
    row_count, anomalous_row_count, unscored_row_count
        Rows judged; those labelled anomalous; those without enough history to be scored, which
        raise no alarm and rank last.
    ordered
        Whether rows were judged in time order.
    identifying_signals
        Signals of the model that look like addresses, ports or identifiers: with them its figures
        promise nothing elsewhere.
    baseline_row_count
        Training rows that the baseline ``zscore`` knows.
    figures
        The model's first, then ``always_alarm``, ``random`` and (of numeric signals) ``zscore``.
    explanations
        How far its explanations can be trusted; None unless asked for.
    reliability
        Whether the false-alarm rate was kept on the normal rows; None from a server that does not say.
    """

    model_version: str
    model_digest: str
    calibration_id: str
    threshold: float
    false_alarm_rate: float
    row_count: int
    anomalous_row_count: int
    unscored_row_count: int
    ordered: bool
    identifying_signals: tuple[str, ...]
    baseline_row_count: int
    figures: tuple[Figures, ...]
    latency: Latency
    curve: Curve
    trace: Trace
    explanations: ExplanationReport | None
    reliability: ReliabilityReport | None

    @classmethod
    def of(cls, message: evaluation_pb2.EvaluationReport) -> Self:
        """Return the report of a message."""
        values, curve = values_of(cls, message), message.curve
        values["identifying_signals"] = tuple(message.identifying_signals)
        values["figures"] = tuple(map(Figures.of, message.figures))
        values["latency"] = record(Latency, message.latency)
        values["curve"] = Curve(
            floats(curve.thresholds),
            floats(curve.recalls),
            floats(curve.false_alarm_rates),
            floats(curve.precisions),
        )
        values["trace"] = Trace.of(message.trace)
        if message.HasField("explanations"):
            values["explanations"] = ExplanationReport.of(message.explanations)
        if message.HasField("reliability"):
            values["reliability"] = ReliabilityReport.of(message.reliability)
        return cls(**values)
