from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from google.protobuf import any_pb2
from google.protobuf.duration_pb2 import Duration
from google.rpc import error_details_pb2, status_pb2

import clarion.errors as server_errors
import clarion_client
from clarion_client import ClarionError, Client
from clarion_client.errors import BY_REASON
from clarion_client.status import from_status


def status(code: grpc.StatusCode, message: str = "boom", *details: Any) -> status_pb2.Status:
    out = status_pb2.Status(code=code.value[0], message=message)
    for detail in details:
        packed = any_pb2.Any()
        packed.Pack(detail)
        out.details.append(packed)
    return out


def info(reason: str, **metadata: str) -> error_details_pb2.ErrorInfo:
    return error_details_pb2.ErrorInfo(reason=reason, domain="clarion", metadata=metadata)


def family(root: type[Exception]) -> Iterator[type[Any]]:
    for child in root.__subclasses__():
        yield child
        yield from family(child)


def taxonomy() -> list[type[Any]]:
    """Return the classes of the taxonomy; what a server room derives from one travels as that one."""
    every = family(server_errors.ClarionError)
    return [error for error in every if error.__module__ == server_errors.__name__]


@pytest.mark.parametrize("error", taxonomy(), ids=lambda e: e.reason)
def test_every_error_of_the_server_has_a_class_of_its_name_here(error: type[Any]) -> None:
    mine = BY_REASON[error.reason]
    assert mine.__name__ == error.__name__
    assert getattr(clarion_client, error.__name__) is mine
    parents = {kind.__name__ for kind in mine.__mro__}
    assert {kind.__name__ for kind in error.__mro__} <= parents


def test_a_status_keeps_all_that_the_server_said() -> None:
    bad = error_details_pb2.BadRequest()
    bad.field_violations.add(field="frame.matrix.values", description="7 bytes")
    error = from_status(
        status(
            grpc.StatusCode.INVALID_ARGUMENT,
            "the matrix has 7 bytes",
            info("INVALID_FRAME", signal="flow"),
            bad,
            error_details_pb2.RequestInfo(request_id="r-9"),
            error_details_pb2.RetryInfo(retry_delay=Duration(seconds=2, nanos=500_000_000)),
        )
    )
    assert type(error) is clarion_client.InvalidFrameError
    assert str(error) == error.message == "the matrix has 7 bytes"
    assert (error.code, error.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FRAME")
    assert error.metadata == {"signal": "flow"}
    assert [(v.field, v.description) for v in error.violations] == [
        ("frame.matrix.values", "7 bytes")
    ]
    assert (error.request_id, error.retry_delay_s) == ("r-9", 2.5)


@pytest.mark.parametrize(
    ("code", "name"),
    [
        (grpc.StatusCode.NOT_FOUND, "NotFoundError"),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, "LimitExceededError"),
        (grpc.StatusCode.DATA_LOSS, "ArtifactCorruptError"),
        (grpc.StatusCode.UNIMPLEMENTED, "ClarionError"),
    ],
)
def test_a_reason_of_a_newer_server_falls_back_to_the_code(
    code: grpc.StatusCode, name: str
) -> None:
    error = from_status(status(code, "boom", info("BRAND_NEW")))
    assert (type(error).__name__, error.reason) == (name, "BRAND_NEW")
    bare = from_status(status(code))
    assert type(bare).__name__ == name
    assert bare.reason == (bare.code.name if name == "ClarionError" else type(bare).reason)


def test_a_refused_call_raises_the_typed_error(client: Client, script: Any) -> None:
    script.refusals = [status(grpc.StatusCode.NOT_FOUND, "no 'x'", info("MODEL_NOT_FOUND"))]
    script.trailing = (("x-request-id", "r-1"),)
    with pytest.raises(clarion_client.ModelNotFoundError, match="no 'x'") as raised:
        client.model("x")
    assert raised.value.request_id == "r-1"
    assert isinstance(raised.value.__cause__, grpc.RpcError)


def test_only_unavailable_is_retried(client: Client, script: Any) -> None:
    script.refusals = [status(grpc.StatusCode.UNAVAILABLE, "later", info("DRAINING"))] * 2
    assert client.model("pump").name == "models/pump"
    assert script.names() == ["GetModel"] * 3
    script.calls.clear()
    script.refusals = [status(grpc.StatusCode.INTERNAL, "bug")]
    with pytest.raises(clarion_client.InternalError):
        client.model("pump")
    assert script.names() == ["GetModel"]


def test_a_server_that_goes_on_draining_is_said_to_drain(client: Client, script: Any) -> None:
    script.refusals = [status(grpc.StatusCode.UNAVAILABLE, "later", info("DRAINING"))] * 9
    with pytest.raises(clarion_client.DrainingError, match=r"^later$"):
        client.model("pump")
    assert script.names() == ["GetModel"] * 4


def test_no_server_is_said_with_the_cure() -> None:
    with (
        Client.connect("localhost:1", timeout_s=5.0) as client,
        pytest.raises(clarion_client.UnavailableError, match=r"localhost:1.*clarion serve"),
    ):
        client.model("pump")


def test_every_call_has_the_deadline_asked_for(target: str, script: Any) -> None:
    with Client.connect(target, timeout_s=1.0) as client:
        client.model("pump")
        assert 0 < script.deadlines[0] < 1.1  # clocks differ by a little
        script.delay_s = 1.5
        with pytest.raises(clarion_client.DeadlineExceededError):
            client.model("pump")


def test_all_errors_are_one_family() -> None:
    assert all(issubclass(kind, ClarionError) for kind in BY_REASON.values())
    with pytest.raises(clarion_client.InvalidParameterError, match="timeout_s must be above 0"):
        Client.connect("localhost:1", timeout_s=0)
