"""Long-running operations that outlive the server: what was asked, how far it is, how it ended."""

from __future__ import annotations

import time
import uuid
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from clarion.errors import OperationNotFoundError
from clarion.store.database import operations as table


class OperationState(StrEnum):
    """Where an operation stands; all but the first are final."""

    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"


class OperationKind(StrEnum):
    """What an operation does."""

    FIT = "FIT"
    EVALUATION = "EVALUATION"
    EXPLANATION = "EXPLANATION"


@dataclass(frozen=True, slots=True)
class Operation:
    """One row of the table.

    Attributes
    ----------
    progress, stage
        Share done, in [0, 1], and what was last being done.
    error, response
        Serialised messages: the status of one that failed, the result of one that succeeded.
    create_time, update_time
        Nanoseconds since 1970 UTC.
    """

    tenant: str
    id: str
    request_id: str | None
    kind: OperationKind
    model: str
    state: OperationState
    progress: float
    stage: str
    error: bytes | None
    response: bytes | None
    create_time: int
    update_time: int

    @property
    def done(self) -> bool:
        """Whether it will never change again."""
        return self.state is not OperationState.RUNNING


class OperationLog:
    """The operations of all tenants. Thread-safe; each call is one transaction."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def create(
        self,
        tenant: str,
        model: str,
        request_id: str = "",
        kind: OperationKind = OperationKind.FIT,
    ) -> tuple[Operation, bool]:
        """Return a new running operation and True; or the one that has this ``request_id``, and False."""
        now = time.time_ns()
        operation = Operation(
            tenant=tenant,
            id=uuid.uuid4().hex,
            request_id=request_id or None,
            kind=kind,
            model=model,
            state=OperationState.RUNNING,
            progress=0.0,
            stage="waiting",
            error=None,
            response=None,
            create_time=now,
            update_time=now,
        )
        try:
            with self._engine.begin() as connection:
                connection.execute(table.insert().values(asdict(operation)))
        except sa.exc.IntegrityError:
            found = self.requested(tenant, request_id)
            if found is None:
                raise
            return found, False
        return operation, True

    def requested(self, tenant: str, request_id: str) -> Operation | None:
        """Return the operation that has this ``request_id``, if there is one."""
        rows = self._select(table.c.tenant == tenant, table.c.request_id == request_id)
        return rows[0] if rows else None

    def get(self, tenant: str, operation_id: str) -> Operation:
        """Return one operation.

        Raises
        ------
        OperationNotFoundError
            There is none of that id.
        """
        rows = self._select(table.c.tenant == tenant, table.c.id == operation_id)
        if not rows:
            raise _not_found(operation_id)
        return rows[0]

    def page(
        self, tenant: str, *, limit: int, before: tuple[int, str] | None = None
    ) -> list[Operation]:
        """Return at most ``limit`` operations, newest first, older than ``before`` (time, id)."""
        conditions = [table.c.tenant == tenant]
        if before is not None:
            key = sa.tuple_(table.c.create_time, table.c.id)
            conditions.append(key < sa.tuple_(*map(sa.literal, before)))
        return self._select(*conditions, limit=limit)

    def advance(self, operation: Operation, progress: float, stage: str) -> None:
        """Note how far a running operation is."""
        self._update(operation, progress=progress, stage=stage[:256])

    def finish(
        self,
        operation: Operation,
        state: OperationState,
        *,
        response: bytes | None = None,
        error: bytes | None = None,
    ) -> bool:
        """End a running operation; False if it had ended before, and then nothing changes."""
        done = {"progress": 1.0, "stage": "done"} if state is OperationState.SUCCEEDED else {}
        return self._update(operation, state=state, response=response, error=error, **done)

    def fail_interrupted(self, error: bytes) -> int:
        """End every operation still running as failed, at the start of a server; return how many."""
        values = {"state": OperationState.FAILED, "error": error, "update_time": time.time_ns()}
        running = table.c.state == OperationState.RUNNING
        with self._engine.begin() as connection:
            return int(connection.execute(table.update().where(running).values(values)).rowcount)

    def delete(self, tenant: str, operation_id: str) -> None:
        """Forget an operation.

        Raises
        ------
        OperationNotFoundError
            There is none of that id.
        """
        chosen = (table.c.tenant == tenant) & (table.c.id == operation_id)
        with self._engine.begin() as connection:
            if not connection.execute(table.delete().where(chosen)).rowcount:
                raise _not_found(operation_id)

    def _update(self, operation: Operation, **values: Any) -> bool:
        chosen = (table.c.tenant == operation.tenant) & (table.c.id == operation.id)
        running = table.c.state == OperationState.RUNNING
        values["update_time"] = time.time_ns()
        statement = table.update().where(chosen, running).values(values)
        with self._engine.begin() as connection:
            return bool(connection.execute(statement).rowcount)

    def _select(
        self, *conditions: sa.ColumnElement[bool], limit: int | None = None
    ) -> list[Operation]:
        newest_first = (table.c.create_time.desc(), table.c.id.desc())
        query = table.select().where(*conditions).order_by(*newest_first).limit(limit)
        with self._engine.connect() as connection:
            rows = connection.execute(query).mappings().all()
        return [_operation(row) for row in rows]


def _operation(row: sa.RowMapping) -> Operation:
    kind, state = OperationKind(row["kind"]), OperationState(row["state"])
    return Operation(**{**row, "kind": kind, "state": state})


def _not_found(operation_id: str) -> OperationNotFoundError:
    return OperationNotFoundError(f"there is no operation '{operation_id}'", operation=operation_id)
