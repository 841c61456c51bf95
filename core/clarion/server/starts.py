"""Starting long work once: a request id that was seen before returns the operation it started."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor

from clarion.errors import AlreadyExistsError
from clarion.server.jobs import Jobs
from clarion.server.offload import offload
from clarion.store.operations import Operation, OperationKind, OperationLog


class Starts:
    """Starts operations, one at a time."""

    def __init__(self, operations: OperationLog, jobs: Jobs, threads: Executor) -> None:
        self._operations = operations
        self._jobs = jobs
        self._threads = threads
        self._one = asyncio.Lock()

    async def once(
        self,
        tenant: str,
        request_id: str,
        kind: OperationKind,
        begin: Callable[[], Awaitable[Operation]],
    ) -> Operation:
        """Return the operation that ``begin`` starts, or the one that this request id started before.

        Raises
        ------
        AlreadyExistsError
            The request id started one of another kind.
        LimitExceededError
            As many jobs run or wait as this server takes.
        """
        # In a task of its own: a caller who hangs up now must not leave half a start behind.
        return await asyncio.shield(
            asyncio.create_task(self._once(tenant, request_id, kind, begin))
        )

    async def _once(
        self,
        tenant: str,
        request_id: str,
        kind: OperationKind,
        begin: Callable[[], Awaitable[Operation]],
    ) -> Operation:
        async with self._one:  # two calls with one request id must not both look and find none
            known = await self._requested(tenant, request_id, kind)
            if known is not None:
                return known
            self._jobs.check_room()
            return await begin()

    async def _requested(
        self, tenant: str, request_id: str, kind: OperationKind
    ) -> Operation | None:
        if not request_id:
            return None
        known = await offload(self._threads, self._operations.requested, tenant, request_id)
        if known is not None and known.kind is not kind:
            raise AlreadyExistsError(
                f"the request id '{request_id}' was used before, for operations/{known.id} "
                f"({known.kind.value.lower()}); choose another",
                operation=f"operations/{known.id}",
            )
        return known
