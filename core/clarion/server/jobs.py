"""Long work in the background: cancellable, with progress that is kept."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import structlog

from clarion.errors import (
    LimitExceededError,
    OperationCancelledError,
    OperationInterruptedError,
)
from clarion.server.status import status_of
from clarion.store.operations import Operation, OperationLog, OperationState

_log = structlog.get_logger(__name__)
_NOTE_SECONDS = 0.5
"""Progress is written down at most this often."""


@dataclass(slots=True, eq=False)
class Job:
    """Work that runs or waits to, and the operation it stands for."""

    operation: Operation
    _operations: OperationLog
    cancelled: threading.Event = field(default_factory=threading.Event)
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    _noted: float = 0.0

    def note(self, progress: float, stage: str, *, force: bool = False) -> None:
        """Write down how far it is, unless that was done just now."""
        now = time.monotonic()
        if force or now - self._noted >= _NOTE_SECONDS:
            self._noted = now
            self._operations.advance(self.operation, progress, stage)

    def check_cancelled(self) -> None:
        """Raise OperationCancelledError if the caller asked for it to stop."""
        if self.cancelled.is_set():
            kind = self.operation.kind.value.lower()
            raise OperationCancelledError(f"the {kind} was cancelled by its caller")


Work = Callable[[Job], bytes]
"""Does what the operation stands for, in a thread, and returns its packed response."""


class Jobs:
    """Starts, follows and stops long work."""

    def __init__(self, log: OperationLog, *, workers: int, max_waiting: int) -> None:
        self._log = log
        self._pool = ThreadPoolExecutor(workers, "fit")
        self._max_waiting = max_waiting
        self._jobs: dict[tuple[str, str], Job] = {}

    def check_room(self) -> None:
        """Raise LimitExceededError if as many jobs run or wait as this server takes."""
        if len(self._jobs) >= self._max_waiting:
            raise LimitExceededError(
                f"{len(self._jobs)} fits, evaluations and explanations are running or waiting, the most this "
                "server takes; try again later",
                limit=self._max_waiting,
            )

    def start(
        self, operation: Operation, work: Work, ended: Callable[[], object] = lambda: None
    ) -> None:
        """Start what ``operation`` stands for; ``ended`` is called once it is over."""
        job = Job(operation, self._log)
        self._jobs[operation.tenant, operation.id] = job
        loop = asyncio.get_running_loop()
        future = self._pool.submit(self._run, job, work)
        future.add_done_callback(lambda _: loop.call_soon_threadsafe(self._end, job, ended))

    async def wait(self, tenant: str, operation_id: str, seconds: float | None) -> None:
        """Return once the operation has ended, or after ``seconds``."""
        job = self._jobs.get((tenant, operation_id))
        if job is None:
            return
        try:
            async with asyncio.timeout(seconds):
                await job.ended.wait()
        except TimeoutError:
            pass

    def cancel(self, tenant: str, operation_id: str) -> None:
        """Ask a job to stop; it does at its next step."""
        job = self._jobs.get((tenant, operation_id))
        if job is not None:
            job.cancelled.set()

    async def close(self, seconds: float) -> bool:
        """Wait so long for running jobs, then stop them; False if one could not be stopped."""
        ended = [asyncio.ensure_future(job.ended.wait()) for job in self._jobs.values()]
        if ended:
            await asyncio.wait(ended, timeout=seconds)
        for job in self._jobs.values():
            error = status_of(interrupted()).SerializeToString()
            self._log.finish(job.operation, OperationState.FAILED, error=error)
            job.cancelled.set()
        if any(not done.done() for done in ended):
            await asyncio.wait(ended, timeout=1.0)
        self._pool.shutdown(wait=False, cancel_futures=True)
        return not self._jobs

    def _end(self, job: Job, ended: Callable[[], object]) -> None:
        self._jobs.pop((job.operation.tenant, job.operation.id), None)
        ended()
        job.ended.set()

    def _run(self, job: Job, work: Work) -> None:
        operation = job.operation
        try:
            job.check_cancelled()
            response = work(job)
        except OperationCancelledError as error:
            status = status_of(error).SerializeToString()
            self._log.finish(operation, OperationState.CANCELLED, error=status)
        except BaseException as error:  # noqa: BLE001 - whatever a plugin raises ends its own operation
            _log.warning(
                f"{operation.kind.value.lower()} failed",
                model=operation.model,
                operation=operation.id,
                exc_info=error,
            )
            status = status_of(error).SerializeToString()
            self._log.finish(operation, OperationState.FAILED, error=status)
        else:
            self._log.finish(operation, OperationState.SUCCEEDED, response=response)


def interrupted() -> OperationInterruptedError:
    """Return the error of an operation that the server's end cut short."""
    return OperationInterruptedError(
        "the server stopped before this was recorded as done; start it again (after a fit, look at "
        "the model's versions first)"
    )
