"""Judging a model: what is sent, and the report as plain values."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np
import pytest
from google.longrunning import operations_pb2
from google.protobuf.message import Message

from clarion_api.v1 import evaluation_pb2, models_pb2
from clarion_client import (
    ClarionError,
    Client,
    DeadlineExceededError,
    EvaluationOperation,
    EvaluationReport,
    EventFigures,
    FitOperation,
    InvalidParameterError,
    NameRecall,
    Progress,
)


def packed(values: list[float]) -> bytes:
    return np.array(values, "<f8").tobytes()


def message() -> evaluation_pb2.EvaluationReport:
    report = evaluation_pb2.EvaluationReport(
        model_version="models/pump/versions/1",
        threshold=3.5,
        row_count=4,
        identifying_signals=["src_ip"],
        latency=evaluation_pb2.BatchLatency(batch_row_count=4, p50_seconds=0.25),
    )
    model = report.figures.add(name="knn", recall=0.5, true_positive_count=1)
    model.events.true_event_count = 2
    model.events.recall = 0.0
    model.name_recalls.add(name="leak", row_count=2, recall=0.5)
    report.figures.add(name="random", baseline=True)
    report.curve.thresholds = packed([9.0, 3.5])
    report.curve.recalls = packed([0.5, 1.0])
    report.curve.false_alarm_rates = packed([0.0, 0.5])
    report.curve.precisions = packed([1.0, 0.75])
    report.trace.first_rows.extend([0, 2])
    report.trace.event_times = np.array([0, 10**9], "<i8").tobytes()
    report.trace.lowest_scores = packed([1.0, 2.0])
    report.trace.highest_scores = packed([4.0, 2.0])
    report.trace.anomalous_row_counts.extend([1, 0])
    report.trace.alarm_counts.extend([1, 0])
    told = report.reliability
    told.promised_rate, told.false_alarm_count, told.ratio, told.kept = 0.01, 3, 0.0, False
    told.curve.promised_rates = packed([0.01, 0.5])
    told.curve.realised_rates = packed([0.02, 0.4])
    told.curve.realised_low = packed([0.015, 0.3])
    told.curve.realised_high = packed([0.03, 0.6])
    told.curve.band_low = packed([0.005, 0.45])
    told.curve.band_high = packed([0.017, 0.55])
    told.rates.first_rows.extend([0, 3])
    told.rates.normal_row_counts.extend([4, 2])
    told.rates.false_alarm_counts.extend([1, 0])
    told.rates.realised_low = packed([0.0, 0.1])
    told.rates.realised_high = packed([0.9, 0.8])
    told.drift.first_rows.extend([0, 2])
    told.drift.event_times = np.array([0, 10**9], "<i8").tobytes()
    told.drift.log10_capitals = packed([0.5, 2.5])
    told.drift.alarm_rows.append(3)
    told.drift.alarm_times = np.array([2 * 10**9], "<i8").tobytes()
    told.drift.alarm_log10_capital, told.drift.epoch_row_count = 2.0, 7
    told.normal_drift.first_rows.append(1)
    return report


def operation(share: float, response: Message | None = None) -> operations_pb2.Operation:
    out = operations_pb2.Operation(name="operations/e1", done=response is not None)
    out.metadata.Pack(
        models_pb2.EvaluateModelMetadata(model="models/pump", progress=share, stage="scoring")
    )
    if response is not None:
        out.response.Pack(response)
    return out


def test_rows_labels_and_names_are_sent_and_a_report_comes_back(
    client: Client, script: Any
) -> None:
    script.operation = [operation(0.0), operation(0.5), operation(1.0, message())]
    told: list[Progress] = []
    report = client.evaluate(
        "pump",
        np.ones((4, 2)),
        labels=[True, False, True, False],
        attacks=["leak", None, "burst", None],
        ordered=True,
        false_alarm_rate=0.05,
        progress=told.append,
    )
    assert [p.share for p in told] == [0.0, 0.5, 1.0]
    request = next(request for name, request in script.calls if name == "EvaluateModel")
    assert tuple(request.frame.matrix.signal_names) == ("flow", "pressure")  # as the model's
    assert request.labels == b"\1\0\1\0"
    assert list(request.names.vocabulary) == ["burst", "leak"]
    assert np.frombuffer(request.names.codes, "<i4").tolist() == [1, -1, 0, -1]
    assert (request.ordered, request.false_alarm_rate) == (True, 0.05)
    assert request.request_id
    assert report.model_version == "models/pump/versions/1"


def test_what_is_not_said_is_left_to_the_server(client: Client, script: Any) -> None:
    script.operation = [operation(0.0)]
    started = client.start_evaluation(
        "models/pump/versions/7", {"flow": [1.0, 2.0]}, labels=np.array([0, 1]), request_id="r1"
    )
    ((_, request),) = script.calls
    assert request.model == "models/pump/versions/7"
    assert not request.HasField("names")
    assert not request.HasField("false_alarm_rate")
    assert request.request_id == "r1"
    assert (started.model, started.progress) == ("models/pump", Progress(0.0, "scoring"))


def test_a_report_is_plain_values_and_what_is_not_defined_is_none() -> None:
    report = EvaluationReport.of(message())
    model, random = report.figures
    assert (model.name, model.baseline, model.recall, model.precision) == ("knn", False, 0.5, None)
    assert model.events == EventFigures(2, 0, 0.0, None, None, None, None, None)
    assert model.name_recalls == (NameRecall("leak", 2, 0.5),)
    assert (random.baseline, random.events, random.name_recalls) == (True, None, ())
    assert report.identifying_signals == ("src_ip",)
    assert report.latency.p50_seconds == 0.25
    np.testing.assert_array_equal(report.curve.precisions, [1.0, 0.75])
    np.testing.assert_array_equal(report.trace.highest_scores, [4.0, 2.0])
    np.testing.assert_array_equal(report.trace.alarm_counts, [1, 0])
    assert report.trace.event_times is not None
    assert report.trace.event_times[1] == np.datetime64("1970-01-01T00:00:01")
    timeless = message()
    timeless.trace.ClearField("event_times")
    assert EvaluationReport.of(timeless).trace.event_times is None


def test_whether_the_promise_was_kept_is_plain_values() -> None:
    told = EvaluationReport.of(message()).reliability
    assert told is not None
    assert (told.promised_rate, told.false_alarm_count) == (0.01, 3)
    assert (told.ratio, told.kept) == (0.0, False)  # said, though they are nothing
    assert (told.realised_rate, told.realised_low, told.realised_high) == (None, None, None)
    found = [getattr(told.curve, field.name).tolist() for field in fields(told.curve)]
    expected = [[0.01, 0.5], [0.02, 0.4], [0.015, 0.3], [0.03, 0.6], [0.005, 0.45], [0.017, 0.55]]
    assert found == expected
    np.testing.assert_array_equal(told.rates.realised_rates, [0.25, 0.0])
    np.testing.assert_array_equal(told.rates.realised_low, [0.0, 0.1])
    np.testing.assert_array_equal(told.rates.realised_high, [0.9, 0.8])
    assert told.rates.event_times is None
    np.testing.assert_array_equal(told.drift.log10_capitals, [0.5, 2.5])
    np.testing.assert_array_equal(told.drift.alarm_rows, [3])
    assert told.drift.alarm_times is not None
    assert told.drift.alarm_times[0] == np.datetime64("1970-01-01T00:00:02")
    assert (told.drift.alarm_log10_capital, told.drift.epoch_row_count) == (2.0, 7)
    np.testing.assert_array_equal(told.normal_drift.first_rows, [1])
    silent = message()
    silent.ClearField("reliability")
    assert EvaluationReport.of(silent).reliability is None


def test_labels_that_are_none_are_refused_before_anything_is_sent(
    client: Client, script: Any
) -> None:
    with pytest.raises(InvalidParameterError, match="one truth value"):
        client.evaluate("models/pump/versions/1", {"flow": [1.0]}, labels=[0.5])
    assert script.calls == []


def test_operations_are_of_the_kind_that_they_say(client: Client, script: Any) -> None:
    fitting = operations_pb2.Operation(name="operations/f1")
    fitting.metadata.Pack(models_pb2.FitModelMetadata(model="models/pump"))
    script.operation = [operation(0.5), fitting]
    evaluation, fit = client.operations()
    assert isinstance(evaluation, EvaluationOperation)
    assert isinstance(fit, FitOperation)
    assert (evaluation.model, fit.model) == ("models/pump", "models/pump")
    script.operation = [operation(1.0, message())]
    found = client.operation("e1")
    assert isinstance(found, EvaluationOperation)
    assert found.result().threshold == 3.5


def test_waiting_for_an_evaluation_ends_in_time(client: Client, script: Any) -> None:
    script.operation = [operation(0.25)]
    started = client.start_evaluation("models/pump/versions/1", {"flow": [1.0]}, labels=[1])
    with pytest.raises(DeadlineExceededError, match="the evaluation of models/pump is not done"):
        started.wait(0.1)
    with pytest.raises(ClarionError, match="is not done, or was no evaluation"):
        started.result()
