"""Starting, stopping, health, and what a client may do to a server."""

from __future__ import annotations

import queue
import signal
import time
from functools import partial
from typing import Any

import grpc
import numpy as np
import pytest
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)

from clarion_api.v1 import detection_pb2 as pb

Code = grpc.StatusCode
SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
SERVICES = {
    "clarion.v1.DetectionService",
    "clarion.v1.ModelService",
    "clarion.v1.PluginService",
    "google.longrunning.Operations",
}


def slow_request(wire: Any, seconds: float) -> pb.ScoreRequest:
    """Return a request that the model `sleeps` takes so long for."""
    rows = np.array([[0.0, 0.0, 1000.0 + seconds]])
    policy = pb.ExplanationPolicy(rows=pb.EXPLAINED_ROWS_NONE)
    return pb.ScoreRequest(model="models/sleeps", frame=wire.matrix(rows), policy=policy)


@pytest.fixture
def sleepy(start_server: Any, troubled: Any) -> Any:
    """A server of its own with a model that is as slow as it is asked to be."""
    return start_server(models_of=troubled, drain_seconds=10)


def test_health_answers_for_every_service(server: Any) -> None:
    for service in ("", *SERVICES):
        request = health_pb2.HealthCheckRequest(service=service)
        assert server.health.Check(request).status == SERVING


def test_reflection_describes_the_services_if_it_is_on(server: Any, troubled: Any) -> None:
    database = ProtoReflectionDescriptorDatabase(server.channel)
    assert set(database.get_services()) >= SERVICES
    with pytest.raises(grpc.RpcError) as caught:
        list(ProtoReflectionDescriptorDatabase(troubled.channel).get_services())
    assert caught.value.code() is Code.UNIMPLEMENTED


def test_a_call_in_flight_is_finished_and_new_ones_are_turned_away(sleepy: Any, wire: Any) -> None:
    assert len(sleepy.detection.Score(slow_request(wire, 0.0)).scores.values) == 8
    watch = sleepy.health.Watch(health_pb2.HealthCheckRequest())
    assert next(watch).status == SERVING
    call = sleepy.detection.Score.future(slow_request(wire, 4.0), timeout=30)
    time.sleep(1.5)
    sleepy.process.send_signal(signal.SIGTERM)
    assert next(watch).status == NOT_SERVING
    failure = wire.failure(lambda: sleepy.detection.Score(slow_request(wire, 0.0)))
    assert (failure.code, failure.reason) == (Code.UNAVAILABLE, "DRAINING")
    assert failure.details["RetryInfo"].retry_delay.ToMilliseconds() > 0
    assert not call.done()
    assert len(call.result().scores.values) == 8
    assert sleepy.process.wait(15) == 0
    assert "leaked" not in sleepy.logged()


def test_a_stream_is_told_of_the_end_once_its_frame_is_answered(sleepy: Any, wire: Any) -> None:
    requests: queue.Queue[Any] = queue.Queue()
    answers = sleepy.detection.ScoreStream(iter(requests.get, None))
    quiet = slow_request(wire, 0.0).policy
    opening = pb.StreamOpening(model="models/sleeps", policy=quiet)
    requests.put(pb.ScoreStreamRequest(opening=opening))
    for number, seconds in enumerate((0.0, 3.0)):
        frame = slow_request(wire, seconds).frame
        requests.put(pb.ScoreStreamRequest(frame=pb.StreamFrame(sequence=number, frame=frame)))
    assert next(answers).sequence == 0
    time.sleep(1.0)
    sleepy.process.send_signal(signal.SIGTERM)
    assert next(answers).sequence == 1
    failure = wire.failure(lambda: next(answers))
    requests.put(None)
    assert (failure.code, failure.reason) == (Code.UNAVAILABLE, "DRAINING")
    assert sleepy.process.wait(15) == 0


def test_a_stream_that_was_never_opened_does_not_hold_the_exit(sleepy: Any, wire: Any) -> None:
    requests: queue.Queue[Any] = queue.Queue()
    answers = sleepy.detection.ScoreStream(iter(requests.get, None))
    time.sleep(0.5)
    begun = time.monotonic()
    assert sleepy.stop(signal.SIGTERM) == 0
    assert time.monotonic() - begun < 5
    requests.put(None)
    assert wire.failure(lambda: next(answers)).code is Code.UNAVAILABLE


def test_work_that_outlasts_the_drain_does_not_hold_the_exit(
    start_server: Any, troubled: Any, wire: Any
) -> None:
    server = start_server(models_of=troubled, drain_seconds=0.5)
    call = server.detection.Score.future(slow_request(wire, 60.0), timeout=30)
    time.sleep(0.5)
    begun = time.monotonic()
    assert server.stop(signal.SIGINT) == 0
    assert time.monotonic() - begun < 10
    assert call.exception() is not None


def test_a_second_server_on_the_same_folder_or_port_does_not_start(
    server: Any, tmp_path: Any
) -> None:
    with pytest.raises(AssertionError, match="another server uses the data folder"):
        type(server)(server.data_dir).start()
    taken = {"CLARION_PORT": server.address.rpartition(":")[2]}
    other = type(server)(tmp_path / "data", taken)
    with pytest.raises(AssertionError, match="did not start"):
        other.start()
    assert other.process.wait(10) == 1
    assert server.health.Check(health_pb2.HealthCheckRequest()).status == SERVING


def test_a_client_that_vanishes_mid_stream_leaves_nothing_behind(
    start_server: Any, server: Any, wire: Any
) -> None:
    server = start_server(models_of=server, max_streams=2)
    opening = pb.ScoreStreamRequest(opening=pb.StreamOpening(model="models/pump"))
    frame = pb.StreamFrame(sequence=0, frame=wire.matrix(wire.normal_rows(1000)))

    for how in ("cancel", "close"):
        for _ in range(2):
            channel = grpc.insecure_channel(server.address, [("grpc.use_local_subchannel_pool", 1)])
            requests: queue.Queue[Any] = queue.Queue()
            stream = channel.stream_stream(
                "/clarion.v1.DetectionService/ScoreStream",
                request_serializer=pb.ScoreStreamRequest.SerializeToString,
                response_deserializer=pb.ScoreStreamResponse.FromString,
            )(iter(requests.get, None))
            requests.put(opening)
            requests.put(pb.ScoreStreamRequest(frame=frame))
            assert next(stream).sequence == 0
            stream.cancel() if how == "cancel" else channel.close()
            requests.put(None)
        # Both slots are free again: two streams open, and no third.
        waiting: queue.Queue[Any] = queue.Queue()
        end = time.monotonic() + 10
        while True:
            try:
                streams = [opened(server, opening, frame, waiting) for _ in range(2)]
                break
            except grpc.RpcError:
                assert time.monotonic() < end, "the slots were not given back"
                time.sleep(0.1)
        failure = wire.failure(partial(opened, server, opening, frame, waiting))
        assert (failure.code, failure.reason) == (Code.RESOURCE_EXHAUSTED, "LIMIT_EXCEEDED")
        for stream in streams:
            stream.cancel()
        for _ in range(9):
            waiting.put(None)
    assert server.stop() == 0


def opened(server: Any, opening: Any, frame: Any, waiting: Any) -> Any:
    """Open a stream that stays open, and see its first answer."""

    def requests() -> Any:
        yield opening
        yield pb.ScoreStreamRequest(frame=frame)
        waiting.get()

    stream = server.detection.ScoreStream(requests())
    next(stream)
    return stream


def test_a_message_over_the_limit_is_refused_by_its_size(
    start_server: Any, server: Any, wire: Any
) -> None:
    server = start_server(models_of=server, max_message_bytes=100_000, max_rows=1000)
    with pytest.raises(grpc.RpcError) as caught:
        server.score(wire.normal_rows(10_000))
    assert caught.value.code() is Code.RESOURCE_EXHAUSTED
    with pytest.raises(grpc.RpcError) as caught:
        server.scored(wire.matrix(wire.normal_rows(1)), metadata=[("x-large", "x" * 40_000)])
    assert caught.value.code() is Code.RESOURCE_EXHAUSTED
    failure = wire.failure(lambda: server.score(wire.normal_rows(1001)))
    assert (failure.code, failure.reason) == (Code.RESOURCE_EXHAUSTED, "LIMIT_EXCEEDED")
    assert failure.metadata == {"rows": "1001", "limit": "1000"}
    assert server.stop() == 0


def test_too_many_calls_at_once_are_told_to_come_back(sleepy: Any, wire: Any) -> None:
    sleepy.stop()
    sleepy.environment |= {"CLARION_MAX_WAITING": "2", "CLARION_SCORE_WORKERS": "1"}
    sleepy.start()
    sleepy.detection.Score(slow_request(wire, 0.0))
    calls = [sleepy.detection.Score.future(slow_request(wire, 1.5)) for _ in range(2)]
    time.sleep(0.5)
    failure = wire.failure(lambda: sleepy.detection.Score(slow_request(wire, 1.5)))
    assert (failure.code, failure.reason) == (Code.RESOURCE_EXHAUSTED, "LIMIT_EXCEEDED")
    assert failure.details["RetryInfo"].retry_delay.ToMilliseconds() > 0
    assert [len(call.result().scores.values) for call in calls] == [8, 8]
    sleepy.detection.Score(slow_request(wire, 0.0))
