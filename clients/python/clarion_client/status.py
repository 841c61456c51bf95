"""From a gRPC status, with its ``google.rpc`` details, to the typed error it stands for."""

from __future__ import annotations

from typing import Any

import grpc
from google.protobuf.message import DecodeError, Message
from google.rpc import error_details_pb2, status_pb2

from clarion_client.errors import BY_CODE, BY_REASON, ClarionError, FieldViolation

_CODES = {code.value[0]: code for code in grpc.StatusCode}
_REQUEST_ID = "x-request-id"
_DETAILS = "grpc-status-details-bin"

_NOWHERE = (
    "no server answers at {target}: {message}; is it running (`clarion serve`), and is the "
    "address right?"
)


def from_call(error: grpc.RpcError, target: str) -> ClarionError:
    """Return the typed error of a call that failed; ``target`` is where it went."""
    call: Any = error  # what a stub raises is a grpc.Call too, which the stubs of types cannot say
    code = call.code()
    message = call.details() or code.name
    trailing = {str(key): value for key, value in call.trailing_metadata() or ()}
    status = _status(trailing.get(_DETAILS, b""))
    found = _from_details(code, status.message or message, status)
    found.request_id = found.request_id or str(trailing.get(_REQUEST_ID, ""))
    if code is grpc.StatusCode.UNAVAILABLE and not status.details:
        found.message = _NOWHERE.format(target=target, message=message)
        found.args = (found.message,)
    return found


def from_status(status: status_pb2.Status) -> ClarionError:
    """Return the typed error of a status on its own, such as a failed operation's."""
    code = _CODES.get(status.code, grpc.StatusCode.UNKNOWN)
    return _from_details(code, status.message, status)


def _from_details(code: grpc.StatusCode, message: str, status: status_pb2.Status) -> ClarionError:
    info, retry, request = (
        error_details_pb2.ErrorInfo(),
        error_details_pb2.RetryInfo(),
        error_details_pb2.RequestInfo(),
    )
    bad = error_details_pb2.BadRequest()
    _unpack(status, info, retry, request, bad)
    kind = BY_REASON.get(info.reason) or BY_CODE.get(code, ClarionError)
    return kind(
        message,
        code=code,
        reason=info.reason or (kind.reason if kind is not ClarionError else code.name),
        metadata=info.metadata,
        violations=[FieldViolation(v.field, v.description) for v in bad.field_violations],
        request_id=request.request_id,
        retry_delay_s=_seconds(retry),
    )


def _unpack(status: status_pb2.Status, *wanted: Message) -> None:
    for packed in status.details:
        for message in wanted:
            packed.Unpack(message)  # does nothing where the types differ


def _seconds(retry: error_details_pb2.RetryInfo) -> float | None:
    if not retry.HasField("retry_delay"):
        return None
    return retry.retry_delay.seconds + retry.retry_delay.nanos / 1e9


def _status(packed: bytes) -> status_pb2.Status:
    try:
        return status_pb2.Status.FromString(packed)
    except DecodeError:
        return status_pb2.Status()
