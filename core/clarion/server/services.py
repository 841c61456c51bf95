"""All that the servicers share, put together once."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import ParamSpec, TypeVar

from clarion.registry import Registries
from clarion.server.convert.frames import FrameLimits
from clarion.server.fits import Fits
from clarion.server.interceptors.calls import current_call
from clarion.server.interceptors.codec import LARGE_BYTES
from clarion.server.interceptors.gate import Gate
from clarion.server.jobs import Jobs
from clarion.server.loaded import Models
from clarion.server.offload import offload
from clarion.server.scoring import Scoring
from clarion.server.starts import Starts
from clarion.store.artifacts import ModelStore
from clarion.store.operations import OperationLog

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Services:
    """The parts of one server.

    Attributes
    ----------
    threads
        For conversion, the store and the database: short work that must not hold the event loop.
    """

    threads: ThreadPoolExecutor
    gate: Gate
    registries: Registries
    store: ModelStore
    operations: OperationLog
    models: Models
    scoring: Scoring
    jobs: Jobs
    starts: Starts
    fits: Fits
    frame_limits: FrameLimits
    max_streams: int
    max_stream_assets: int
    max_message_bytes: int

    async def offload(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run short work in a thread."""
        return await offload(self.threads, function, *args, **kwargs)

    async def offload_large(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run work on the request in a thread if the request is large, else here."""
        if current_call.get().request_bytes < LARGE_BYTES:
            return function(*args, **kwargs)
        return await offload(self.threads, function, *args, **kwargs)
