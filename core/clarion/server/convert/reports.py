"""What an evaluation found, onto the wire."""

from __future__ import annotations

from clarion.evaluation.curves import Curve, Stretches
from clarion.evaluation.events import EventFigures
from clarion.evaluation.figures import Figures
from clarion.evaluation.identifiers import identifies
from clarion.evaluation.report import Report
from clarion.server.convert.numbers import bytes_of, defined
from clarion.server.convert.reliability import reliability_to_proto
from clarion.server.loaded import Loaded
from clarion_api.v1 import evaluation_pb2 as pb


def report_to_proto(report: Report, model: Loaded) -> pb.EvaluationReport:
    """Return the message of a report on ``model``."""
    pipeline = model.pipeline
    counts = report.figures.confusion
    return pb.EvaluationReport(
        model_version=model.ref.name,
        model_digest=model.ref.digest,
        calibration_id=pipeline.calibration.id,
        threshold=report.threshold,
        false_alarm_rate=report.false_alarm_rate,
        row_count=counts.positives + counts.negatives,
        anomalous_row_count=counts.positives,
        unscored_row_count=report.unscored_rows,
        ordered=report.truth.ordered,
        identifying_signals=[s.name for s in pipeline.signals if identifies(s.name)],
        baseline_row_count=len(pipeline.background),
        figures=[
            _figures(row.name, row.figures, baseline=place > 0)
            for place, row in enumerate(report.table)
        ],
        latency=pb.BatchLatency(
            batch_row_count=report.latency.batch_rows,
            batch_count=report.latency.batches,
            p50_seconds=report.latency.p50,
            p99_seconds=report.latency.p99,
        ),
        curve=_curve(Curve.of(report.ranking)),
        trace=_trace(report),
        reliability=reliability_to_proto(report.reliability, report.truth.frame.time),
    )


def _figures(name: str, figures: Figures, *, baseline: bool) -> pb.Figures:
    counts = figures.confusion
    return pb.Figures(
        name=name,
        baseline=baseline,
        true_positive_count=counts.true_positives,
        false_positive_count=counts.false_positives,
        recall=defined(counts.recall),
        false_alarm_rate=defined(counts.false_alarm_rate),
        precision=defined(counts.precision),
        f1=defined(counts.f1),
        roc_auc=defined(figures.roc_auc),
        pr_auc=defined(figures.pr_auc),
        vus_pr=defined(figures.volume.vus_pr),
        vus_roc=defined(figures.volume.vus_roc),
        recall_at_1_percent=defined(figures.recall_at_1_percent),
        recall_at_5_percent=defined(figures.recall_at_5_percent),
        best_f1_upper_bound=defined(figures.best_f1_upper_bound),
        events=None if figures.events is None else _events(figures.events),
        name_recalls=[
            pb.NameRecall(name=anomaly, row_count=found.rows, recall=found.recall)
            for anomaly, found in figures.recall_by_name.items()
        ],
    )


def _events(events: EventFigures) -> pb.EventFigures:
    return pb.EventFigures(
        true_event_count=events.true_events,
        alarm_event_count=events.alarm_events,
        recall=defined(events.recall),
        precision=defined(events.precision),
        delay_rows=defined(events.delay_rows),
        delay_seconds=defined(events.delay_seconds),
        alarms_per_asset_day=defined(events.alarms_per_asset_day),
        false_events_per_asset_day=defined(events.false_events_per_asset_day),
    )


def _curve(curve: Curve) -> pb.RankingCurve:
    return pb.RankingCurve(
        thresholds=bytes_of(curve.thresholds, "<f8"),
        recalls=bytes_of(curve.recall, "<f8"),
        false_alarm_rates=bytes_of(curve.false_alarm_rate, "<f8"),
        precisions=bytes_of(curve.precision, "<f8"),
    )


def _trace(report: Report) -> pb.ScoreTrace:
    found = Stretches.of(report.scores, report.alarms, report.truth.labels)
    times = report.truth.frame.time
    return pb.ScoreTrace(
        first_rows=found.first_rows.tolist(),
        event_times=b"" if times is None else bytes_of(times[found.first_rows], "<i8"),
        lowest_scores=bytes_of(found.lowest, "<f8"),
        highest_scores=bytes_of(found.highest, "<f8"),
        anomalous_row_counts=found.anomalous.tolist(),
        alarm_counts=found.alarms.tolist(),
    )
