"""Long explanations run in a spawned process that loads the model by its digest."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from clarion_api.v1 import detection_pb2 as pb

ALL = pb.ExplanationPolicy(
    rows=pb.EXPLAINED_ROWS_ALL, explainer="permutation_shap", cross_checks=["lime"]
)


@pytest.fixture
def own(start_server: Any, server: Any) -> Any:
    """A server of the test's own."""
    return start_server(models_of=server)


@pytest.fixture(scope="module")
def shared(start_server: Any, server: Any) -> Any:
    """A server for the tests that leave it as it was."""
    return start_server(models_of=server)


def explained(server: Any, wire: Any, **request: Any) -> tuple[pb.ScoreResponse, dict[str, Any]]:
    request.setdefault("policy", ALL)
    answer: tuple[pb.ScoreResponse, dict[str, Any]] = server.scored(
        wire.matrix(wire.normal_rows(30, seed=1)), **request
    )
    return answer


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0]
    except FileNotFoundError:
        return False
    return state != "Z"


def gone(pid: int) -> bool:
    """Return whether the process ends within seconds."""
    end = time.monotonic() + 10
    while alive(pid) and time.monotonic() < end:
        time.sleep(0.05)
    return not alive(pid)


def parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()[1])


def test_an_explanation_in_a_process_has_the_very_bytes_of_one_in_the_server(
    own: Any, wire: Any, start_server: Any
) -> None:
    there, trailer = explained(own, wire)
    pid = int(trailer["clarion-worker-pid"])
    assert trailer["clarion-where"] == "process"
    assert alive(pid)
    assert parent(pid) == own.process.pid
    own.stop()
    assert gone(pid)
    within = start_server(own.data_dir, explain_workers=0)
    here, trailer = explained(within, wire)
    assert trailer["clarion-where"] == "thread"
    assert "clarion-worker-pid" not in trailer
    assert here.scores.model_digest == there.scores.model_digest
    assert here.SerializeToString(deterministic=True) == there.SerializeToString(deterministic=True)


def test_a_stream_remembers_across_the_process(shared: Any, wire: Any) -> None:
    shared.fit("windowed", features=("window_statistics",))
    rows = wire.normal_rows(60, seed=5)
    policy = pb.ExplanationPolicy(rows=pb.EXPLAINED_ROWS_ALL, explainer="permutation_shap")

    def requests() -> Any:
        yield pb.ScoreStreamRequest(
            opening=pb.StreamOpening(model="models/windowed", policy=policy)
        )
        for number, part in enumerate((rows[:9], rows[9:40], rows[40:])):
            frame = pb.StreamFrame(sequence=number, frame=wire.matrix(part))
            yield pb.ScoreStreamRequest(frame=frame)

    stream = shared.detection.ScoreStream(requests())
    answers = list(stream)
    whole, trailer = shared.scored(wire.matrix(rows), "windowed", policy=policy)
    assert trailer["clarion-where"] == "process"
    assert dict(stream.trailing_metadata())["clarion-where"] == "process"
    assert b"".join(a.scores.values for a in answers) == whole.scores.values
    cut = b"".join(a.attributions.contributions for a in answers)
    assert cut == whole.attributions.contributions


def test_only_what_needs_explaining_goes_to_the_process(shared: Any, wire: Any) -> None:
    quiet = pb.ExplanationPolicy(explainer="permutation_shap", cross_checks=["lime"])
    rows = 0.1 * wire.normal_rows(200)
    first, trailer = shared.scored(wire.matrix(rows), policy=quiet)
    assert trailer["clarion-where"] in ("inline", "thread")
    none = pb.ExplanationPolicy(rows=pb.EXPLAINED_ROWS_NONE)
    assert shared.scored(wire.matrix(rows), policy=none)[0] == first
    rows[::3, 1] = 9.0
    response, trailer = shared.scored(wire.matrix(rows), policy=quiet)
    assert trailer["clarion-where"] == "process"
    assert len(response.explanations) == 67


def test_a_killed_process_is_replaced_and_the_call_answered(shared: Any, wire: Any) -> None:
    before, trailer = explained(shared, wire)
    old = int(trailer["clarion-worker-pid"])
    os.kill(old, signal.SIGKILL)
    after, trailer = explained(shared, wire)
    assert int(trailer["clarion-worker-pid"]) != old
    assert after == before
    assert "explaining process died" in shared.logged()


def test_no_process_outlives_a_server_that_is_killed(own: Any, wire: Any) -> None:
    _, trailer = explained(own, wire)
    pid = int(trailer["clarion-worker-pid"])
    own.stop(signal.SIGKILL)
    assert gone(pid)


def test_a_model_deleted_under_a_stream_is_explained_to_its_end(own: Any, wire: Any) -> None:
    from clarion_api.v1 import models_pb2

    answers: list[pb.ScoreStreamResponse] = []

    def requests() -> Any:
        yield pb.ScoreStreamRequest(opening=pb.StreamOpening(model="models/pump", policy=ALL))
        for number in range(2):
            frame = wire.matrix(wire.normal_rows(30, seed=1))
            yield pb.ScoreStreamRequest(frame=pb.StreamFrame(sequence=number, frame=frame))
            while len(answers) <= number:
                time.sleep(0.01)
            if number == 0:
                own.models.DeleteModel(models_pb2.DeleteModelRequest(name="models/pump"))
                os.kill(int(first_pid), signal.SIGKILL)  # the next one has to load it again

    _, trailer = explained(own, wire)
    first_pid = trailer["clarion-worker-pid"]
    stream = own.detection.ScoreStream(requests())
    for answer in stream:
        answer.ClearField("sequence")
        answer.ClearField("confidence")  # it grows with the stream
        answers.append(answer)
    assert answers[0] == answers[1]
    assert len(answers[1].explanations) == 30
    assert dict(stream.trailing_metadata())["clarion-where"] == "thread"


def test_a_caller_who_goes_frees_the_process_that_explains(shared: Any, wire: Any) -> None:
    """It leaves off after the row at hand, of many."""
    rows = 40
    long = pb.ExplanationPolicy(
        rows=pb.EXPLAINED_ROWS_ALL, explainer="permutation_shap", max_evaluations=400_000
    )

    def asked(count: int, seed: int) -> pb.ScoreRequest:
        frame = wire.matrix(wire.normal_rows(count, seed=seed))
        return pb.ScoreRequest(model="models/pump", frame=frame, policy=long)

    shared.detection.Score(asked(1, seed=2), timeout=60)  # what it takes is known from now on
    begun = time.monotonic()
    shared.detection.Score(asked(1, seed=3), timeout=60)
    one = time.monotonic() - begun
    whole = shared.detection.Score.future(asked(rows, seed=4), timeout=120)
    time.sleep(2 * one)
    assert not whole.done()
    whole.cancel()
    begun = time.monotonic()
    _, call = shared.detection.Score.with_call(asked(1, seed=5), timeout=120)
    assert dict(call.trailing_metadata())["clarion-where"] == "process"
    assert time.monotonic() - begun < one * rows / 3
