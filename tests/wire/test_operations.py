"""Fits are long-running operations: followed, cancelled, kept over a restart."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import pytest
from google.longrunning import operations_pb2 as ops

from clarion_api.v1 import models_pb2

Code = grpc.StatusCode


def metadata(operation: ops.Operation) -> models_pb2.FitModelMetadata:
    message = models_pb2.FitModelMetadata()
    assert operation.metadata.Unpack(message)
    return message


def get(server: Any, name: str) -> ops.Operation:
    operation: ops.Operation = server.operations.GetOperation(ops.GetOperationRequest(name=name))
    return operation


def reason(wire: Any, operation: ops.Operation) -> str:
    found: str = wire.unpacked(operation.error.details)["ErrorInfo"].reason
    return found


def slow(server: Any, model: str, steps: int = 5000, **more: Any) -> ops.Operation:
    operation: ops.Operation = server.start_fit(
        model, detector="fits_slowly", parameters={"steps": steps}, **more
    )
    return operation


def until(condition: Callable[[], bool], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.05)


@pytest.fixture
def cancelled(troubled: Any) -> Any:
    """Names of operations to cancel at the end of a test."""
    names: list[str] = []
    yield names
    for name in names:
        troubled.operations.CancelOperation(ops.CancelOperationRequest(name=name))
        troubled.wait(name)


def test_a_fit_tells_how_far_it_is(troubled: Any, cancelled: list[str]) -> None:
    operation = slow(troubled, "followed", steps=400)
    cancelled.append(operation.name)
    assert not operation.done
    assert metadata(operation).model == "models/followed"
    shares = set()
    until(lambda: metadata(get(troubled, operation.name)).progress > 0)
    for _ in range(3):
        time.sleep(0.7)
        shares.add(metadata(get(troubled, operation.name)).progress)
    assert len(shares) >= 2
    assert all(0 < share < 1 for share in shares)
    assert metadata(get(troubled, operation.name)).stage.startswith("step")


def test_waiting_ends_with_the_operation_or_the_timeout(
    troubled: Any, cancelled: list[str]
) -> None:
    operation = slow(troubled, "awaited")
    cancelled.append(operation.name)
    begun = time.monotonic()
    assert not troubled.wait(operation.name, 0.3).done
    assert 0.2 < time.monotonic() - begun < 5
    begun = time.monotonic()
    quick = troubled.start_fit("quick", request_id="")
    troubled.operations.CancelOperation(ops.CancelOperationRequest(name=operation.name))
    assert troubled.wait(quick.name, 30).done
    assert time.monotonic() - begun < 20


def test_a_cancelled_fit_leaves_no_model(troubled: Any, wire: Any) -> None:
    operation = slow(troubled, "unwanted")
    until(lambda: metadata(get(troubled, operation.name)).progress > 0)
    troubled.operations.CancelOperation(ops.CancelOperationRequest(name=operation.name))
    done = troubled.wait(operation.name)
    assert done.error.code == Code.CANCELLED.value[0]
    assert reason(wire, done) == "CANCELLED"
    assert not list(troubled.data_dir.rglob("unwanted"))
    # Cancelling what has ended changes nothing.
    troubled.operations.CancelOperation(ops.CancelOperationRequest(name=operation.name))
    assert get(troubled, operation.name) == done


def test_a_second_fit_under_the_same_name_is_refused_while_the_first_runs(
    troubled: Any, wire: Any, cancelled: list[str]
) -> None:
    operation = slow(troubled, "contested")
    cancelled.append(operation.name)
    failure = wire.failure(lambda: troubled.start_fit("contested"))
    assert (failure.code, failure.reason) == (Code.ABORTED, "FIT_IN_PROGRESS")
    assert failure.metadata == {"model": "contested", "operation": operation.name}
    delete = models_pb2.DeleteModelRequest(name="models/contested")
    assert wire.failure(lambda: troubled.models.DeleteModel(delete)).code is Code.ABORTED
    troubled.operations.CancelOperation(ops.CancelOperationRequest(name=operation.name))
    troubled.wait(operation.name)
    assert troubled.fit("contested").name == "models/contested/versions/1"


def test_two_fits_at_the_same_instant_make_one(server: Any, wire: Any) -> None:
    def start(_: int) -> str:
        try:
            return str(server.start_fit("instant", wire.normal_rows(20_000)).name)
        except grpc.RpcError as error:
            return str(error.code())

    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(start, range(4)))
    names = [result for result in results if result.startswith("operations/")]
    assert results.count("StatusCode.ABORTED") == 4 - len(names)
    for name in names:
        server.wait(name)
    request = models_pb2.ListModelVersionsRequest(parent="models/instant")
    assert len(server.models.ListModelVersions(request).model_versions) == len(names)


def test_a_request_id_starts_one_fit_however_often_it_is_sent(server: Any) -> None:
    with ThreadPoolExecutor(4) as pool:
        names = set(
            pool.map(lambda _: server.start_fit("once", request_id="fit-once").name, range(8))
        )
    assert len(names) == 1
    done = server.wait(names.pop())
    assert server.start_fit("once", request_id="fit-once").name == done.name
    assert server.start_fit("other", request_id="fit-once").name == done.name
    request = models_pb2.GetModelRequest(name="models/once")
    assert server.models.GetModel(request).version_count == 1


def test_operations_are_listed_newest_first_in_pages(server: Any) -> None:
    made = [server.start_fit(f"listed-{i}").name for i in range(3)]
    for name in made:
        server.wait(name)
    seen: list[str] = []
    token = ""
    while True:
        request = ops.ListOperationsRequest(name="operations", page_size=2, page_token=token)
        page = server.operations.ListOperations(request)
        assert len(page.operations) <= 2
        seen += [operation.name for operation in page.operations]
        token = page.next_page_token
        if not token:
            break
    assert seen[:3] == made[::-1]
    assert len(set(seen)) == len(seen)


def test_what_names_no_operation_is_not_found(server: Any, wire: Any) -> None:
    for name in ("operations/none", "operations/", "pump", ""):
        failure = wire.failure(lambda name=name: get(server, name))
        assert (failure.code, failure.reason) == (Code.NOT_FOUND, "OPERATION_NOT_FOUND")


def test_an_operation_is_forgotten_once_it_has_ended(
    troubled: Any, wire: Any, cancelled: list[str]
) -> None:
    operation = slow(troubled, "remembered")
    request = ops.DeleteOperationRequest(name=operation.name)
    failure = wire.failure(lambda: troubled.operations.DeleteOperation(request))
    assert failure.code is Code.FAILED_PRECONDITION
    troubled.operations.CancelOperation(ops.CancelOperationRequest(name=operation.name))
    troubled.wait(operation.name)
    troubled.operations.DeleteOperation(request)
    assert wire.failure(lambda: get(troubled, operation.name)).code is Code.NOT_FOUND


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_fit_that_a_stop_cut_short_has_failed_and_all_else_is_kept(
    start_server: Any, troubled: Any, wire: Any, number: int
) -> None:
    path = {"PYTHONPATH": troubled.environment["PYTHONPATH"]}
    server = start_server(environment=path, drain_seconds=0.2)
    version = server.fit()
    before = server.score(wire.normal_rows(5))
    cut = slow(server, "cut", request_id="cut")
    until(lambda: metadata(get(server, cut.name)).progress > 0)
    assert server.stop(number) == (0 if number == signal.SIGTERM else -number)
    server.start()
    done = get(server, cut.name)
    assert done.done
    assert done.error.code == Code.ABORTED.value[0]
    assert reason(wire, done) == "INTERRUPTED"
    assert server.start_fit("cut", request_id="cut").name == cut.name
    assert not list(server.data_dir.rglob("cut"))
    assert not list((server.data_dir / "models" / "staging").iterdir())
    request = models_pb2.GetModelVersionRequest(name="models/pump")
    assert server.models.GetModelVersion(request) == version
    assert server.score(wire.normal_rows(5)) == before
    assert server.stop() == 0
