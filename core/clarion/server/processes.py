"""The pool of spawned processes: started on first use, replaced once when one dies."""

from __future__ import annotations

import asyncio
import multiprocessing
import uuid
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import structlog

from clarion.errors import PluginError
from clarion.server import worker
from clarion.server.task import Done, Task
from clarion.store.artifacts import VersionRef

_log = structlog.get_logger(__name__)


class Processes:
    """Runs tasks in processes of their own, where a crash takes nobody else along."""

    def __init__(
        self, models_dir: Path, workers: int, threads: Executor, max_explanation_bytes: int
    ) -> None:
        self._models_dir = models_dir
        self._workers = workers
        self._threads = threads
        self._max_explanation_bytes = max_explanation_bytes
        self._pool: ProcessPoolExecutor | None = None
        self._folder: TemporaryDirectory[str] | None = None
        self._alone = asyncio.Lock()

    async def perform(self, ref: VersionRef, plugin: str, task: Task) -> Done:
        """Perform ``task`` by the version ``ref``, whose detector is ``plugin``.

        If the caller is cancelled, the process is told, and leaves off before its next row.

        Raises
        ------
        PluginError
            The process died on it twice.
        """
        try:
            return await self._run(ref, task)
        except BrokenProcessPool:
            _log.warning("explaining process died; starting another", plugin=plugin)
        async with self._alone:  # one at a time, so that a second death has one cause
            try:
                return await self._run(ref, task)
            except BrokenProcessPool as error:
                raise PluginError(
                    f"the process that explained a score of '{plugin}' died twice: "
                    "it ran out of memory, or a plugin crashed it",
                    plugin=plugin,
                    family="detectors",
                ) from error

    def close(self) -> None:
        """End all processes now, whatever they do."""
        pool, self._pool = self._pool, None
        if self._folder is not None:
            self._folder.cleanup()
        if pool is None:
            return
        # Python 3.14 has `terminate_workers`; before, only this ends a worker amid a task.
        running = list((pool._processes or {}).values())
        pool.shutdown(wait=False, cancel_futures=True)
        for process in running:
            process.terminate()

    async def _run(self, ref: VersionRef, task: Task) -> Done:
        pool = self._pool
        if pool is None:
            pool = self._pool = ProcessPoolExecutor(
                self._workers, multiprocessing.get_context("spawn"), initializer=worker.start
            )
        if self._folder is None:
            self._folder = TemporaryDirectory(prefix="clarion-")
        gone = Path(self._folder.name) / uuid.uuid4().hex
        # Submitting may start a process, which takes too long for the event loop.
        loop = asyncio.get_running_loop()
        submitted = loop.run_in_executor(self._threads, self._submit, pool, ref, task, gone)
        try:
            return await _done(submitted, gone)
        except BrokenProcessPool:
            if self._pool is pool:
                self._pool = None
                pool.shutdown(wait=False, cancel_futures=True)
            raise

    def _submit(
        self, pool: ProcessPoolExecutor, ref: VersionRef, task: Task, gone: Path
    ) -> Future[Done]:
        limit = self._max_explanation_bytes
        future = pool.submit(worker.work, self._models_dir, limit, ref, task, gone)
        future.add_done_callback(lambda _: gone.unlink(missing_ok=True))
        return future


async def _done(submitted: asyncio.Future[Future[Done]], gone: Path) -> Done:
    """Wait for the work; if cancelled, let its process know by the file ``gone``."""
    try:
        future = await asyncio.shield(submitted)
    except asyncio.CancelledError:
        submitted.add_done_callback(lambda done: done.exception() or done.result().cancel())
        raise
    try:
        return await asyncio.wrap_future(future)
    except asyncio.CancelledError:
        _tell(gone, future)
        raise


def _tell(gone: Path, future: Future[Done]) -> None:
    """Make the file that tells a process to leave off, unless it is done."""
    if not future.done():
        with suppress(OSError):  # the folder goes when the server stops
            gone.touch()
    if future.done():  # by now, or before: then nobody else removes it
        gone.unlink(missing_ok=True)
