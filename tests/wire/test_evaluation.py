"""Evaluations over the wire: figures as scikit-learn has them, baselines in each, bad input typed."""

from __future__ import annotations

import signal
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import numpy as np
import pytest
from google.longrunning import operations_pb2 as ops
from scipy import stats
from sklearn import metrics

from clarion_api.v1 import evaluation_pb2 as reports
from clarion_api.v1 import frame_pb2, models_pb2

Code = grpc.StatusCode
HOUR = 3_600_000_000_000
BASELINES = ["always_alarm", "random", "zscore"]


class Labelled:
    """600 rows with three events, of two names; the second event shows in one row only."""

    labels = np.zeros(600, bool)
    labels[100:130] = labels[300:350] = labels[500:520] = True
    names = np.where(np.arange(600) < 400, "leak", "clog")
    rows = np.random.default_rng(11).normal(size=(600, 3))
    rows[100:130] += [4.0, -4.0, 0.0]
    rows[325] += 9.0
    rows[500:520] += 2.0
    times = (np.arange(600) * HOUR).astype("<i8")


def ask(server: Any, wire: Any, **changes: Any) -> ops.Operation:
    frame = wire.matrix(Labelled.rows, event_times=Labelled.times.tobytes())
    request: dict[str, Any] = {
        "model": "models/pump",
        "frame": frame,
        "labels": Labelled.labels.astype("u1").tobytes(),
    }
    operation: ops.Operation = server.models.EvaluateModel(
        models_pb2.EvaluateModelRequest(**(request | changes)), timeout=60
    )
    return operation


def report_of(server: Any, operation: ops.Operation) -> reports.EvaluationReport:
    done = server.wait(operation.name)
    assert not done.HasField("error"), done.error
    report = reports.EvaluationReport()
    assert done.response.Unpack(report)
    return report


def words(names: Any) -> frame_pb2.Words:
    vocabulary, codes = np.unique(names, return_inverse=True)
    return frame_pb2.Words(vocabulary=list(vocabulary), codes=codes.astype("<i4").tobytes())


def floats(packed: bytes) -> Any:
    return np.frombuffer(packed, "<f8")


@pytest.fixture(scope="module")
def report(server: Any, wire: Any) -> reports.EvaluationReport:
    return report_of(server, ask(server, wire, names=words(Labelled.names)))


@pytest.fixture(scope="module")
def scored(server: Any, wire: Any) -> Any:
    """What the same server says of the same rows, unlabelled."""
    return server.score(Labelled.rows).scores


def test_figures_are_those_of_scikit_learn_on_the_same_scores(
    report: reports.EvaluationReport, scored: Any
) -> None:
    truth, scores = Labelled.labels, floats(scored.values)
    alarms = np.frombuffer(scored.anomalous, "u1").astype(bool)
    model = report.figures[0]
    assert report.threshold == scored.threshold
    assert report.model_version == scored.model_version
    assert report.calibration_id == scored.calibration_id
    assert (report.row_count, report.anomalous_row_count) == (600, 100)
    assert (model.name, model.baseline) == ("mahalanobis", False)
    assert model.true_positive_count == (alarms & truth).sum()
    assert model.false_positive_count == (alarms & ~truth).sum()
    assert model.recall == pytest.approx(metrics.recall_score(truth, alarms))
    assert model.precision == pytest.approx(metrics.precision_score(truth, alarms))
    assert model.f1 == pytest.approx(metrics.f1_score(truth, alarms))
    assert model.false_alarm_rate == pytest.approx(alarms[~truth].mean())
    assert model.roc_auc == pytest.approx(metrics.roc_auc_score(truth, scores))
    assert model.pr_auc == pytest.approx(metrics.average_precision_score(truth, scores))
    precision, recall, _ = metrics.precision_recall_curve(truth, scores)
    f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-12)
    assert model.best_f1_upper_bound == pytest.approx(f1.max())
    assert model.best_f1_upper_bound >= model.f1


def test_one_alarm_in_an_event_is_one_row_found_and_one_event_noticed(
    report: reports.EvaluationReport, scored: Any
) -> None:
    alarms = np.frombuffer(scored.anomalous, "u1").astype(bool)
    assert alarms[300:350].sum() < 5  # with point adjustment these would all count as found
    found = {found.name: found for found in report.figures[0].name_recalls}
    leak = Labelled.labels & (Labelled.names == "leak")
    assert (found["leak"].row_count, found["clog"].row_count) == (80, 20)
    assert found["leak"].recall == pytest.approx(alarms[leak].mean())
    assert found["leak"].recall < 0.5
    events = report.figures[0].events
    assert events.true_event_count == 3
    assert events.recall == 1.0
    first = [np.flatnonzero(alarms[a:b])[0] for a, b in ((100, 130), (300, 350), (500, 520))]
    assert events.delay_rows == np.median(first)
    assert events.delay_seconds == np.median(first) * 3600
    assert events.alarms_per_asset_day == pytest.approx(alarms.sum() / 25)


def test_every_table_has_the_baselines(report: reports.EvaluationReport) -> None:
    assert [row.name for row in report.figures[1:]] == BASELINES
    assert all(row.baseline for row in report.figures[1:])
    always, random, zscore = report.figures[1:]
    assert (always.recall, always.false_alarm_rate, always.roc_auc) == (1.0, 1.0, 0.5)
    assert always.pr_auc == pytest.approx(100 / 600)
    assert random.roc_auc == pytest.approx(0.5, abs=0.1)
    assert 0.6 < zscore.roc_auc < 1.0
    assert zscore.false_alarm_rate < 0.2
    for row in report.figures:
        assert row.HasField("vus_pr")
        assert row.HasField("events")
        assert [found.name for found in row.name_recalls] == ["clog", "leak"]
    assert report.baseline_row_count == 128


def test_curves_and_the_trace_hold_what_the_figures_say(
    report: reports.EvaluationReport, scored: Any
) -> None:
    curve, trace = report.curve, report.trace
    recalls, false_alarms = floats(curve.recalls), floats(curve.false_alarm_rates)
    assert len(recalls) == len(false_alarms) == len(floats(curve.precisions)) <= 500
    area = np.trapezoid(np.append(0, recalls), np.append(0, false_alarms))
    assert area == pytest.approx(report.figures[0].roc_auc, abs=0.003)
    scores = floats(scored.values)
    assert len(trace.first_rows) == 500
    assert floats(trace.highest_scores).max() == scores.max()
    assert floats(trace.lowest_scores).min() == scores.min()
    assert sum(trace.anomalous_row_counts) == 100
    assert sum(trace.alarm_counts) == sum(scored.anomalous)
    times = np.frombuffer(trace.event_times, "<i8")
    np.testing.assert_array_equal(times, np.array(trace.first_rows) * HOUR)
    assert report.latency.batch_count == 1
    assert 0 < report.latency.p50_seconds <= report.latency.p99_seconds < 10


def test_the_promise_is_judged_by_the_normal_rows_of_the_same_scores(
    report: reports.EvaluationReport, scored: Any
) -> None:
    told, normal = report.reliability, ~Labelled.labels
    alarms = np.frombuffer(scored.anomalous, "u1").astype(bool)
    p_values = floats(scored.p_values)[normal]
    raised = int(alarms[normal].sum())
    exact = stats.binomtest(raised, 500).proportion_ci(0.95, method="exact")
    assert (told.promised_rate, told.normal_row_count) == (report.false_alarm_rate, 500)
    assert told.false_alarm_count == raised == report.figures[0].false_positive_count
    assert told.realised_rate == report.figures[0].false_alarm_rate
    assert (told.realised_low, told.realised_high) == pytest.approx((exact.low, exact.high))
    assert told.ratio == told.realised_rate / told.promised_rate
    assert told.HasField("kept")
    assert told.kept == (exact.low <= told.allowed_rate)
    promised = floats(told.curve.promised_rates)
    assert promised[0] == pytest.approx(1 / (told.calibration_row_count + 1))
    assert 0.49 < promised[-1] <= 0.5
    realised = (p_values[:, None] <= promised).mean(axis=0)
    np.testing.assert_array_equal(floats(told.curve.realised_rates), realised)
    bounds = (told.curve.realised_low, told.curve.realised_high)
    low, high, band_low, band_high = map(
        floats, (*bounds, told.curve.band_low, told.curve.band_high)
    )
    assert ((low <= realised) & (realised <= high)).all()
    assert ((band_low < promised) & (promised < band_high)).all()


def test_rates_and_drift_are_told_along_the_rows(report: reports.EvaluationReport) -> None:
    told = report.reliability
    rates, drift, normal = told.rates, told.drift, told.normal_drift
    assert sum(rates.normal_row_counts) == 500
    assert sum(rates.false_alarm_counts) == told.false_alarm_count
    assert len(rates.first_rows) == len(floats(rates.realised_low)) == 25
    for trace in (rates, drift, normal):
        times = np.frombuffer(trace.event_times, "<i8")
        np.testing.assert_array_equal(times, np.array(trace.first_rows) * HOUR)
    assert not Labelled.labels[list(normal.first_rows)].any()
    assert len(drift.first_rows) == len(floats(drift.log10_capitals)) == 500
    assert drift.alarm_log10_capital == 2.0
    # The first event is thirty rows beyond all calibration rows.
    (alarm,) = drift.alarm_rows
    assert 100 <= alarm < 130
    np.testing.assert_array_equal(np.frombuffer(drift.alarm_times, "<i8"), [alarm * HOUR])
    assert floats(drift.log10_capitals).max() >= 2.0
    assert not normal.alarm_rows
    assert floats(normal.log10_capitals).max() < 2.0


def test_rows_without_order_have_no_events_and_no_volume(server: Any, wire: Any) -> None:
    plain = report_of(server, ask(server, wire, frame=wire.matrix(Labelled.rows)))
    told = report_of(server, ask(server, wire, frame=wire.matrix(Labelled.rows), ordered=True))
    assert not plain.ordered
    for row in plain.figures:
        assert not row.HasField("vus_pr")
        assert not row.HasField("events")
        assert not row.name_recalls
    assert not plain.trace.event_times
    assert plain.reliability.curve == told.reliability.curve
    for trace in (plain.reliability.rates, plain.reliability.drift, plain.reliability.normal_drift):
        assert not trace.first_rows
    assert told.reliability.rates.first_rows
    assert not told.reliability.rates.event_times
    assert told.ordered
    assert told.figures[0].HasField("vus_pr")
    assert told.figures[0].events.HasField("delay_rows")
    assert not told.figures[0].events.HasField("delay_seconds")
    assert not told.figures[0].events.HasField("alarms_per_asset_day")
    assert told.figures[0].roc_auc == plain.figures[0].roc_auc


def test_rows_are_judged_in_time_order_however_they_come(
    server: Any, wire: Any, report: reports.EvaluationReport
) -> None:
    shuffle = np.random.default_rng(0).permutation(600)
    frame = wire.matrix(Labelled.rows[shuffle], event_times=Labelled.times[shuffle].tobytes())
    operation = ask(
        server,
        wire,
        frame=frame,
        labels=Labelled.labels[shuffle].astype("u1").tobytes(),
        names=words(Labelled.names[shuffle]),
    )
    again = report_of(server, operation)
    assert again.figures == report.figures
    assert again.trace == report.trace
    assert again.reliability == report.reliability


def test_the_rate_sets_the_threshold_of_all_rows(
    server: Any, wire: Any, report: reports.EvaluationReport
) -> None:
    wide = report_of(server, ask(server, wire, false_alarm_rate=0.2))
    score = server.score(Labelled.rows, false_alarm_rate=0.2).scores
    assert (wide.threshold, wide.false_alarm_rate) == (score.threshold, 0.2)
    assert wide.figures[0].roc_auc == report.figures[0].roc_auc
    for before, after in zip(report.figures[2:], wide.figures[2:], strict=True):
        assert after.false_alarm_rate > before.false_alarm_rate


def test_signals_that_identify_are_named(server: Any, wire: Any) -> None:
    names = ("src_ip", "flow", "bytes")
    server.fit("network", frame=wire.matrix(wire.normal_rows(), names=names))
    operation = ask(
        server, wire, model="models/network", frame=wire.matrix(Labelled.rows, names=names)
    )
    assert report_of(server, operation).identifying_signals == ["src_ip"]


ONES, ZEROS = bytes([1]) * 600, bytes(600)


@pytest.mark.parametrize(
    ("changes", "code", "reason", "field", "text"),
    [
        ({"labels": b""}, Code.INVALID_ARGUMENT, "INVALID_FRAME", "labels", "needs labels"),
        ({"labels": ONES[:9]}, Code.INVALID_ARGUMENT, "INVALID_FRAME", "labels", "expected 600"),
        (
            {"labels": bytes([2]) + ONES[1:]},
            Code.INVALID_ARGUMENT,
            "INVALID_FRAME",
            "labels",
            "row 0 is 2",
        ),
        ({"labels": ONES}, Code.INVALID_ARGUMENT, "INVALID_PARAMETER", "labels", "say anomalous"),
        ({"labels": ZEROS}, Code.INVALID_ARGUMENT, "INVALID_PARAMETER", "labels", "say normal"),
        ({"model": "models/none"}, Code.NOT_FOUND, "MODEL_NOT_FOUND", "", "no model 'none'"),
        ({"model": "pump"}, Code.INVALID_ARGUMENT, "INVALID_PARAMETER", "model", "model"),
        (
            {"false_alarm_rate": 1e-6},
            Code.FAILED_PRECONDITION,
            "UNREACHABLE_RATE",
            "false_alarm_rate",
            "below the smallest",
        ),
        (
            {"false_alarm_rate": 1.5},
            Code.INVALID_ARGUMENT,
            "INVALID_PARAMETER",
            "false_alarm_rate",
            "less than 1",
        ),
        (
            {"names": frame_pb2.Words(vocabulary=["a"], codes=bytes(8))},
            Code.INVALID_ARGUMENT,
            "INVALID_FRAME",
            "names.codes",
            "expected 600",
        ),
        (
            {"names": frame_pb2.Words(vocabulary=["a"], codes=np.ones(600, "<i4").tobytes())},
            Code.INVALID_ARGUMENT,
            "INVALID_FRAME",
            "names.codes",
            "row 0 has the code 1",
        ),
        (
            {"names": frame_pb2.Words(vocabulary=map(str, range(1001)), codes=bytes(2400))},
            Code.INVALID_ARGUMENT,
            "INVALID_PARAMETER",
            "names.vocabulary",
            "at most 1000",
        ),
    ],
)
def test_bad_input_is_refused_at_once_and_named(
    server: Any,
    wire: Any,
    changes: dict[str, Any],
    code: Code,
    reason: str,
    field: str,
    text: str,
) -> None:
    failure = wire.failure(lambda: ask(server, wire, **changes))
    assert (failure.code, failure.reason) == (code, reason)
    assert failure.fields == ([field] if field else [])
    assert text in failure.message


def test_other_signals_than_the_models_are_refused(server: Any, wire: Any) -> None:
    frame = wire.matrix(Labelled.rows, names=("pressure", "flow", "heat"))
    failure = wire.failure(lambda: ask(server, wire, frame=frame))
    assert (failure.code, failure.reason) == (Code.FAILED_PRECONDITION, "SIGNAL_MISMATCH")


def test_fewer_rows_than_a_window_are_an_error_of_their_own(server: Any, wire: Any) -> None:
    server.fit("windows", features=("window_statistics",))
    frame = wire.matrix(Labelled.rows[99:103])
    operation = ask(server, wire, model="models/windows", frame=frame, labels=bytes([0, 1, 1, 1]))
    done = server.wait(operation.name)
    info = wire.unpacked(done.error.details)["ErrorInfo"]
    assert (done.error.code, info.reason) == (Code.FAILED_PRECONDITION.value[0], "TOO_FEW_ROWS")
    assert "none of the 4 rows could be scored" in done.error.message
    whole = ask(server, wire, model="models/windows", frame=wire.matrix(Labelled.rows))
    report = report_of(server, whole)
    assert report.ordered
    assert 0 < report.unscored_row_count < 50


def test_a_request_id_starts_one_evaluation_and_is_no_fits(server: Any, wire: Any) -> None:
    with ThreadPoolExecutor(4) as pool:
        names = set(pool.map(lambda _: ask(server, wire, request_id="eval").name, range(6)))
    assert len(names) == 1
    server.wait(names.pop())
    failure = wire.failure(lambda: server.start_fit("pump", request_id="eval"))
    assert (failure.code, failure.reason) == (Code.ALREADY_EXISTS, "ALREADY_EXISTS")


def metadata(server: Any, name: str) -> models_pb2.EvaluateModelMetadata:
    operation = server.operations.GetOperation(ops.GetOperationRequest(name=name))
    told = models_pb2.EvaluateModelMetadata()
    assert operation.metadata.Unpack(told)
    return told


def slow(server: Any, wire: Any, **more: Any) -> ops.Operation:
    """Start an evaluation of 100 batches that take 0.2 s each."""
    rows = np.full((100_000, 3), 1000.2)
    labels = (np.arange(100_000) % 100 == 0).astype("u1").tobytes()
    return ask(server, wire, model="models/slow", frame=wire.matrix(rows), labels=labels, **more)


def until_scoring(server: Any, name: str) -> None:
    end = time.monotonic() + 20
    while not 0 < metadata(server, name).progress < 1:
        assert time.monotonic() < end, "it never made progress"
        time.sleep(0.05)


def test_a_running_evaluation_tells_its_progress_and_is_cancelled(troubled: Any, wire: Any) -> None:
    troubled.fit("slow", detector="sleeps")
    operation = slow(troubled, wire)
    assert metadata(troubled, operation.name).model == "models/slow"
    until_scoring(troubled, operation.name)
    assert metadata(troubled, operation.name).stage == "scoring"
    troubled.operations.CancelOperation(ops.CancelOperationRequest(name=operation.name))
    begun = time.monotonic()
    done = troubled.wait(operation.name)
    assert time.monotonic() - begun < 5
    assert done.error.code == Code.CANCELLED.value[0]
    assert done.error.message == "the evaluation was cancelled by its caller"


def test_what_a_plugin_raises_ends_its_evaluation_only(troubled: Any, wire: Any) -> None:
    troubled.fit("raising", detector="raises_on_score")
    rows = Labelled.rows.copy()
    rows[7] = 2000.0
    done = troubled.wait(ask(troubled, wire, model="models/raising", frame=wire.matrix(rows)).name)
    assert done.error.code == Code.INTERNAL.value[0]
    assert wire.unpacked(done.error.details)["ErrorInfo"].reason == "PLUGIN_ERROR"
    assert "raises_on_score" in done.error.message
    report_of(troubled, ask(troubled, wire))


def test_reports_outlive_the_server_and_what_was_cut_short_has_failed(
    start_server: Any, troubled: Any, wire: Any
) -> None:
    path = {"PYTHONPATH": troubled.environment["PYTHONPATH"]}
    server = start_server(environment=path, drain_seconds=0.2)
    server.fit()
    server.fit("slow", detector="sleeps")
    kept = ask(server, wire, request_id="kept")
    before = report_of(server, kept)
    cut = slow(server, wire)
    until_scoring(server, cut.name)
    server.stop(signal.SIGTERM)
    server.start()
    assert report_of(server, kept) == before
    assert ask(server, wire, request_id="kept").name == kept.name
    done = server.wait(cut.name)
    assert wire.unpacked(done.error.details)["ErrorInfo"].reason == "INTERRUPTED"
    assert metadata(server, cut.name).model == "models/slow"
    assert server.stop() == 0


def test_a_full_server_takes_no_more_evaluations(
    start_server: Any, troubled: Any, wire: Any
) -> None:
    path = {"PYTHONPATH": troubled.environment["PYTHONPATH"]}
    server = start_server(environment=path, drain_seconds=0.2, max_waiting_fits=1)
    server.fit("slow", detector="sleeps")
    running = slow(server, wire)
    failure = wire.failure(lambda: ask(server, wire, model="models/slow"))
    assert (failure.code, failure.reason) == (Code.RESOURCE_EXHAUSTED, "LIMIT_EXCEEDED")
    server.operations.CancelOperation(ops.CancelOperationRequest(name=running.name))
    server.wait(running.name)
