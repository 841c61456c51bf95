"""The pool of spawned processes: started on first use, replaced once when one dies."""

from __future__ import annotations

import asyncio
import multiprocessing
from concurrent.futures import Executor, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import structlog

from clarion.errors import PluginError
from clarion.server import worker
from clarion.server.task import Done, Task
from clarion.store.artifacts import VersionRef

_log = structlog.get_logger(__name__)


class Processes:
    """Runs tasks in processes of their own, where a crash takes nobody else along."""

    def __init__(self, models_dir: Path, workers: int, threads: Executor) -> None:
        self._models_dir = models_dir
        self._workers = workers
        self._threads = threads
        self._pool: ProcessPoolExecutor | None = None
        self._alone = asyncio.Lock()

    async def perform(self, ref: VersionRef, plugin: str, task: Task) -> Done:
        """Perform ``task`` by the version ``ref``, whose detector is ``plugin``.

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
        try:
            # Submitting may start a process, which takes too long for the event loop.
            loop = asyncio.get_running_loop()
            submitted = loop.run_in_executor(
                self._threads, pool.submit, worker.work, self._models_dir, ref, task
            )
            return await asyncio.wrap_future(await submitted)
        except BrokenProcessPool:
            if self._pool is pool:
                self._pool = None
                pool.shutdown(wait=False, cancel_futures=True)
            raise
