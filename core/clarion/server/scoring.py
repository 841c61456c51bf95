"""Where work runs: tiny work inline, most in threads, long explanations in a process."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import ParamSpec, TypeVar

from clarion.errors import LimitExceededError, ModelNotFoundError
from clarion.pipeline.answer import ExplainedRows, ExplanationPolicy
from clarion.server.interceptors.calls import current_call
from clarion.server.loaded import Loaded
from clarion.server.processes import Processes
from clarion.server.task import Done, Task, perform

P = ParamSpec("P")
T = TypeVar("T")

INLINE_SECONDS = 1e-3
"""Shorter work stays on the event loop: so little is mostly Python, which a thread would not run
beside it, and the hop costs a third of the calls at 16 callers."""
MAX_EXPLAIN_SECONDS = 120.0
"""What the explanations of one call may take, by estimate. Once begun they end early only if the
caller goes, between two blocks of rows."""
_HASTE = 2.0
"""Explanations estimated to take so many times what the caller's deadline leaves are not begun."""
THREAD_SECONDS = 5e-3
"""Longer explanations go to a process: they hold the interpreter that the event loop needs."""


class Scoring:
    """Performs tasks; at most ``max_waiting`` at once, running or in line."""

    def __init__(
        self, threads: ThreadPoolExecutor, processes: Processes | None, max_waiting: int
    ) -> None:
        self._threads = threads
        self._processes = processes
        self._max_waiting = max_waiting
        self._waiting = 0

    async def perform(self, loaded: Loaded, task: Task) -> Done:
        """Perform ``task`` by ``loaded``, wherever it fits; the reply is the same everywhere.

        Raises
        ------
        LimitExceededError
            Too much work is waiting already, or explaining would take too long.
        """
        rows = len(task.frame)
        scoring = loaded.score_seconds(rows)
        each = await self._explain_seconds(loaded, task.policy)
        explaining = each * _most_explained(task, rows)
        if task.policy.rows is not ExplainedRows.ANOMALOUS:
            _require_time(explaining, _most_explained(task, rows))
        if explaining <= THREAD_SECONDS or self._processes is None:
            return await self._here(loaded, task, scoring + explaining)
        if task.policy.rows is ExplainedRows.ANOMALOUS:
            return await self._scored_first(loaded, task, each, self._processes)
        return await self._in_process(loaded, task, self._processes)

    async def _explain_seconds(self, loaded: Loaded, policy: ExplanationPolicy) -> float:
        if policy.rows is ExplainedRows.NONE:
            return 0.0
        known = loaded.known_cost(policy)
        return known if known is not None else await self._run(loaded.measured_cost, policy)

    async def _scored_first(
        self, loaded: Loaded, task: Task, each: float, processes: Processes
    ) -> Done:
        """Score here, and explain in a process only if there is enough to explain."""
        quiet = replace(task, policy=replace(task.policy, rows=ExplainedRows.NONE))
        scoring = loaded.score_seconds(len(task.frame))
        done = await self._here(loaded, quiet, scoring)
        if not done.anomalies:
            return done  # with nothing to explain, both policies have the same reply
        explaining = done.anomalies * each
        _require_time(explaining, done.anomalies)
        if explaining <= THREAD_SECONDS:
            return await self._here(loaded, task, scoring + explaining)
        return await self._in_process(loaded, task, processes)

    async def _here(self, loaded: Loaded, task: Task, seconds: float) -> Done:
        """Perform ``task`` in this process: on the event loop if it takes no longer than a hop is worth."""
        if seconds > INLINE_SECONDS or not loaded.own:
            return await self._in_thread(loaded, task)
        if not loaded.pace.steady:
            done = await self._in_thread(loaded, task)
        else:
            done = _noted("inline", perform(loaded.pipeline, loaded.ref.name, task))
        loaded.pace.note(done.seconds)
        return done

    async def _in_thread(self, loaded: Loaded, task: Task) -> Done:
        gone = threading.Event()
        try:
            done = await self._run(perform, loaded.pipeline, loaded.ref.name, task, gone.is_set)
        except asyncio.CancelledError:
            gone.set()
            raise
        return _noted("thread", done)

    async def _in_process(self, loaded: Loaded, task: Task, processes: Processes) -> Done:
        self._take_slot()
        try:
            done = await processes.perform(loaded.ref, loaded.pipeline.plugin, task)
        except ModelNotFoundError:
            pass  # deleted while a stream or call still uses it: it lives on in this process
        else:
            return _noted("process", done)
        finally:
            self._free_slot()
        return await self._in_thread(loaded, task)

    async def _run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run in a thread; the slot is free when the work ends, even if nobody waits for it any more."""
        self._take_slot()
        loop = asyncio.get_running_loop()

        def free(_: Future[T]) -> None:
            loop.call_soon_threadsafe(self._free_slot)

        future = self._threads.submit(function, *args, **kwargs)
        future.add_done_callback(free)
        return await asyncio.wrap_future(future)

    def _take_slot(self) -> None:
        if self._waiting >= self._max_waiting:
            raise LimitExceededError(
                f"{self._waiting} calls are computing or waiting to, the most this server takes; "
                "try again in a moment",
                limit=self._max_waiting,
            )
        self._waiting += 1

    def _free_slot(self) -> None:
        self._waiting -= 1


def _require_time(seconds: float, rows: int) -> None:
    """Raise LimitExceededError if explaining ``rows`` rows takes longer than the call has."""
    call = current_call.get(None)
    left = None if call is None else call.seconds_left()
    most = MAX_EXPLAIN_SECONDS if left is None else min(MAX_EXPLAIN_SECONDS, _HASTE * max(left, 1))
    if seconds > most:
        raise LimitExceededError(
            f"explaining {rows} rows takes about {seconds:.0f} s, and this call may take "
            f"{most:.0f} s; explain fewer rows at a time, give the call a longer deadline, or allow "
            "fewer evaluations",
            rows=rows,
            seconds=f"{seconds:.0f}",
        )


def _most_explained(task: Task, rows: int) -> int:
    """Return how many rows may have to be explained."""
    if task.policy.rows is ExplainedRows.NONE:
        return 0
    return len(task.policy.rows) if isinstance(task.policy.rows, tuple) else rows


def _noted(where: str, done: Done) -> Done:
    call = current_call.get(None)
    if call is not None:
        call.note(where, done.seconds, done.pid if where == "process" else 0, done.cached)
    return done
