"""The outermost interceptor: every call of Clarion's own services passes here, and only here.

Around the servicer's method, from the outside in: log and request id, errors to statuses, the gate,
parsing and validation. Health and reflection answer at any time and are left alone.
"""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, contextmanager
from typing import Any, TypeAlias

import grpc
import grpc.aio
import structlog

from clarion.errors import ClarionError
from clarion.server.interceptors.calls import Call, Context, current_call
from clarion.server.interceptors.codec import Codec, serialised
from clarion.server.interceptors.gate import Gate
from clarion.server.status import code_of, status_of

_log = structlog.get_logger(__name__)
_OURS = ("/clarion.", "/google.longrunning.")

Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"  # generic in its stubs only


class Entry(grpc.aio.ServerInterceptor):
    """Wraps each method once."""

    def __init__(self, gate: Gate, codec: Codec) -> None:
        self._gate = gate
        self._codec = codec
        self._wrapped: dict[str, Handler] = {}

    async def intercept_service(
        self, continuation: Any, handler_call_details: grpc.HandlerCallDetails
    ) -> Any:
        """Return the wrapped handler of the method called; None where there is no such method."""
        method = handler_call_details.method
        wrapped = self._wrapped.get(method)
        if wrapped is not None:
            return wrapped
        handler: Handler | None = await continuation(handler_call_details)
        if handler is None or not method.startswith(_OURS):
            return handler
        wrapped = self._wrapped[method] = self._wrap(handler, method)
        return wrapped

    def _wrap(self, handler: Handler, method: str) -> Handler:
        parse: Any = handler.request_deserializer
        if handler.unary_unary is not None:
            return grpc.unary_unary_rpc_method_handler(
                self._unary(handler.unary_unary, parse, method)
            )
        if handler.stream_stream is None or not inspect.isasyncgenfunction(handler.stream_stream):
            raise TypeError(f"{method} is neither unary nor an asynchronous generator")
        return grpc.stream_stream_rpc_method_handler(
            self._stream(handler.stream_stream, parse, method)
        )

    def _unary(self, serve: Any, parse: Any, method: str) -> Any:
        async def unary(data: bytes, context: Context) -> bytes:
            call = _opened(method, context)
            with _logged(call, context):
                try:
                    with self._gate.passed():
                        response = await serve(await self._codec.parsed(data, parse), context)
                        context.set_trailing_metadata(call.trailer())
                        return serialised(response)
                except asyncio.CancelledError:
                    raise
                except BaseException as error:  # noqa: BLE001 - a plugin may even call sys.exit
                    return await _aborted(error, call, context)

        return unary

    def _stream(self, serve: Any, parse: Any, method: str) -> Any:
        async def stream(requests: AsyncIterator[bytes], context: Context) -> None:
            call = _opened(method, context)
            with _logged(call, context):
                try:
                    with self._gate.passed():
                        parsed = self._codec.each(requests, parse)
                        async with aclosing(serve(parsed, context)) as responses:
                            async for response in responses:
                                await context.write(serialised(response))
                        context.set_trailing_metadata(call.trailer())
                except asyncio.CancelledError:
                    raise
                except BaseException as error:  # noqa: BLE001 - a plugin may even call sys.exit
                    await _aborted(error, call, context)

        return stream


def _opened(method: str, context: Context) -> Call:
    call = Call.of(method, context)
    current_call.set(call)
    return call


async def _aborted(error: BaseException, call: Call, context: Context) -> bytes:
    """End the call with the error's status; what was not raised on purpose is told to the log only."""
    if isinstance(error, grpc.aio.AbortError):
        raise error
    if not isinstance(error, ClarionError):
        _log.error(
            "unexpected error", method=call.method, request_id=call.request_id, exc_info=error
        )
    status = status_of(error)
    details: tuple[str, str | bytes] = ("grpc-status-details-bin", status.SerializeToString())
    await context.abort(code_of(status), status.message, (*call.trailer(), details))
    raise AssertionError("abort raises")


@contextmanager
def _logged(call: Call, context: Context) -> Iterator[None]:
    """Log the call once it is over: failures as warnings, the rest for those who debug."""
    code = "OK"
    try:
        yield
    except asyncio.CancelledError:
        code = "CANCELLED"
        raise
    except grpc.aio.AbortError:
        code = _name(context.code())
        raise
    finally:
        seconds = time.perf_counter() - call.begun
        log = _log.debug if code == "OK" else _log.warning
        log(
            "call",
            method=call.method,
            code=code,
            duration_ms=round(seconds * 1e3, 3),
            peer=call.peer,
            request_id=call.request_id,
            where=call.where,
        )


def _name(code: Any) -> str:
    """Return a status code's name; grpc.aio gives the code as a number."""
    known = {number.value[0]: number.name for number in grpc.StatusCode}
    return known.get(code, getattr(code, "name", str(code)))
