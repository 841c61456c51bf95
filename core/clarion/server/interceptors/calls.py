"""The call being served: its name, its id, and what its servicer noted about the work."""

from __future__ import annotations

import re
import time
import uuid
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

import grpc.aio

REQUEST_ID = "clarion-request-id"
"""Metadata key: a caller's own id of the call, or one made here; sent back at the end."""

Context = grpc.aio.ServicerContext[Any, Any]

_GOOD_ID = re.compile(r"[!-~]{1,128}")


@dataclass(slots=True)
class Call:
    """One call, and where and how long it computed.

    Attributes
    ----------
    where
        ``inline``, ``thread`` or ``process``: where its last work ran; empty if it had none.
    pid
        Process id of the worker, for ``process``.
    compute_seconds
        All its work together, without waiting.
    cached_rows
        Explained rows that an earlier call had paid for.
    request_bytes
        Size of its (last) request.
    deadline_seconds
        Time that the caller gave it, from its beginning; None without a deadline.
    """

    method: str
    peer: str
    request_id: str
    begun: float = field(default_factory=time.perf_counter)
    where: str = ""
    pid: int = 0
    compute_seconds: float = 0.0
    cached_rows: int = 0
    request_bytes: int = 0
    deadline_seconds: float | None = None

    @classmethod
    def of(cls, method: str, context: Context) -> Call:
        """Return the call that ``context`` belongs to."""
        metadata = context.invocation_metadata() or ()
        sent = next((str(value) for key, value in metadata if key == REQUEST_ID), "")
        request_id = sent if _GOOD_ID.fullmatch(sent) else uuid.uuid4().hex
        given = context.time_remaining()
        return cls(method, context.peer(), request_id, deadline_seconds=given)

    def seconds_left(self) -> float | None:
        """Return the time that the caller still gives it; None without a deadline."""
        if self.deadline_seconds is None:
            return None
        return self.deadline_seconds - (time.perf_counter() - self.begun)

    def note(self, where: str, seconds: float, pid: int = 0, cached_rows: int = 0) -> None:
        """Note where a piece of work ran, how long, and what it found ready."""
        self.where, self.pid = where, pid
        self.compute_seconds += seconds
        self.cached_rows += cached_rows

    def trailer(self) -> tuple[tuple[str, str], ...]:
        """Return the metadata sent back at the end: id and timings, which replies never carry."""
        if not self.where:
            return ((REQUEST_ID, self.request_id),)
        trailer = [
            (REQUEST_ID, self.request_id),
            ("clarion-where", self.where),
            ("clarion-compute-ms", f"{self.compute_seconds * 1e3:.3f}"),
        ]
        if self.pid:
            trailer.append(("clarion-worker-pid", str(self.pid)))
        if self.cached_rows:
            trailer.append(("clarion-cached-rows", str(self.cached_rows)))
        return tuple(trailer)


current_call: ContextVar[Call] = ContextVar("current_call")
"""The call that the running task serves."""
