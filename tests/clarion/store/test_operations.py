"""Operations outlive the engine that wrote them, each in its tenant."""

from __future__ import annotations

import threading
from importlib.resources import as_file, files
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy.engine import Engine

from clarion.errors import OperationNotFoundError
from clarion.store.database import metadata, open_database
from clarion.store.operations import Operation, OperationKind, OperationLog, OperationState


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'clarion.db'}"


@pytest.fixture
def engine(url: str) -> Engine:
    return open_database(url)


@pytest.fixture
def log(engine: Engine) -> OperationLog:
    return OperationLog(engine)


def test_migrations_make_exactly_the_tables_of_this_release(engine: Engine) -> None:
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_operations_of_before_there_were_kinds_are_fits(tmp_path: Path) -> None:
    database = tmp_path / "old.db"
    row = (
        "INSERT INTO operations VALUES "
        "('default', 'a1', NULL, 'pump', 'RUNNING', 0.5, 'fitting', NULL, NULL, 1, 2)"
    )
    with as_file(files("clarion.store") / "migrations") as scripts:
        engine = sa.create_engine(f"sqlite:///{database}")
        with engine.begin() as connection:
            config = Config()
            config.set_main_option("script_location", str(scripts))
            config.attributes["connection"] = connection
            command.upgrade(config, "0001")
            connection.exec_driver_sql(row)
        engine.dispose()
    found = OperationLog(open_database(f"sqlite:///{database}")).get("default", "a1")
    assert (found.kind, found.stage) == (OperationKind.FIT, "fitting")


def test_an_operation_keeps_its_kind(log: OperationLog) -> None:
    made, _ = log.create("default", "pump", kind=OperationKind.EVALUATION)
    assert log.get("default", made.id) == made
    assert made.kind is OperationKind.EVALUATION


def test_sqlite_lets_readers_go_on_beside_the_writer(engine: Engine) -> None:
    with engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1


def test_every_table_has_a_tenant_in_its_key() -> None:
    for table in metadata.tables.values():
        assert "tenant" in table.primary_key.columns


def test_an_operation_is_there_after_a_restart(log: OperationLog, url: str) -> None:
    operation, new = log.create("default", "pump", "request-1")
    assert new
    log.advance(operation, 0.25, "fitting")
    log.finish(operation, OperationState.SUCCEEDED, response=b"\0model")
    again = OperationLog(open_database(url)).get("default", operation.id)
    assert (again.state, again.response, again.progress) == ("SUCCEEDED", b"\0model", 1.0)
    assert again.done
    assert again.create_time == operation.create_time < again.update_time


def test_what_was_running_at_a_crash_has_failed_and_nothing_else_changed(
    log: OperationLog, url: str
) -> None:
    running, _ = log.create("default", "pump")
    other, _ = log.create("other", "pump")
    done, _ = log.create("default", "fan")
    log.finish(done, OperationState.SUCCEEDED, response=b"model")
    after = OperationLog(open_database(url))
    assert after.fail_interrupted(b"status") == 2
    for operation in (running, other):
        found = after.get(operation.tenant, operation.id)
        assert (found.state, found.error) == (OperationState.FAILED, b"status")
    assert after.get("default", done.id).response == b"model"


def test_an_end_is_final(log: OperationLog) -> None:
    operation, _ = log.create("default", "pump")
    assert log.finish(operation, OperationState.CANCELLED, error=b"cancelled")
    assert not log.finish(operation, OperationState.SUCCEEDED, response=b"model")
    log.advance(operation, 0.9, "late")
    found = log.get("default", operation.id)
    assert (found.state, found.response, found.stage) == ("CANCELLED", None, "waiting")


def test_a_request_id_makes_one_operation_however_many_ask_at_once(log: OperationLog) -> None:
    gate = threading.Barrier(6)
    got: list[tuple[Operation, bool]] = []

    def ask() -> None:
        gate.wait()
        got.append(log.create("default", "pump", "once"))

    threads = [threading.Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({operation.id for operation, _ in got}) == 1
    assert [new for _, new in got].count(True) == 1
    assert log.create("other", "pump", "once")[1], "another tenant's request ids are its own"


def test_calls_without_a_request_id_are_not_alike(log: OperationLog) -> None:
    assert log.create("default", "pump")[0].id != log.create("default", "pump")[0].id


def test_pages_hold_each_operation_once_newest_first(log: OperationLog) -> None:
    made = [log.create("default", "pump")[0].id for _ in range(7)]
    log.create("other", "pump")
    seen: list[str] = []
    before = None
    while page := log.page("default", limit=3, before=before):
        seen += [operation.id for operation in page]
        before = (page[-1].create_time, page[-1].id)
    assert seen == made[::-1]


def test_tenants_do_not_see_each_others_operations(log: OperationLog) -> None:
    operation, _ = log.create("default", "pump")
    for attempt in (log.get, log.delete):
        with pytest.raises(OperationNotFoundError):
            attempt("other", operation.id)
    log.delete("default", operation.id)
    with pytest.raises(OperationNotFoundError):
        log.get("default", operation.id)
