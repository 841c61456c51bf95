"""One table from error to status, with nothing missing and nothing told too much."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2

import clarion.server.application  # noqa: F401 - imports all that a server has, so every error class
from clarion import errors
from clarion.errors import ClarionError
from clarion.server.interceptors.codec import RuleViolationsError
from clarion.server.status import INTERNAL_TEXT, code_of, row_of, status_of

Code = grpc.StatusCode


def subclasses(kind: type[ClarionError] = ClarionError) -> Iterator[type[ClarionError]]:
    for below in kind.__subclasses__():
        yield below
        yield from subclasses(below)


def details(status: Any) -> dict[str, Any]:
    out = {}
    for packed in status.details:
        name = packed.TypeName().rpartition(".")[2]
        out[name] = getattr(error_details_pb2, name)()
        packed.Unpack(out[name])
    return out


@pytest.mark.parametrize("kind", list(subclasses()), ids=lambda kind: kind.__name__)
def test_every_error_has_a_row(kind: type[ClarionError]) -> None:
    assert row_of(kind).code not in (Code.OK, Code.UNKNOWN)


@pytest.mark.parametrize(
    "kind",
    [kind for kind in subclasses() if kind is not RuleViolationsError],
    ids=lambda kind: kind.__name__,
)
def test_every_status_names_reason_domain_and_what_the_message_names(
    kind: type[ClarionError],
) -> None:
    status = status_of(kind("it went wrong", field="frame.matrix", model="pump-7"))
    info = details(status)["ErrorInfo"]
    assert (info.reason, info.domain) == (kind.reason, "clarion")
    assert dict(info.metadata) == {"model": "pump-7"}
    assert status.message == "it went wrong"


def test_reasons_are_constant_and_different() -> None:
    own = [kind for kind in subclasses() if "reason" in vars(kind)]
    reasons = [kind.reason for kind in own]
    assert len(set(reasons)) == len(reasons)
    assert all(reason.isupper() for reason in reasons)


def test_a_class_without_a_row_of_its_own_or_above_is_noticed() -> None:
    with pytest.raises(LookupError, match="ClarionError has no row"):
        row_of(ClarionError)


@pytest.mark.parametrize(
    ("error", "code", "extra"),
    [
        (errors.InvalidFrameError("no", field="frame"), Code.INVALID_ARGUMENT, {"BadRequest"}),
        (errors.InvalidParameterError("no", field="x"), Code.INVALID_ARGUMENT, {"BadRequest"}),
        (errors.ModelNotFoundError("no", model="x"), Code.NOT_FOUND, {"ResourceInfo"}),
        (errors.OperationNotFoundError("no"), Code.NOT_FOUND, {"ResourceInfo"}),
        (errors.PluginNotFoundError("no"), Code.NOT_FOUND, {"ResourceInfo"}),
        (errors.AlreadyExistsError("no"), Code.ALREADY_EXISTS, {"ResourceInfo"}),
        (errors.NotFittedError("no"), Code.FAILED_PRECONDITION, {"PreconditionFailure"}),
        (errors.SignalMismatchError("no"), Code.FAILED_PRECONDITION, {"PreconditionFailure"}),
        (errors.UnsupportedPairError("no"), Code.FAILED_PRECONDITION, {"PreconditionFailure"}),
        (errors.MissingExtraError("no"), Code.FAILED_PRECONDITION, {"PreconditionFailure"}),
        (errors.UnreachableRateError("no"), Code.FAILED_PRECONDITION, {"PreconditionFailure"}),
        (errors.BudgetExceededError("no"), Code.FAILED_PRECONDITION, {"PreconditionFailure"}),
        (errors.FitInProgressError("no"), Code.ABORTED, set()),
        (errors.OperationInterruptedError("no"), Code.ABORTED, set()),
        (errors.LimitExceededError("no"), Code.RESOURCE_EXHAUSTED, {"QuotaFailure", "RetryInfo"}),
        (errors.DrainingError("no"), Code.UNAVAILABLE, {"RetryInfo"}),
        (errors.UnauthenticatedError("no"), Code.UNAUTHENTICATED, set()),
        (errors.PermissionDeniedError("no"), Code.PERMISSION_DENIED, set()),
        (errors.OperationCancelledError("no"), Code.CANCELLED, set()),
        (errors.ArtifactCorruptError("no"), Code.DATA_LOSS, set()),
        (errors.PluginError("no"), Code.INTERNAL, set()),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_codes_and_details_are_those_of_the_style(
    error: ClarionError, code: Code, extra: set[str]
) -> None:
    status = status_of(error)
    assert code_of(status) is code
    assert set(details(status)) == {"ErrorInfo"} | extra


@pytest.mark.parametrize("error", [RuntimeError("the password is swordfish"), KeyError("secret")])
def test_what_was_not_raised_on_purpose_tells_nothing(error: Exception) -> None:
    status = status_of(error)
    assert (code_of(status), status.message) == (Code.INTERNAL, INTERNAL_TEXT)
    data = status.SerializeToString()
    assert b"swordfish" not in data
    assert b"secret" not in data


def test_a_status_fits_into_headers_whatever_it_names() -> None:
    """A client takes 8 kB of metadata; gRPC percent-encodes the text and base64-encodes the details."""
    long = "ä" * 5000
    named: dict[str, Any] = {f"key{i}": long for i in range(50)}
    for kind in subclasses():
        if kind is not RuleViolationsError:
            status = status_of(kind(long, field=long, **named))
            size = 3 * len(status.message.encode()) + 4 / 3 * status.ByteSize()
            assert size < 8000, kind
    many = RuleViolationsError(tuple((f"{long}[{i}]", long) for i in range(1000)))
    status = status_of(many)
    assert 3 * len(status.message.encode()) + 4 / 3 * status.ByteSize() < 8000
    assert status.message.startswith("ääää")
