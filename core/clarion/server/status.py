"""Errors as gRPC statuses: one table from class to code, and the details that go with each."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import grpc
from google.protobuf import any_pb2, duration_pb2
from google.protobuf.message import Message
from google.rpc import error_details_pb2 as details
from google.rpc import status_pb2

from clarion import errors
from clarion.errors import ClarionError

DOMAIN = "clarion"
INTERNAL_TEXT = "internal error; the server's log has the cause under this call's request id"
MAX_MESSAGE_BYTES = 600
MAX_VALUE_BYTES = 200
MAX_ENTRIES = 6
"""Statuses travel in headers, of which clients take 8 kB: texts and lists are cut to fit."""
RETRY_SECONDS = 1.0
"""When a caller may try again, where only load or a shutdown was in the way."""

Details = Callable[[ClarionError], list[Message]]


class Row(NamedTuple):
    """A code, and what makes the details beside `ErrorInfo`."""

    code: grpc.StatusCode
    details: Details


def _none(error: ClarionError) -> list[Message]:
    return []


def _bad_request(error: ClarionError) -> list[Message]:
    violations = getattr(error, "violations", ((error.field, error.message),))
    request = details.BadRequest()
    for field, description in violations[:MAX_ENTRIES]:
        request.field_violations.add(
            field=cut(field), description=cut(description), reason=error.reason
        )
    return [request]


def _resource(error: ClarionError) -> list[Message]:
    kind, name = next(iter(error.metadata.items()), ("", ""))
    return [
        details.ResourceInfo(
            resource_type=kind, resource_name=cut(name), description=cut(error.message)
        )
    ]


def _precondition(error: ClarionError) -> list[Message]:
    failure = details.PreconditionFailure()
    subject = next(iter(error.metadata.values()), "")
    failure.violations.add(
        type=error.reason, subject=cut(error.field or subject), description=cut(error.message)
    )
    return [failure, *([] if not error.field else _bad_request(error))]


def _retry(error: ClarionError) -> list[Message]:
    delay = duration_pb2.Duration()
    delay.FromNanoseconds(int(RETRY_SECONDS * 1e9))
    return [details.RetryInfo(retry_delay=delay)]


def _quota(error: ClarionError) -> list[Message]:
    failure = details.QuotaFailure()
    failure.violations.add(subject=cut(error.field or "server"), description=cut(error.message))
    return [failure, *_retry(error)]


TABLE: dict[type[ClarionError], Row] = {
    errors.InvalidFrameError: Row(grpc.StatusCode.INVALID_ARGUMENT, _bad_request),
    errors.InvalidParameterError: Row(grpc.StatusCode.INVALID_ARGUMENT, _bad_request),
    errors.NotFoundError: Row(grpc.StatusCode.NOT_FOUND, _resource),
    errors.AlreadyExistsError: Row(grpc.StatusCode.ALREADY_EXISTS, _resource),
    errors.PreconditionError: Row(grpc.StatusCode.FAILED_PRECONDITION, _precondition),
    errors.FitInProgressError: Row(grpc.StatusCode.ABORTED, _none),
    errors.OperationInterruptedError: Row(grpc.StatusCode.ABORTED, _none),
    errors.LimitExceededError: Row(grpc.StatusCode.RESOURCE_EXHAUSTED, _quota),
    errors.DrainingError: Row(grpc.StatusCode.UNAVAILABLE, _retry),
    errors.UnauthenticatedError: Row(grpc.StatusCode.UNAUTHENTICATED, _none),
    errors.PermissionDeniedError: Row(grpc.StatusCode.PERMISSION_DENIED, _none),
    errors.OperationCancelledError: Row(grpc.StatusCode.CANCELLED, _none),
    errors.ArtifactCorruptError: Row(grpc.StatusCode.DATA_LOSS, _none),
    errors.PluginError: Row(grpc.StatusCode.INTERNAL, _none),
}
"""A class without a row of its own has that of the nearest class above it."""


def row_of(kind: type[ClarionError]) -> Row:
    """Return the row of an error's class.

    Raises
    ------
    LookupError
        Neither the class nor one above it has a row.
    """
    for parent in kind.__mro__:
        if parent in TABLE:
            return TABLE[parent]
    raise LookupError(f"{kind.__name__} has no row in the table of statuses")


def status_of(error: BaseException) -> status_pb2.Status:
    """Return the status of any error; of one not raised on purpose, nothing but its existence."""
    if not isinstance(error, ClarionError):
        info = details.ErrorInfo(reason="INTERNAL", domain=DOMAIN)
        code = grpc.StatusCode.INTERNAL
        return status_pb2.Status(code=code.value[0], message=INTERNAL_TEXT, details=_packed([info]))
    row = row_of(type(error))
    named = {key: cut(value) for key, value in list(error.metadata.items())[:MAX_ENTRIES]}
    info = details.ErrorInfo(reason=error.reason, domain=DOMAIN, metadata=named)
    return status_pb2.Status(
        code=row.code.value[0],
        message=cut(error.message, MAX_MESSAGE_BYTES),
        details=_packed([info, *row.details(error)]),
    )


def cut(text: str, size: int = MAX_VALUE_BYTES) -> str:
    """Return ``text`` if it is at most ``size`` bytes long, else its beginning and an ellipsis."""
    data = text.encode()
    if len(data) <= size:
        return text
    return data[: size - 3].decode(errors="ignore") + "…"


def code_of(status: status_pb2.Status) -> grpc.StatusCode:
    """Return gRPC's own name of a status' code."""
    return _CODES[status.code]


_CODES = {code.value[0]: code for code in grpc.StatusCode}


def _packed(messages: list[Message]) -> list[any_pb2.Any]:
    packed = []
    for message in messages:
        container = any_pb2.Any()
        container.Pack(message)
        packed.append(container)
    return packed
