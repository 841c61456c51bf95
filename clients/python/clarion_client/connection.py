"""The channel: where it goes, how it retries, and that no call is without a deadline."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import grpc
from google.longrunning import operations_pb2_grpc

from clarion_api.v1 import detection_pb2_grpc, models_pb2_grpc, plugins_pb2_grpc
from clarion_client.errors import InvalidParameterError
from clarion_client.status import from_call

_RequestT = TypeVar("_RequestT")
_ResponseT = TypeVar("_ResponseT")

SERVICE_CONFIG = {
    "methodConfig": [
        {
            "name": [{}],
            "retryPolicy": {
                "maxAttempts": 4,
                "initialBackoff": "0.1s",
                "maxBackoff": "2s",
                "backoffMultiplier": 3,
                "retryableStatusCodes": ["UNAVAILABLE"],
            },
        }
    ]
}
"""Only UNAVAILABLE is retried: the server refused before it began, or was not reached at all."""

_OPTIONS: tuple[tuple[str, str | int], ...] = (
    ("grpc.service_config", json.dumps(SERVICE_CONFIG)),
    ("grpc.max_send_message_length", -1),  # the server's limits are the limits
    ("grpc.max_receive_message_length", -1),
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_timeout_ms", 20_000),
)


@dataclass(frozen=True, slots=True)
class Stubs:
    """The generated stubs, for what the client's verbs leave out; deadlines are then yours."""

    detection: detection_pb2_grpc.DetectionServiceStub
    models: models_pb2_grpc.ModelServiceStub
    plugins: plugins_pb2_grpc.PluginServiceStub
    operations: operations_pb2_grpc.OperationsStub


@dataclass(frozen=True, slots=True)
class Connection:
    """An open channel to ``target`` whose calls take at most ``timeout_s`` seconds each."""

    target: str
    timeout_s: float
    channel: grpc.Channel
    stubs: Stubs

    @classmethod
    def open(
        cls,
        target: str,
        timeout_s: float,
        credentials: grpc.ChannelCredentials | None,
        options: Sequence[tuple[str, str | int]] = (),
    ) -> Connection:
        """Open a channel; nothing is sent before the first call."""
        if not timeout_s > 0:
            raise InvalidParameterError(f"timeout_s must be above 0, not {timeout_s}")
        merged = list({**dict(_OPTIONS), **dict(options)}.items())
        channel = (
            grpc.insecure_channel(target, merged)
            if credentials is None
            else grpc.secure_channel(target, credentials, merged)
        )
        stubs = Stubs(
            detection_pb2_grpc.DetectionServiceStub(channel),
            models_pb2_grpc.ModelServiceStub(channel),
            plugins_pb2_grpc.PluginServiceStub(channel),
            operations_pb2_grpc.OperationsStub(channel),
        )
        return cls(target, timeout_s, channel, stubs)

    def call(
        self,
        method: grpc.UnaryUnaryMultiCallable[_RequestT, _ResponseT],
        request: _RequestT,
        timeout_s: float | None = None,
    ) -> _ResponseT:
        """Call a method of a stub, by its deadline or the connection's; failures are typed."""
        with self.typed_errors():
            return method(request, timeout=self.timeout_s if timeout_s is None else timeout_s)

    @contextmanager
    def typed_errors(self) -> Iterator[None]:
        """Turn what gRPC raises inside into a `ClarionError`."""
        try:
            yield
        except grpc.RpcError as error:
            raise from_call(error, self.target) from error


def credentials_of(
    root_certificates: bytes | None,
    certificate: bytes | None,
    private_key: bytes | None,
) -> grpc.ChannelCredentials:
    """Return TLS credentials: PEM bytes of the roots trusted, and of an own certificate for mTLS."""
    if (certificate is None) != (private_key is None):
        raise InvalidParameterError("a client certificate needs its private key, and the reverse")
    return grpc.ssl_channel_credentials(root_certificates, private_key, certificate)
