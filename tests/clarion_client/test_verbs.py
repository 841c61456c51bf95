from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from google.longrunning import operations_pb2
from google.protobuf.timestamp_pb2 import Timestamp
from google.rpc import status_pb2

from clarion_api.v1 import detection_pb2, models_pb2
from clarion_client import (
    CalibrationSpan,
    Candidate,
    Choice,
    Client,
    DeadlineExceededError,
    Explain,
    Health,
    InvalidFrameError,
    InvalidParameterError,
    ModelVersion,
    MovedSignal,
    PipelineSpec,
    Progress,
    ScoreResult,
    Step,
    StreamRow,
    StreamRules,
    TooFewRowsError,
    UnavailableError,
)


def operation(share: float, done: bool = False) -> operations_pb2.Operation:
    out = operations_pb2.Operation(name="operations/f1", done=done)
    out.metadata.Pack(
        models_pb2.FitModelMetadata(model="models/pump", progress=share, stage=f"{share:.0%}")
    )
    if done:
        out.response.Pack(models_pb2.ModelVersion(name="models/pump/versions/1"))
    return out


def test_scores_come_back_as_arrays(client: Client, script: Any) -> None:
    rows = np.array([[0.25, 0.25], [3.0, 1.0]])
    result = client.score(
        "pump", rows, names=["flow", "pressure"], explain="all", false_alarm_rate=0.05
    )
    np.testing.assert_array_equal(result.scores, [0.5, 4.0])
    np.testing.assert_array_equal(result.p_values, [1 / 1.5, 1 / 5])
    np.testing.assert_array_equal(result.anomalous, [False, True])
    np.testing.assert_array_equal(result.source_rows, [0, 1])
    assert (result.attributions, result.explanations) == (None, ())
    ((_, request),) = script.calls
    assert request.model == "models/pump"
    assert request.false_alarm_rate == 0.05
    assert request.policy.rows == 3


def test_a_nameless_array_is_taken_in_the_order_of_the_newest_versions_signals(
    client: Client, script: Any
) -> None:
    rows = np.ones((1, 2))
    for versions, signals in ((1, ("flow", "pressure")), (2, ("pressure", "flow"))):
        script.versions, script.signals = versions, signals
        client.score("pump", rows)
        name, request = script.calls[-1]
        assert name == "Score"
        assert tuple(request.frame.matrix.signal_names) == signals
        assert request.model == f"models/pump/versions/{versions}"
    script.calls.clear()
    client.score("models/pump/versions/2", rows)
    assert script.names() == ["Score"]  # a version never changes: its signals are known
    with pytest.raises(InvalidFrameError, match=r"3 columns.*2 signals: pressure, flow"):
        client.score("models/pump/versions/2", np.ones((1, 3)))


def test_a_what_if_says_which_cells_to_change(client: Client, script: Any) -> None:
    how = Explain(cross_checks=("lime",), view="full", max_evaluations=64)
    client.explain(
        "pump",
        {"flow": [1.0, 2.0], "pressure": [1.0, 2.0]},
        rows=[1],
        edits={(1, "flow"): 0.5, (1, "valve"): "shut"},
        how=how,
    )
    ((_, request),) = script.calls
    assert list(request.rows) == [1]
    assert [(e.row, e.signal, e.number, e.word) for e in request.edits] == [
        (1, "flow", 0.5, ""),
        (1, "valve", 0.0, "shut"),
    ]
    assert list(request.policy.cross_checks) == ["lime"]
    assert (request.policy.view, request.policy.max_evaluations) == (3, 64)


def test_lists_run_over_all_pages(client: Client, script: Any) -> None:
    assert [model.name for model in client.models()] == [f"models/m{i}" for i in range(5)]
    assert script.names() == ["ListModels"] * 3
    assert [v.name for v in client.versions("pump")] == [
        "models/pump/versions/2",
        "models/pump/versions/1",
    ]
    assert [p.family for p in client.plugins()] == ["detectors", "quarantined"]
    script.operation = [operation(0.5)]
    assert [o.progress.share for o in client.operations()] == [0.5]


def test_the_other_verbs_reach_their_rpc(client: Client, script: Any) -> None:
    assert client.health() is Health.SERVING
    assert client.version("models/pump/versions/7").name == "models/pump/versions/7"
    plugin = client.plugin("detectors/knn")
    assert plugin.name == "plugins/detectors/knn"
    assert plugin.parameters_schema["properties"]["neighbours"]["minimum"] == 1
    client.delete_model("pump")
    client.delete_version("models/pump/versions/1")
    script.operation = [operation(0.5)]
    client.operation("f1").cancel()
    assert script.calls[-1][1].name == "operations/f1"
    request = models_pb2.GetModelRequest(name="models/raw")
    assert client.stubs.models.GetModel(request, timeout=1.0).name == "models/raw"


def test_a_fit_tells_its_progress_and_ends_in_a_version(client: Client, script: Any) -> None:
    script.operation = [operation(0.0), operation(0.5), operation(0.5), operation(1.0, done=True)]
    told: list[Progress] = []
    spec = PipelineSpec(Step("knn", {"neighbours": 5}), ("standardize",), false_alarm_rate=0.02)
    version = client.fit(
        "pump",
        np.ones((3, 2)),
        spec,
        labels=[False, True, False],
        progress=told.append,
        names=["a", "b"],
    )
    assert version.name == "models/pump/versions/1"
    assert [p.share for p in told] == [0.0, 0.5, 1.0]
    request = script.calls[0][1]
    assert request.labels == b"\0\1\0"
    assert request.request_id
    assert request.spec.detector.parameters["neighbours"] == 5
    assert PipelineSpec.of(request.spec) == PipelineSpec(
        Step("knn", {"neighbours": 5.0}), (Step("standardize"),), false_alarm_rate=0.02
    )


@pytest.mark.parametrize("by", ["", "asset", "asset_class"])
def test_a_spec_says_what_it_is_partitioned_by(by: str) -> None:
    spec = PipelineSpec(Step("knn"), partition_by=by)
    assert PipelineSpec.of(spec.message()) == spec


def test_an_unknown_partition_is_refused() -> None:
    with pytest.raises(InvalidParameterError, match="'site'"):
        PipelineSpec("knn", partition_by="site").message()


def test_a_version_tells_what_auto_took() -> None:
    message = models_pb2.ModelVersion(name="models/pump/versions/1")
    assert ModelVersion.of(message).choice is None
    message.choice.chosen_recipe = "vetted"
    message.choice.default_recipe = "sensors"
    message.choice.candidates.add(recipe="sensors", note="no labels")
    message.choice.candidates.add(
        recipe="vetted", average_precision=0.75, gain_low=0.125, gain_high=0.5
    )
    assert ModelVersion.of(message).choice == Choice(
        "vetted",
        "sensors",
        (
            Candidate("sensors", None, None, None, "no labels"),
            Candidate("vetted", 0.75, 0.125, 0.5, ""),
        ),
    )


def test_a_failed_fit_raises_what_it_failed_with(client: Client, script: Any) -> None:
    failed = operations_pb2.Operation(name="operations/f1", done=True)
    failed.error.CopyFrom(status_pb2.Status(code=9, message="3 rows"))
    info = failed.error.details.add()
    from google.rpc.error_details_pb2 import ErrorInfo

    info.Pack(ErrorInfo(reason="TOO_FEW_ROWS", domain="clarion"))
    script.operation = [failed]
    with pytest.raises(TooFewRowsError, match="3 rows"):
        client.fit("pump", np.ones((3, 2)), "knn")


def test_waiting_ends_in_time_and_the_fit_goes_on(client: Client, script: Any) -> None:
    script.operation = [operation(0.25)]
    handle = client.start_fit("pump", np.ones((3, 2)), "knn")
    with pytest.raises(DeadlineExceededError, match=r"25%.*runs on as operations/f1"):
        handle.wait(0.1)


def test_labels_are_truth_values(client: Client) -> None:
    with pytest.raises(InvalidParameterError, match="one truth value"):
        client.fit("pump", np.ones((2, 2)), "knn", labels=np.array([0, 2]))


def test_a_stream_answers_every_frame_in_order(client: Client, script: Any) -> None:
    frames = [np.full((2, 2), i, float) for i in range(20)]
    results = list(client.score_stream("pump", frames, window=3))
    assert [r.sequence for r in results] == list(range(20))
    np.testing.assert_array_equal(
        np.concatenate([r.scores for r in results]), np.repeat(range(20), 2) * 2.0
    )
    opening = next(request for name, request in script.calls if name == "ScoreStream").opening
    assert opening.model == "models/pump/versions/1"


def test_a_stream_opens_with_its_rules(client: Client, script: Any) -> None:
    rules = StreamRules("fdr", 0.2, recalibration="automatic")
    [result] = client.score_stream("pump", [np.ones((2, 2))], rules=rules)
    opening = next(request for name, request in script.calls if name == "ScoreStream").opening
    assert opening.alarm_rule == detection_pb2.ALARM_RULE_FDR
    assert opening.fdr == 0.2
    assert opening.recalibration == detection_pb2.RECALIBRATION_AUTOMATIC
    assert result.confidence is None
    for wrong in (StreamRules("fixed"), StreamRules(recalibration="auto")):
        with pytest.raises(InvalidParameterError, match="must be one of"):
            client.score_stream("pump", [], rules=wrong)


def test_what_a_reply_tells_of_its_stream_becomes_plain_values() -> None:
    p = np.array([0.5, 0.25])
    reply = detection_pb2.ScoreStreamResponse(
        scores=detection_pb2.Scores(values=p.tobytes(), p_values=p.tobytes(), anomalous=b"\0\1"),
        confidence=detection_pb2.StreamConfidence(
            row_count=9,
            rolling_p_values=(2 * p).tobytes(),
            levels=(p / 2).tobytes(),
            fdr_memory_rows=500.0,
            drift=detection_pb2.Drift(
                log10_martingale=2.5,
                alarmed=True,
                since=detection_pb2.StreamRow(number=7, event_time=Timestamp(seconds=3)),
                moved_signals=[detection_pb2.MovedSignal(signal="flow", spread_ratio=1.5)],
            ),
            recalibrated=[detection_pb2.CalibrationSpan(calibration_id="c", threshold=4.0)],
        ),
    )
    told = ScoreResult.of(reply).confidence
    assert told is not None
    assert told.levels is not None
    assert told.frozen_p_values.tolist() == p.tolist()
    assert told.rolling_p_values.tolist() == (2 * p).tolist()
    assert told.levels.tolist() == (p / 2).tolist()
    assert told.drift.since == StreamRow(7, np.datetime64(3, "s"))
    assert told.drift.moved_signals == (MovedSignal("flow", 0.0, 1.5, 0.0),)
    assert told.recalibrated == (CalibrationSpan(0, "c", 4.0),)
    assert told.proposal is None
    assert told.recalibrated_since is None
    reply.confidence.proposal.threshold = 3.0
    reply.confidence.frozen_p_values = p[::-1].tobytes()
    later = ScoreResult.of(reply).confidence
    assert later is not None
    assert later.proposal is not None
    assert later.proposal.threshold == 3.0
    assert later.frozen_p_values.tolist() == p[::-1].tolist()


def test_no_more_frames_are_drawn_than_the_window_allows(client: Client) -> None:
    drawn = 0

    def frames() -> Iterator[np.ndarray[Any, Any]]:
        nonlocal drawn
        while True:
            drawn += 1
            yield np.ones((1, 2))

    results = client.score_stream("pump", frames(), window=3)
    for answered in range(1, 5):
        next(results)
        time.sleep(0.05)
        assert drawn <= answered + 3 + 1  # one more is drawn, and waits for its turn
    assert drawn >= 4
    results.close()  # type: ignore[attr-defined]  # an Iterator by contract, a generator in fact


def test_what_the_frames_raise_comes_after_the_answers_before_it(client: Client) -> None:
    def frames() -> Iterator[np.ndarray[Any, Any]]:
        yield np.ones((1, 2))
        yield np.ones((1, 2))
        raise OSError("the sensor is gone")

    results = client.score_stream("pump", frames())
    seen = [next(results).sequence, next(results).sequence]
    with pytest.raises(OSError, match="the sensor is gone"):
        next(results)
    assert seen == [0, 1]
    with pytest.raises(InvalidParameterError, match="window must be at least 1"):
        client.score_stream("pump", [], window=0)


def test_tls_is_spoken_where_the_roots_are_given(secure: tuple[str, bytes]) -> None:
    target, certificate = secure
    with Client.connect(target, timeout_s=5.0, root_certificates=certificate) as client:
        assert client.model("pump").name == "models/pump"
    with (
        Client.connect(target, timeout_s=5.0, tls=True) as client,
        pytest.raises(UnavailableError),  # nobody vouches for that certificate
    ):
        client.model("pump")
    with pytest.raises(InvalidParameterError, match="needs its private key"):
        Client.connect(target, certificate=certificate)


def test_the_client_needs_nothing_of_the_server() -> None:
    code = (
        "import sys, clarion_client; bad = {'clarion', 'sklearn', 'pandas', 'scipy', 'numba'};"
        "sys.exit(str(bad & set(sys.modules)) if bad & set(sys.modules) else 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
