"""Bad input gets a typed error that names the field; nothing is lost or half-written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import grpc
import numpy as np
import pytest

from clarion_api.v1 import detection_pb2 as pb
from clarion_api.v1 import frame_pb2, models_pb2

Code = grpc.StatusCode
FLOAT64 = frame_pb2.ELEMENT_TYPE_FLOAT64
CATEGORICAL = frame_pb2.SIGNAL_KIND_CATEGORICAL
UNKNOWN = frame_pb2.SignalKind.ValueType(99)


def refused(
    server: Any, wire: Any, frame: frame_pb2.Frame, model: str = "pump", **more: Any
) -> Any:
    """Return how scoring ``frame`` fails; the server must go on answering."""
    failure = wire.failure(lambda: server.scored(frame, model, **more))
    assert failure.trailer["clarion-request-id"]
    assert len(server.score(wire.normal_rows(2)).scores.values) == 16
    return failure


@pytest.mark.parametrize(
    ("name", "named"),
    [("nope", "nope"), ("pump/versions/999", "pump"), ("pump/versions/0", "pump")],
)
def test_an_unknown_model_is_not_found(server: Any, wire: Any, name: str, named: str) -> None:
    failure = refused(server, wire, wire.matrix(wire.normal_rows(2)), name)
    assert (failure.code, failure.reason) == (Code.NOT_FOUND, "MODEL_NOT_FOUND")
    assert failure.details["ResourceInfo"].resource_name == named


@pytest.mark.parametrize("name", ["", "pump", "models/", "models/../secrets", "models/PUMP"])
def test_a_name_that_is_none_is_refused_before_it_is_looked_up(
    server: Any, wire: Any, name: str
) -> None:
    request = pb.ScoreRequest(model=name, frame=wire.matrix(wire.normal_rows(2)))
    failure = wire.failure(lambda: server.detection.Score(request))
    assert (failure.code, failure.fields) == (Code.INVALID_ARGUMENT, ["model"])


@pytest.mark.parametrize(
    ("names", "missing", "unexpected"),
    [
        (("pressure", "flow", "torque"), "speed", "torque"),
        (("pressure", "flow"), "speed", ""),
        (("pressure", "flow", "speed", "torque"), "", "torque"),
    ],
)
def test_wrong_missing_and_extra_signals_are_named(
    server: Any, wire: Any, names: tuple[str, ...], missing: str, unexpected: str
) -> None:
    rows = wire.normal_rows(2, len(names))
    failure = refused(server, wire, wire.matrix(rows, names))
    assert (failure.code, failure.reason) == (Code.FAILED_PRECONDITION, "SIGNAL_MISMATCH")
    assert failure.fields == ["frame.signals"]
    assert (failure.metadata["missing"], failure.metadata["unexpected"]) == (missing, unexpected)
    assert all(repr(name) in failure.message for name in (missing, unexpected) if name)


def test_thousands_of_wrong_signals_still_fit_a_status(server: Any, wire: Any) -> None:
    names = tuple(f"{'ä' * 100}{j:04}" for j in range(4096))
    failure = refused(server, wire, wire.matrix(np.zeros((1, 4096)), names))
    assert (failure.code, failure.reason) == (Code.FAILED_PRECONDITION, "SIGNAL_MISMATCH")
    assert "'pressure'" in failure.message


def test_reordered_signals_are_no_error(server: Any, wire: Any) -> None:
    rows = wire.normal_rows(5)
    turned = server.scored(wire.matrix(rows[:, [2, 0, 1]], ("speed", "pressure", "flow")))[0]
    assert turned == server.score(rows)


@pytest.mark.parametrize("size", [1, 8, 23, 25, 47])
def test_a_wrong_byte_length_is_named_with_the_right_one(server: Any, wire: Any, size: int) -> None:
    message = frame_pb2.Matrix(signal_names=wire.names, element_type=FLOAT64, values=bytes(size))
    failure = refused(server, wire, frame_pb2.Frame(matrix=message))
    assert (failure.code, failure.reason) == (Code.INVALID_ARGUMENT, "INVALID_FRAME")
    assert failure.fields == ["frame.matrix.values"]
    assert failure.metadata == {"received_bytes": str(size), "expected_bytes": "24"}


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"event_times": bytes(17)}, "frame.event_times"),
        ({"event_times": bytes(24)}, "frame.event_times"),
        ({"asset_indices": bytes(4)}, "frame.asset_indices"),
        ({"asset_indices": bytes(8)}, "frame.asset_indices"),
        ({"row_ids": ["a"]}, "frame.row_ids"),
        ({"time_column": "pressure"}, "frame.time_column"),
        ({"signals": [frame_pb2.SignalInfo(name="torque")]}, "frame.signals[0].name"),
        (
            {"signals": [frame_pb2.SignalInfo(name="flow", kind=CATEGORICAL)]},
            "frame.signals[0].kind",
        ),
        ({"signals": [frame_pb2.SignalInfo(name="flow", kind=UNKNOWN)]}, "frame.signals[0].kind"),
        ({"assets": [frame_pb2.Asset(name="a")] * 2, "asset_indices": bytes(8)}, "frame.assets"),
    ],
)
def test_what_stands_beside_the_rows_must_fit_them(
    server: Any, wire: Any, fields: dict[str, Any], path: str
) -> None:
    failure = refused(server, wire, wire.matrix(wire.normal_rows(2), **fields))
    assert (failure.code, failure.fields) == (Code.INVALID_ARGUMENT, [path])


@pytest.mark.parametrize("number", [np.inf, -np.inf])
def test_an_infinite_cell_is_refused_by_signal_and_row(
    server: Any, wire: Any, number: float
) -> None:
    rows = wire.normal_rows(4)
    rows[3, 1] = number
    failure = refused(server, wire, wire.matrix(rows))
    assert (failure.code, failure.fields) == (Code.INVALID_ARGUMENT, ["frame.matrix.values"])
    assert failure.metadata == {"signal": "flow", "row": "3"}


def test_nan_where_the_model_cannot_take_it_is_refused_by_signal_and_row(
    server: Any, wire: Any
) -> None:
    rows = wire.normal_rows(4)
    rows[2, 0] = np.nan
    failure = refused(server, wire, wire.matrix(rows))
    assert (failure.code, failure.reason) == (Code.INVALID_ARGUMENT, "INVALID_FRAME")
    assert failure.metadata == {"signal": "pressure", "row": "2"}
    assert "impute" in failure.message


@pytest.mark.parametrize("shape", ["matrix", "columns", "records", "nothing"])
def test_an_empty_frame_is_refused(server: Any, wire: Any, shape: str) -> None:
    frame = frame_pb2.Frame()
    if shape == "matrix":
        frame = wire.matrix(np.empty((0, 3)))
    elif shape == "columns":
        frame.columns.columns.add(name="flow", doubles=b"")
    elif shape == "records":
        frame.records.SetInParent()
    failure = refused(server, wire, frame)
    assert failure.code is Code.INVALID_ARGUMENT
    assert failure.fields[0].startswith("frame")


def test_one_column_and_constant_columns_can_be_fitted(server: Any, wire: Any) -> None:
    server.fit("narrow", wire.normal_rows(300, 1))
    spike = np.array([[0.0], [9.0]])
    assert list(server.score(spike, "narrow").scores.anomalous) == [0, 1]
    constant = np.column_stack([wire.normal_rows(300, 1), np.full(300, 5.0)])
    server.fit("constant", constant)
    assert list(server.score([[0.0, 5.0], [0.0, 6.0]], "constant").scores.anomalous) == [0, 1]


def test_a_million_columns_are_refused_at_once(server: Any, wire: Any) -> None:
    names = [str(j) for j in range(1_000_000)]
    message = frame_pb2.Matrix(signal_names=names, element_type=FLOAT64, values=bytes(8_000_000))
    failure = refused(server, wire, frame_pb2.Frame(matrix=message))
    assert (failure.code, failure.fields) == (Code.INVALID_ARGUMENT, ["frame.matrix.signal_names"])
    wide = frame_pb2.Frame()
    wide.records.rows.add().update(dict.fromkeys(names[:100_000], 1.0))
    failure = refused(server, wire, wide)
    assert (failure.code, failure.reason) == (Code.RESOURCE_EXHAUSTED, "LIMIT_EXCEEDED")
    assert failure.metadata["limit"] == "4096"
    assert failure.details["RetryInfo"].retry_delay.ToMilliseconds() > 0
    assert failure.details["QuotaFailure"].violations[0].subject == "frame.records.rows"


def test_records_that_name_ever_new_signals_are_refused(server: Any, wire: Any) -> None:
    frame = frame_pb2.Frame()
    for i in range(5000):
        frame.records.rows.add().update({f"s{i}": 1.0})
    assert refused(server, wire, frame).reason == "LIMIT_EXCEEDED"


@pytest.mark.parametrize(
    ("row", "path"),
    [
        ({"pressure": "high", "flow": 1.0, "speed": 1.0}, "frame.records.rows[0].pressure"),
        ({"pressure": [1.0], "flow": 1.0, "speed": 1.0}, "frame.records.rows[0].pressure"),
        ({"pressure": {"bar": 1.0}, "flow": 1.0, "speed": 1.0}, "frame.records.rows[0].pressure"),
    ],
)
def test_a_record_of_the_wrong_kind_is_named(
    server: Any, wire: Any, row: dict[str, Any], path: str
) -> None:
    frame = frame_pb2.Frame()
    frame.records.rows.add().update(row)
    failure = refused(server, wire, frame)
    assert (failure.code, failure.fields) == (Code.INVALID_ARGUMENT, [path])
    assert "pressure" in failure.message


def column(name: str, **cells: Any) -> frame_pb2.Column:
    return frame_pb2.Column(name=name, **cells)


@pytest.mark.parametrize(
    ("columns", "fields", "path"),
    [
        ([column("a", doubles=bytes(9))], {}, "frame.columns.columns[0].doubles"),
        (
            [column("a", doubles=bytes(8)), column("b", integers=bytes(16))],
            {},
            "frame.columns.columns[1]",
        ),
        (
            [column("a", words=frame_pb2.Words(vocabulary=["x"], codes=b"\1\0\0\0"))],
            {},
            "frame.columns.columns[0].words.codes",
        ),
        (
            [column("a", words=frame_pb2.Words(vocabulary=["x", "x"], codes=bytes(4)))],
            {},
            "frame.columns.columns[0].words.vocabulary",
        ),
        ([column("a", doubles=bytes(8))], {"time_column": "at"}, "frame.time_column"),
        ([column("at", doubles=bytes(8))], {"time_column": "at"}, "frame.time_column"),
        ([column("a", doubles=bytes(8))] * 2, {}, "frame.columns"),
        ([column("a")], {}, "frame.columns.columns[0].cells"),
    ],
)
def test_a_wrong_column_is_named(
    server: Any, wire: Any, columns: list[Any], fields: dict[str, Any], path: str
) -> None:
    frame = frame_pb2.Frame(columns=frame_pb2.Columns(columns=columns), **fields)
    failure = refused(server, wire, frame)
    assert (failure.code, failure.fields) == (Code.INVALID_ARGUMENT, [path])


def test_a_rate_below_the_smallest_p_value_says_what_can_be_had(server: Any, wire: Any) -> None:
    frame = wire.matrix(wire.normal_rows(2))
    failure = refused(server, wire, frame, false_alarm_rate=1e-6)
    assert (failure.code, failure.reason) == (Code.FAILED_PRECONDITION, "UNREACHABLE_RATE")
    assert failure.fields == ["false_alarm_rate"]
    assert float(failure.metadata["smallest_p_value"]) > 1e-6
    assert failure.details["PreconditionFailure"].violations[0].type == "UNREACHABLE_RATE"


@pytest.mark.parametrize("rate", [0.0, 1.0, -0.1, float("nan")])
def test_a_rate_that_is_none_is_refused(server: Any, wire: Any, rate: float) -> None:
    failure = refused(server, wire, wire.matrix(wire.normal_rows(2)), false_alarm_rate=rate)
    assert (failure.code, failure.fields) == (Code.INVALID_ARGUMENT, ["false_alarm_rate"])


@pytest.mark.parametrize(
    ("policy", "code", "reason"),
    [
        ({"explainer": "tea_leaves"}, Code.NOT_FOUND, "PLUGIN_NOT_FOUND"),
        ({"explainer": "tree_shap"}, Code.FAILED_PRECONDITION, "UNSUPPORTED_PAIR"),
        ({"explainer": "lime"}, Code.FAILED_PRECONDITION, "UNSUPPORTED_PAIR"),
        (
            {"explainer": "permutation_shap", "max_evaluations": 1},
            Code.FAILED_PRECONDITION,
            "BUDGET_EXCEEDED",
        ),
        ({"max_evaluations": -1}, Code.INVALID_ARGUMENT, "INVALID_PARAMETER"),
        ({"cross_checks": ["lime", "lime"]}, Code.INVALID_ARGUMENT, "INVALID_PARAMETER"),
    ],
)
def test_a_policy_that_cannot_be_followed_is_refused(
    server: Any, wire: Any, policy: dict[str, Any], code: Code, reason: str
) -> None:
    asked = pb.ExplanationPolicy(rows=pb.EXPLAINED_ROWS_ALL, **policy)
    failure = refused(server, wire, wire.matrix(wire.normal_rows(2)), policy=asked)
    assert (failure.code, failure.reason) == (code, reason)


@pytest.mark.parametrize(
    ("request_fields", "code", "path"),
    [
        ({"rows": [7]}, Code.INVALID_ARGUMENT, "rows[0]"),
        ({"rows": [0, 0]}, Code.INVALID_ARGUMENT, "rows"),
        ({"rows": [-1]}, Code.INVALID_ARGUMENT, "rows[0]"),
        (
            {"edits": [pb.Edit(row=9, signal="flow", number=1)]},
            Code.INVALID_ARGUMENT,
            "edits[0].row",
        ),
        (
            {"edits": [pb.Edit(row=0, signal="torque", number=1)]},
            Code.FAILED_PRECONDITION,
            "edits[0].signal",
        ),
        (
            {"edits": [pb.Edit(row=0, signal="flow", word="high")]},
            Code.INVALID_ARGUMENT,
            "edits[0].number",
        ),
        (
            {"edits": [pb.Edit(row=0, signal="flow", number=np.inf)]},
            Code.INVALID_ARGUMENT,
            "edits[0].number",
        ),
        ({"edits": [pb.Edit(row=0, signal="flow")]}, Code.INVALID_ARGUMENT, "edits[0].value"),
    ],
)
def test_an_explain_request_that_makes_no_sense_names_its_field(
    server: Any, wire: Any, request_fields: dict[str, Any], code: Code, path: str
) -> None:
    frame = wire.matrix(wire.normal_rows(2))
    request = pb.ExplainRequest(model="models/pump", frame=frame, **request_fields)
    failure = wire.failure(lambda: server.detection.Explain(request))
    assert (failure.code, failure.fields) == (code, [path])


def test_several_broken_rules_are_all_told(server: Any, wire: Any) -> None:
    request = pb.ScoreRequest(model="pump", false_alarm_rate=2.0)
    failure = wire.failure(lambda: server.detection.Score(request))
    assert set(failure.fields) == {"model", "frame", "false_alarm_rate"}


def test_bytes_that_are_no_message_are_refused(server: Any, wire: Any) -> None:
    call: Callable[..., Any] = server.channel.unary_unary("/clarion.v1.DetectionService/Score")
    failure = wire.failure(lambda: call(b"\xff\xff\xff\xff"))
    assert (failure.code, failure.reason) == (Code.INVALID_ARGUMENT, "INVALID_PARAMETER")


# Streams ------------------------------------------------------------------------------------------


def messages(wire: Any, *numbers: int) -> list[pb.ScoreStreamRequest]:
    frame = wire.matrix(wire.normal_rows(2))
    return [
        pb.ScoreStreamRequest(frame=pb.StreamFrame(sequence=number, frame=frame))
        for number in numbers
    ]


def test_a_stream_that_is_not_opened_is_refused(server: Any, wire: Any) -> None:
    failure = wire.failure(lambda: list(server.detection.ScoreStream(iter(messages(wire, 0)))))
    assert (failure.code, failure.fields) == (Code.INVALID_ARGUMENT, ["opening"])


@pytest.mark.parametrize("numbers", [(0, 1, 1), (0, 5, 4)])
def test_a_stream_answers_up_to_the_message_that_is_wrong(
    server: Any, wire: Any, numbers: tuple[int, ...]
) -> None:
    opening = pb.ScoreStreamRequest(opening=pb.StreamOpening(model="models/pump"))
    answers = server.detection.ScoreStream(iter([opening, *messages(wire, *numbers)]))
    assert [next(answers).sequence, next(answers).sequence] == list(numbers[:2])
    failure = wire.failure(lambda: next(answers))
    assert (failure.code, failure.fields) == (Code.INVALID_ARGUMENT, ["frame.sequence"])


def test_a_bad_frame_ends_its_stream_with_the_path_inside_the_message(
    server: Any, wire: Any
) -> None:
    opening = pb.ScoreStreamRequest(opening=pb.StreamOpening(model="models/pump"))
    bad = messages(wire, 1)[0]
    bad.frame.frame.matrix.values = bytes(7)
    answers = server.detection.ScoreStream(iter([opening, *messages(wire, 0), bad]))
    assert next(answers).sequence == 0
    failure = wire.failure(lambda: next(answers))
    assert failure.fields == ["frame.frame.matrix.values"]


def test_a_stream_is_opened_once(server: Any, wire: Any) -> None:
    opening = pb.ScoreStreamRequest(opening=pb.StreamOpening(model="models/pump"))
    failure = wire.failure(lambda: list(server.detection.ScoreStream(iter([opening, opening]))))
    assert (failure.code, failure.fields) == (Code.INVALID_ARGUMENT, ["opening"])


# Fits ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("request_fields", "path"),
    [
        ({"model": "../pump"}, "model_id"),
        ({"model": ""}, "model_id"),
        ({"detector": ""}, "spec.detector.plugin"),
        ({"labels": bytes(3)}, "labels"),
        ({"labels": bytes(399) + b"\2"}, "labels"),
        ({"spec": {"false_alarm_rate": 0.7}}, "spec.false_alarm_rate"),
        ({"spec": {"background_row_count": 0}}, "spec.background_row_count"),
        ({"spec": {"seed": -1}}, "spec.seed"),
    ],
)
def test_a_fit_that_cannot_start_is_refused_at_once(
    server: Any, wire: Any, request_fields: dict[str, Any], path: str
) -> None:
    failure = wire.failure(lambda: server.start_fit(**{"model": "bad", **request_fields}))
    assert (failure.code, failure.fields) == (Code.INVALID_ARGUMENT, [path])


@pytest.mark.parametrize(
    ("request_fields", "code", "reason"),
    [
        ({"detector": "crystal_ball"}, Code.NOT_FOUND, "PLUGIN_NOT_FOUND"),
        ({"features": ("alchemy",)}, Code.NOT_FOUND, "PLUGIN_NOT_FOUND"),
        ({"parameters": {"shrinkage": 2.0}}, Code.INVALID_ARGUMENT, "INVALID_PARAMETER"),
        ({"parameters": {"colour": "red"}}, Code.INVALID_ARGUMENT, "INVALID_PARAMETER"),
        ({"rows": np.zeros((5, 3))}, Code.FAILED_PRECONDITION, "TOO_FEW_ROWS"),
    ],
)
def test_a_fit_that_fails_says_why_like_a_call_and_leaves_no_model(
    server: Any, wire: Any, request_fields: dict[str, Any], code: Code, reason: str
) -> None:
    operation = server.start_fit(**{"model": "never", **request_fields})
    done = server.wait(operation.name)
    assert done.error.code == code.value[0]
    details = wire.unpacked(done.error.details)
    assert details["ErrorInfo"].reason == reason
    if code is Code.INVALID_ARGUMENT:
        (violation,) = details["BadRequest"].field_violations
        assert violation.field.startswith("spec.detector.parameters.")
    name = models_pb2.GetModelRequest(name="models/never")
    assert wire.failure(lambda: server.models.GetModel(name)).code is Code.NOT_FOUND
    assert not list(server.data_dir.rglob("never"))
