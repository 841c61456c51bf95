"""Health of a server, by the protocol ``grpc.health.v1`` that all gRPC servers share."""

from __future__ import annotations

from enum import StrEnum

import grpc

from clarion_client.connection import Connection


class Health(StrEnum):
    """What a server says of itself."""

    UNKNOWN = "unknown"
    SERVING = "serving"
    NOT_SERVING = "not_serving"


_ANSWERS = {b"": Health.UNKNOWN, b"\x08\x01": Health.SERVING, b"\x08\x02": Health.NOT_SERVING}
"""`HealthCheckResponse` on the wire: its only field is the status, number 1, a varint."""


def check(connection: Connection) -> Health:
    """Ask the server how it is.

    The messages are so small that they are written out here: their generated code has one owner,
    the package grpcio-health-checking, which is a server's.
    """
    method: grpc.UnaryUnaryMultiCallable[bytes, bytes]
    method = connection.channel.unary_unary("/grpc.health.v1.Health/Check")
    return _ANSWERS.get(connection.call(method, b""), Health.UNKNOWN)
