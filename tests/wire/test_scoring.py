"""Scores and reasons over the wire."""

from __future__ import annotations

import queue
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from google.protobuf import struct_pb2

from clarion_api.v1 import detection_pb2 as pb
from clarion_api.v1 import frame_pb2


@pytest.fixture
def rows(wire: Any) -> Any:
    """Six normal rows, the third with a spike in its flow."""
    rows = 0.5 * wire.normal_rows(6, seed=3)
    rows[2, 1] = 9.0
    return rows


def floats(data: bytes) -> Any:
    return np.frombuffer(data, "<f8")


def records(rows: Any, names: tuple[str, ...], **fields: Any) -> frame_pb2.Frame:
    frame = frame_pb2.Frame(**fields)
    for row in rows:
        frame.records.rows.add().update(dict(zip(names, map(float, row), strict=True)))
    return frame


def columns(rows: Any, names: tuple[str, ...], **fields: Any) -> frame_pb2.Frame:
    data = [
        frame_pb2.Column(name=name, doubles=np.ascontiguousarray(rows[:, j], "<f8").tobytes())
        for j, name in enumerate(names)
    ]
    return frame_pb2.Frame(columns=frame_pb2.Columns(columns=data), **fields)


def test_an_anomaly_comes_with_its_reasons(server: Any, rows: Any) -> None:
    response = server.score(rows)
    scores = response.scores
    assert list(scores.anomalous) == [0, 0, 1, 0, 0, 0]
    assert floats(scores.values)[2] >= scores.threshold > max(np.delete(floats(scores.values), 2))
    assert scores.model_version.startswith("models/pump/versions/")
    assert len(scores.model_digest) == 64
    (explanation,) = response.explanations
    assert (explanation.row, explanation.anomalous) == (2, True)
    assert explanation.label == pb.LABEL_EXACT
    assert explanation.signal_ranking[0].signal == "flow"
    assert explanation.signal_ranking[0].value == 9.0
    assert [culprit.signal for culprit in explanation.culprits] == ["flow"]
    assert explanation.cleared_score < scores.threshold
    assert "flow" in explanation.summary
    total = explanation.base_value + sum(r.contribution for r in explanation.signal_ranking)
    assert total == pytest.approx(explanation.score, rel=1e-9)


def test_attributions_are_columnar_and_add_up(server: Any, rows: Any) -> None:
    policy = pb.ExplanationPolicy(rows=pb.EXPLAINED_ROWS_ALL, view=pb.VIEW_COLUMNS)
    response = server.score(rows, policy=policy)
    found = response.attributions
    assert list(found.signal_names) == ["pressure", "flow", "speed"]
    assert list(found.rows) == [0, 1, 2, 3, 4, 5]
    assert not response.explanations
    contributions = floats(found.contributions).reshape(6, 3)
    sums = floats(found.base_values) + contributions.sum(axis=1)
    assert sums == pytest.approx(floats(response.scores.values), rel=1e-9)
    assert contributions[2].argmax() == 1
    assert found.background_id == server.fit().background_id


def test_scores_only_are_scores_only(server: Any, rows: Any) -> None:
    response = server.score(rows, policy=pb.ExplanationPolicy(rows=pb.EXPLAINED_ROWS_NONE))
    assert response.scores.anomalous[2] == 1
    assert not response.HasField("attributions")
    assert not response.explanations


def test_matrix_columns_and_records_have_the_same_answer(server: Any, wire: Any, rows: Any) -> None:
    answers = [
        server.scored(frame)[0].SerializeToString(deterministic=True)
        for frame in (
            wire.matrix(rows),
            columns(rows, wire.names),
            records(rows, wire.names),
            wire.matrix(rows[:, ::-1], wire.names[::-1]),
            columns(rows[:, [1, 0, 2]], ("flow", "pressure", "speed")),
        )
    ]
    assert len(set(answers)) == 1


def test_float32_is_taken_as_it_is(server: Any, wire: Any, rows: Any) -> None:
    narrow = rows.astype("<f4")
    message = frame_pb2.Matrix(
        signal_names=wire.names,
        element_type=frame_pb2.ELEMENT_TYPE_FLOAT32,
        values=narrow.tobytes(),
    )
    sent, _ = server.scored(frame_pb2.Frame(matrix=message))
    assert sent.scores.values == server.score(narrow.astype(float)).scores.values


def test_a_row_scores_the_same_in_any_batch(server: Any, wire: Any, rows: Any) -> None:
    policy = pb.ExplanationPolicy(rows=pb.EXPLAINED_ROWS_ALL)
    crowd = np.vstack([wire.normal_rows(500, seed=11), rows, wire.normal_rows(300, seed=12)])
    alone = server.score(rows[2:3], policy=policy)
    among = server.score(crowd, policy=policy)
    assert alone.scores.values == among.scores.values[502 * 8 : 503 * 8]
    assert alone.attributions.contributions == among.attributions.contributions[502 * 24 : 503 * 24]
    mine, theirs = alone.explanations[0], among.explanations[502]
    for explanation in (mine, theirs):
        explanation.ClearField("row")
        explanation.ClearField("summary")  # names the row
        explanation.ClearField("run_count")  # rows before it may be anomalous too
    assert mine == theirs


def test_the_same_request_has_the_same_bytes(server: Any, rows: Any) -> None:
    policy = pb.ExplanationPolicy(explainer="permutation_shap", cross_checks=["lime"])
    first = server.score(rows, policy=policy).SerializeToString(deterministic=True)
    assert server.score(rows, policy=policy).SerializeToString(deterministic=True) == first


def test_times_assets_and_ids_come_back_with_the_reasons(server: Any, wire: Any, rows: Any) -> None:
    frame = wire.matrix(
        rows,
        event_times=(1_700_000_000_000_000_123 + np.arange(6, dtype="<i8") * 10**9).tobytes(),
        assets=[frame_pb2.Asset(name="p-1"), frame_pb2.Asset(name="p-2", asset_class="pump")],
        asset_indices=np.array([0, 1, 1, 0, 1, 0], "<i4").tobytes(),
        row_ids=[f"row-{i}" for i in range(6)],
        signals=[frame_pb2.SignalInfo(name="flow", unit="l/s")],
    )
    (explanation,) = server.scored(frame)[0].explanations
    assert (explanation.asset, explanation.row_id) == ("p-2", "row-2")
    assert explanation.event_time.ToNanoseconds() == 1_700_000_002_000_000_123
    assert not explanation.HasField("since_time")
    # Only a model of ordered rows says since when.
    server.fit("ordered", spec={"ordered": True})
    (explanation,) = server.scored(frame, "ordered")[0].explanations
    assert explanation.since_time == explanation.event_time
    assert explanation.run_count == 1


def test_records_may_hold_time_asset_and_id_columns(server: Any, wire: Any, rows: Any) -> None:
    frame = records(rows, wire.names, time_column="at", asset_column="where", row_id_column="key")
    for i, row in enumerate(frame.records.rows):
        row.update({"at": f"2026-01-02T03:04:0{i}Z", "where": f"p-{i % 2}", "key": f"k{i}"})
    (explanation,) = server.scored(frame)[0].explanations
    assert (explanation.asset, explanation.row_id) == ("p-0", "k2")
    assert explanation.event_time.ToJsonString() == "2026-01-02T03:04:02Z"


def test_another_false_alarm_rate_sets_another_threshold(server: Any, rows: Any) -> None:
    strict, loose = (server.score(rows, false_alarm_rate=rate).scores for rate in (0.01, 0.3))
    assert strict.threshold > loose.threshold
    assert (strict.false_alarm_rate, loose.false_alarm_rate) == (0.01, 0.3)
    assert strict.values == loose.values


def test_the_answer_says_where_it_was_computed(server: Any, wire: Any, rows: Any) -> None:
    _, trailer = server.scored(wire.matrix(rows), metadata=[("clarion-request-id", "my-id-7")])
    assert trailer["clarion-request-id"] == "my-id-7"
    assert trailer["clarion-where"] in ("inline", "thread")
    assert float(trailer["clarion-compute-ms"]) > 0
    _, other = server.scored(wire.matrix(rows), metadata=[("clarion-request-id", "with blank")])
    assert len(other["clarion-request-id"]) == 32


# Explain ------------------------------------------------------------------------------------------


def explain(server: Any, frame: frame_pb2.Frame, **request: Any) -> pb.ExplainResponse:
    message = pb.ExplainRequest(model="models/pump", frame=frame, **request)
    response: pb.ExplainResponse = server.detection.Explain(message, timeout=60)
    return response


def test_normal_rows_can_be_explained(server: Any, wire: Any, rows: Any) -> None:
    response = explain(server, wire.matrix(rows), rows=[4, 0])
    assert [(e.row, e.anomalous) for e in response.explanations] == [(0, False), (4, False)]
    assert len(floats(response.scores.values)) == 6
    assert not response.explanations[0].culprits


def test_all_rows_are_explained_unless_some_are_named(server: Any, wire: Any, rows: Any) -> None:
    assert [e.row for e in explain(server, wire.matrix(rows)).explanations] == [0, 1, 2, 3, 4, 5]


def test_an_edit_answers_what_if(server: Any, wire: Any, rows: Any) -> None:
    edited = rows.copy()
    edited[2, 1] = 0.25
    edits = [pb.Edit(row=2, signal="flow", number=0.25)]
    asked = explain(server, wire.matrix(rows), rows=[2], edits=edits)
    sent = explain(server, wire.matrix(edited), rows=[2])
    assert asked.SerializeToString(deterministic=True) == sent.SerializeToString(deterministic=True)
    assert not asked.explanations[0].anomalous


# Streams ------------------------------------------------------------------------------------------


def stream(server: Any, frames: list[frame_pb2.Frame], **opening: Any) -> list[Any]:
    def requests() -> Iterator[pb.ScoreStreamRequest]:
        opened = pb.StreamOpening(**{"model": "models/pump", **opening})
        yield pb.ScoreStreamRequest(opening=opened)
        for number, frame in enumerate(frames):
            yield pb.ScoreStreamRequest(frame=pb.StreamFrame(sequence=number, frame=frame))

    return list(server.detection.ScoreStream(requests(), timeout=60))


def test_a_stream_answers_each_frame_in_order(server: Any, wire: Any, rows: Any) -> None:
    frames = [wire.matrix(wire.normal_rows(50, seed=i)) for i in range(20)]
    answers = stream(server, frames)
    assert [answer.sequence for answer in answers] == list(range(20))
    for frame, answer in zip(frames, answers, strict=True):
        assert answer.scores == server.scored(frame)[0].scores


def test_windows_reach_back_over_the_frames_of_a_stream(server: Any, wire: Any) -> None:
    server.fit("windowed", detector="mahalanobis", features=("window_statistics",))
    rows = wire.normal_rows(120, seed=5)
    whole = server.score(rows, "windowed").scores
    cut = stream(
        server,
        [wire.matrix(part) for part in np.array_split(rows, [7, 8, 40, 90])],
        model="models/windowed",
    )
    assert b"".join(answer.scores.values for answer in cut) == whole.values
    assert whole.source_rows[0] > 0


def test_a_stream_keeps_the_version_it_opened_with(server: Any, wire: Any, rows: Any) -> None:
    server.fit("pinned")
    requests: queue.Queue[Any] = queue.Queue()
    answers = server.detection.ScoreStream(iter(requests.get, None), timeout=60)
    requests.put(pb.ScoreStreamRequest(opening=pb.StreamOpening(model="models/pinned")))

    def ask(number: int) -> pb.Scores:
        frame = pb.StreamFrame(sequence=number, frame=wire.matrix(rows))
        requests.put(pb.ScoreStreamRequest(frame=frame))
        scores: pb.Scores = next(answers).scores
        return scores

    first = ask(0)
    server.fit("pinned", wire.normal_rows(seed=99))
    assert ask(1) == first
    from clarion_api.v1 import models_pb2

    server.models.DeleteModel(models_pb2.DeleteModelRequest(name="models/pinned"))
    assert ask(2) == first
    requests.put(None)
    assert list(answers) == []
    assert first.model_version == "models/pinned/versions/1"


def test_categories_keep_their_meaning_whatever_a_record_holds(server: Any) -> None:
    rng = np.random.default_rng(1)
    frame = frame_pb2.Frame()
    for state, speed in zip(rng.choice(["on", "off"], 400), rng.normal(size=400), strict=True):
        frame.records.rows.add().update({"state": str(state), "speed": float(speed)})
    server.fit("valve", frame=frame)
    single = frame_pb2.Frame()
    row: struct_pb2.Struct = single.records.rows.add()
    row.update({"state": None, "speed": 0.0})
    response, _ = server.scored(single, "valve")
    assert len(response.scores.values) == 8
