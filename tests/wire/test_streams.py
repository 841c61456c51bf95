"""What is told of a stream beside its scores: rules, drift, recalibration."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import grpc
import numpy as np
import pytest

from clarion_api.v1 import detection_pb2 as pb

SILENT = pb.ExplanationPolicy(rows=pb.EXPLAINED_ROWS_NONE)


@pytest.fixture(scope="module")
def model(server: Any, wire: Any) -> str:
    server.fit("watched", wire.normal_rows(8_000))
    return "models/watched"


def stream(server: Any, wire: Any, frames: list[Any], **opening: Any) -> list[Any]:
    def requests() -> Iterator[pb.ScoreStreamRequest]:
        opened = pb.StreamOpening(**{"policy": SILENT, **opening})
        yield pb.ScoreStreamRequest(opening=opened)
        for number, rows in enumerate(frames):
            frame = pb.StreamFrame(sequence=number, frame=wire.matrix(rows))
            yield pb.ScoreStreamRequest(frame=frame)

    return list(server.detection.ScoreStream(requests(), timeout=60))


def floats(packed: bytes) -> Any:
    return np.frombuffer(packed, "<f8")


def drifting(wire: Any) -> list[Any]:
    rows = wire.normal_rows(5_000, seed=3)
    rows[500:, 1] *= 1.5
    return np.array_split(rows, 10)


def test_every_response_tells_drift_and_rolling_p_values(
    server: Any, wire: Any, model: str
) -> None:
    answers = stream(server, wire, drifting(wire), model=model)
    for number, answer in enumerate(answers):
        told = answer.confidence
        assert told.row_count == 500 * (number + 1)
        assert len(floats(told.rolling_p_values)) == len(floats(answer.scores.p_values)) == 500
        assert told.frozen_p_values == told.levels == b""
        assert not told.HasField("proposal")
        assert not told.HasField("recalibrated_since")
    assert not answers[0].confidence.drift.HasField("since")
    last = answers[-1].confidence
    assert last.drift.alarmed
    assert last.drift.apart
    assert last.drift.confirmed
    assert 500 <= last.drift.since.number < 900
    assert not last.drift.since.HasField("event_time")
    assert [signal.signal for signal in last.drift.moved_signals] == [wire.names[1]]
    assert last.rolling_row_count == 2_000


def test_fdr_tells_the_level_of_each_row(server: Any, wire: Any, model: str) -> None:
    rows = wire.normal_rows(300, seed=4)
    rows[100:120] += 9
    [answer] = stream(server, wire, [rows], model=model, alarm_rule=pb.ALARM_RULE_FDR, fdr=0.2)
    levels, p_values = floats(answer.confidence.levels), floats(answer.scores.p_values)
    anomalous = np.frombuffer(answer.scores.anomalous, "?")
    assert anomalous.tolist() == (p_values <= levels).tolist()
    assert anomalous[100:120].all()
    assert levels[120] > levels[99]
    assert answer.confidence.fdr_memory_rows >= 20
    assert answer.scores.false_alarm_rate == pytest.approx(levels[-1])


def test_a_confirmed_drift_is_proposed(server: Any, wire: Any, model: str) -> None:
    asked = pb.RECALIBRATION_PROPOSE
    answers = stream(server, wire, drifting(wire), model=model, recalibration=asked)
    proposal = answers[-1].confidence.proposal
    assert proposal.calibration_id != answers[-1].scores.calibration_id
    assert proposal.threshold > proposal.frozen_threshold == answers[-1].scores.threshold
    assert proposal.row_count == 2_000
    assert proposal.frozen_rate > proposal.rate > 0


def test_an_automatic_stream_names_the_calibration_that_judged(
    server: Any, wire: Any, model: str
) -> None:
    frames = drifting(wire)
    frames[-1][-5:, 2] += 20
    asked = pb.RECALIBRATION_AUTOMATIC
    policy = pb.ExplanationPolicy(rows=pb.EXPLAINED_ROWS_ANOMALOUS)
    answers = stream(server, wire, frames, model=model, recalibration=asked, policy=policy)
    first, last = answers[0], answers[-1]
    assert last.confidence.recalibrated_since.number % 500 == 499
    assert last.scores.calibration_id == last.confidence.recalibrated[-1].calibration_id
    assert last.scores.calibration_id != first.scores.calibration_id
    assert last.scores.threshold == last.confidence.recalibrated[-1].threshold
    assert last.scores.p_values == last.confidence.rolling_p_values
    assert last.scores.p_values != last.confidence.frozen_p_values != b""
    assert len(last.explanations) >= 5
    for record in last.explanations:
        assert record.calibration_id == last.scores.calibration_id
        assert record.score >= record.threshold == last.scores.threshold


@pytest.mark.parametrize(
    ("opening", "field"),
    [
        ({"fdr": 0.1}, "opening.fdr"),
        ({"alarm_rule": pb.ALARM_RULE_FDR, "fdr": 0.6}, "opening.fdr"),
        ({"alarm_rule": pb.ALARM_RULE_FDR, "fdr": float("nan")}, "opening.fdr"),
        ({"alarm_rule": 9}, "opening.alarm_rule"),
        ({"recalibration": -1}, "opening.recalibration"),
    ],
)
def test_rules_that_cannot_be_are_refused(
    server: Any, wire: Any, model: str, opening: dict[str, Any], field: str
) -> None:
    failure = wire.failure(
        lambda: stream(server, wire, [wire.normal_rows(5)], model=model, **opening)
    )
    assert failure.code is grpc.StatusCode.INVALID_ARGUMENT
    assert failure.fields == [field]


def test_a_rate_that_the_calibration_cannot_serve_is_refused(server: Any, wire: Any) -> None:
    frames, asked = [wire.normal_rows(5)], pb.ALARM_RULE_FDR
    failure = wire.failure(
        lambda: stream(server, wire, frames, model="models/pump", alarm_rule=asked)
    )
    assert failure.code is grpc.StatusCode.FAILED_PRECONDITION
    assert failure.reason == "UNREACHABLE_RATE"
