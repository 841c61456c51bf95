"""What a calibration promises, over the wire: promise, classes, tails and weeks."""

from __future__ import annotations

from typing import Any

import grpc
import numpy as np
import pytest

from clarion_api.v1 import detection_pb2 as pb
from clarion_api.v1 import frame_pb2, models_pb2
from clarion_client.models import ModelVersion
from clarion_client.results import ScoreResult

ROWS = 5000
CLASSES = ("pump", "pump", "valve", "fan")
SHARES = (0.3, 0.3, 0.35, 0.05)


def fleet(wire: Any, rows: int = ROWS, seed: int = 1) -> frame_pb2.Frame:
    """Return rows at steps of 30 seconds of each asset; pumps move three times as far as others."""
    rng = np.random.default_rng(seed)
    index = rng.choice(4, rows, p=SHARES).astype("<i4")
    times = np.zeros(rows, "<i8")
    for asset in range(4):
        times[index == asset] = np.arange((index == asset).sum()) * 30 * 10**9
    values = rng.normal(size=(rows, 3)) * np.where(index < 2, 3.0, 1.0)[:, None]
    return wire.matrix(  # type: ignore[no-any-return]
        values,
        event_times=times.tobytes(),
        assets=[frame_pb2.Asset(name=f"a{i}", asset_class=c) for i, c in enumerate(CLASSES)],
        asset_indices=index.tobytes(),
    )


@pytest.fixture(scope="module")
def fitted(server: Any, wire: Any) -> models_pb2.ModelVersion:
    return server.fit("fleet", frame=fleet(wire), spec={"ordered": True})  # type: ignore[no-any-return]


def test_a_version_says_what_it_promises(fitted: Any) -> None:
    told = ModelVersion.of(fitted).calibration
    assert told.promise == "certain"
    assert told.row_count == pytest.approx(ROWS / 4, abs=4)
    assert told.smallest_p_value < told.smallest_false_alarm_rate < told.false_alarm_rate
    assert told.expected_false_alarm_rate < told.false_alarm_rate
    assert told.smallest_extrapolated_p_value == 1 / (5 * told.row_count)
    assert not told.extrapolated
    assert [own.asset_class for own in told.classes] == ["pump"]
    assert told.classes[0].threshold > told.threshold
    assert told.classes[0].row_count >= 500
    assert told.step_seconds == 30.0
    weekly = told.expected_false_alarm_rate * 7 * 24 * 3600 / 30
    assert told.false_alarms_per_week == pytest.approx(weekly)
    assert told.event_row_count == 10
    assert told.false_events_per_week is not None
    assert 0 < told.false_events_per_week < 4 * weekly


def test_rows_are_judged_by_class_and_say_so(server: Any, wire: Any, fitted: Any) -> None:
    frame = fleet(wire, 2000, seed=2)
    response, _ = server.scored(frame, "fleet")
    said = ScoreResult.of(response)
    own = dict(said.class_thresholds)
    index = np.frombuffer(frame.asset_indices, "<i4")
    thresholds = np.array([own.get(CLASSES[i], said.threshold) for i in index])
    np.testing.assert_array_equal(said.anomalous, said.scores >= thresholds)
    assert [r.threshold for r in said.explanations] == thresholds[said.anomalous].tolist()
    weekly = ModelVersion.of(fitted).calibration.false_alarms_per_week
    for record in said.explanations:
        assert (record.false_alarms_per_week == weekly) is (record.threshold == said.threshold)


def test_an_extrapolated_p_value_is_marked(server: Any, wire: Any, fitted: Any) -> None:
    response, _ = server.scored(wire.matrix([[0.0] * 3, [60.0] * 3]), "fleet")
    said, known = ScoreResult.of(response), ModelVersion.of(fitted).calibration
    assert said.extrapolated.tolist() == [False, True]
    assert said.p_values[1] == known.smallest_extrapolated_p_value
    assert said.explanations[0].extrapolated
    assert "(extrapolated)" in said.explanations[0].summary
    quiet, _ = server.scored(wire.matrix([[0.0] * 3]), "fleet")
    assert quiet.scores.extrapolated == b""


def test_a_threshold_is_extrapolated_only_where_it_is_asked_for(
    server: Any, wire: Any, fitted: Any
) -> None:
    frame = wire.matrix([[60.0] * 3])
    with pytest.raises(grpc.RpcError) as caught:
        server.scored(frame, "fleet", false_alarm_rate=5e-4)
    assert caught.value.code() == grpc.StatusCode.FAILED_PRECONDITION
    asked: dict[str, Any] = {"false_alarm_rate": 5e-4, "allow_extrapolated": True}
    scored = server.scored(frame, "fleet", **asked)[0].scores
    explained = server.detection.Explain(
        pb.ExplainRequest(model="models/fleet", frame=frame, **asked)
    ).scores
    opening = pb.StreamOpening(model="models/fleet", **asked)
    sent = [
        pb.ScoreStreamRequest(opening=opening),
        pb.ScoreStreamRequest(frame=pb.StreamFrame(sequence=1, frame=frame)),
    ]
    (streamed,) = list(server.detection.ScoreStream(iter(sent), timeout=60))
    for scores in (scored, explained, streamed.scores):
        assert scores.threshold == scored.threshold > fitted.calibration.threshold


@pytest.mark.parametrize("promise", ["PROMISE_CERTAIN", "PROMISE_AVERAGE"])
def test_the_promise_asked_for_is_made_or_refused(server: Any, wire: Any, promise: str) -> None:
    asked: dict[str, Any] = {"promise": models_pb2.Promise.Value(promise)}
    made = server.fit("asked", wire.normal_rows(598), spec=asked)
    assert made.calibration.promise == made.spec.promise == asked["promise"]
    few = server.wait(server.start_fit("asked", wire.normal_rows(597), spec=asked).name)
    assert few.HasField("error") is (promise == "PROMISE_CERTAIN")
    assert ("299" in few.error.message) is few.HasField("error")


def test_a_rate_out_of_reach_is_fitted_where_extrapolation_is_allowed(
    server: Any, wire: Any
) -> None:
    asked: dict[str, Any] = {"false_alarm_rate": 2e-4, "allow_extrapolated": True}
    made = server.fit("rare", wire.normal_rows(4000), spec=asked)
    assert made.calibration.extrapolated
    assert made.calibration.expected_false_alarm_rate == 2e-4
    refused = server.wait(
        server.start_fit("rare", wire.normal_rows(4000), spec={"false_alarm_rate": 2e-4}).name
    )
    assert "4999" in refused.error.message
