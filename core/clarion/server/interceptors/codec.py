"""From bytes to checked messages and back; large ones off the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Executor
from typing import Any

import protovalidate
from google.protobuf.message import DecodeError, Message

from clarion.errors import InvalidParameterError
from clarion.server.interceptors.calls import current_call

LARGE_BYTES = 64 * 1024
"""From here on, parsing costs more than a hop to a thread."""


class RuleViolationsError(InvalidParameterError):
    """Several fields at once break the rules written beside them in the protos.

    Attributes
    ----------
    violations
        Field path and what is wrong with it.
    """

    def __init__(self, violations: tuple[tuple[str, str], ...]) -> None:
        field, wrong = violations[0]
        more = f" (and {len(violations) - 1} more)" if len(violations) > 1 else ""
        super().__init__(f"{field or 'the request'}: {wrong}{more}", field=field)
        self.violations = violations


class Codec:
    """Parses and validates requests, and serialises responses, by an executor where large."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor

    async def parsed(self, data: bytes, parse: Callable[[bytes], Message]) -> Message:
        """Return the message in ``data``.

        Raises
        ------
        InvalidParameterError
            It is no message of that type, or breaks a rule.
        """
        current_call.get().request_bytes = len(data)
        if len(data) < LARGE_BYTES:
            return _checked(data, parse)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._executor, _checked, data, parse)

    async def each(
        self, requests: AsyncIterator[bytes], parse: Callable[[bytes], Message]
    ) -> AsyncIterator[Message]:
        """Yield the messages of a stream."""
        async for data in requests:
            yield await self.parsed(data, parse)


def serialised(response: Any) -> bytes:
    """Return a response as bytes; one that was serialised where it was made passes through."""
    if isinstance(response, bytes):
        return response
    data: bytes = response.SerializeToString()
    return data


def _checked(data: bytes, parse: Callable[[bytes], Message]) -> Message:
    try:
        message = parse(data)
    except DecodeError as error:
        raise InvalidParameterError("the request is no message of the expected type") from error
    found = protovalidate.collect_violations(message)
    if found:
        raise RuleViolationsError(tuple((_path(v.proto.field), v.proto.message) for v in found))
    return message


def _path(field: Any) -> str:
    """Return a violation's field path as people write it: ``frame.signals[2].unit``."""
    if field is None:
        return ""
    return ".".join(element.field_name + _subscript(element) for element in field.elements)


def _subscript(element: Any) -> str:
    subscript = element.subscript
    return "" if subscript is None else f"[{subscript.value}]"
