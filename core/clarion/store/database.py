"""The database: SQLite beside the models by default, any that SQLAlchemy speaks by its URL."""

from __future__ import annotations

from importlib.resources import as_file, files
from typing import Any

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from sqlalchemy.engine import Engine

metadata = sa.MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    }
)

operations = sa.Table(
    "operations",
    metadata,
    sa.Column("tenant", sa.String(63), primary_key=True),
    sa.Column("id", sa.String(63), primary_key=True),
    sa.Column("request_id", sa.String(128), nullable=True),
    sa.Column("kind", sa.String(16), nullable=False, server_default="FIT"),
    sa.Column("model", sa.String(63), nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("progress", sa.Float, nullable=False),
    sa.Column("stage", sa.String(256), nullable=False),
    sa.Column("error", sa.LargeBinary, nullable=True),
    sa.Column("response", sa.LargeBinary, nullable=True),
    sa.Column("create_time", sa.BigInteger, nullable=False),
    sa.Column("update_time", sa.BigInteger, nullable=False),
    sa.UniqueConstraint("tenant", "request_id"),
    sa.Index(None, "tenant", "create_time", "id"),
)
"""Long-running operations; times in nanoseconds since 1970 UTC, ``error`` a serialised status."""


def open_database(url: str) -> Engine:
    """Return an engine whose tables are those of this release, migrated if need be."""
    engine = sa.create_engine(url)
    if engine.dialect.name == "sqlite":
        sa.event.listen(engine, "connect", _set_pragmas)
    with as_file(files("clarion.store") / "migrations") as scripts, engine.begin() as connection:
        config = Config()
        config.set_main_option("script_location", str(scripts).replace("%", "%%"))
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
    return engine


def _set_pragmas(connection: Any, record: object) -> None:
    """Readers beside one writer; a writer that waits its turn; safe against a crash of the process."""
    for pragma in (
        "journal_mode=WAL",
        "synchronous=NORMAL",
        "busy_timeout=5000",
        "foreign_keys=ON",
    ):
        connection.execute(f"PRAGMA {pragma}")
