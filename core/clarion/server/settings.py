"""Settings of the server: from ``CLARION_...`` variables, or a TOML file, or a caller."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

MEBIBYTE = 2**20


class Settings(BaseSettings):
    """What an operator may set. What a caller passes wins over variables, which win over the file.

    A name that is unknown or a value out of range raises ``pydantic.ValidationError``.
    """

    model_config = SettingsConfigDict(env_prefix="CLARION_", extra="forbid", frozen=True)

    data_dir: Path = Field(
        default=Path("clarion-data"), description="Folder of models and database; made if absent."
    )
    database_url: str = Field(
        default="", description="SQLAlchemy URL; empty for SQLite in the data folder."
    )
    host: str = Field(default="127.0.0.1", description="Address to listen on.")
    port: int = Field(default=50051, ge=0, le=65535, description="Port; 0 for any free one.")
    reflection: bool = Field(default=False, description="Whether to describe the API to anyone.")
    log_format: Literal["json", "console"] = Field(default="json", description="How logs look.")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="The least that is logged; `debug` has a line for every call."
    )
    drain_seconds: float = Field(
        default=20.0, ge=0, le=3600, description="Time that calls in flight get at shutdown."
    )

    max_message_bytes: int = Field(
        default=64 * MEBIBYTE, ge=1024, le=1024 * MEBIBYTE, description="Largest request."
    )
    max_metadata_bytes: int = Field(
        default=16384, ge=1024, le=2**20, description="Largest metadata of a call."
    )
    max_concurrent_rpcs: int = Field(default=1000, ge=1, description="Calls at once, of all kinds.")
    max_streams: int = Field(default=100, ge=1, description="Scoring streams open at once.")
    max_stream_assets: int = Field(
        default=10_000,
        ge=1,
        le=1_000_000,
        description="Assets that a stream remembers; the one unseen for longest is forgotten.",
    )
    max_signals: int = Field(default=4096, ge=1, description="Signals of one frame.")
    max_rows: int = Field(default=1_000_000, ge=1, description="Rows of one frame.")
    max_waiting: int = Field(
        default=128, ge=1, description="Calls computing or waiting to, beyond which new ones fail."
    )
    max_waiting_fits: int = Field(
        default=16, ge=1, description="Fits and evaluations running or waiting to."
    )

    score_workers: int = Field(
        default=max(2, os.cpu_count() or 1), ge=1, le=256, description="Threads that score."
    )
    fit_workers: int = Field(default=1, ge=1, le=16, description="Threads that fit and evaluate.")
    explain_workers: int = Field(
        default=1, ge=0, le=64, description="Processes that explain; 0 for threads instead."
    )
    max_loaded_models: int = Field(default=32, ge=1, description="Models kept in memory.")
    max_loaded_bytes: int = Field(default=1024 * MEBIBYTE, ge=1, description="Memory for them.")
    max_explanation_bytes: int = Field(
        default=64 * MEBIBYTE,
        ge=0,
        description="Memory for costly explanations, to give again; as much in each process that "
        "explains. 0 for none.",
    )

    @classmethod
    def from_file(cls, path: Path, **values: object) -> Settings:
        """Return the settings of a TOML file; variables and ``values`` win over it.

        Raises
        ------
        OSError, tomllib.TOMLDecodeError, pydantic.ValidationError
            The file cannot be read, is no TOML, or holds a name or value that is no setting.
        """
        table = tomllib.loads(path.read_text(encoding="utf-8"))
        known = {f"CLARION_{name.upper()}" for name in cls.model_fields}
        named = {
            key[len("CLARION_") :].lower() for key in map(str.upper, os.environ) if key in known
        }
        kept = {key: value for key, value in table.items() if key not in named}
        return cls(**{**kept, **values})

    @property
    def database(self) -> str:
        """The database's URL."""
        return self.database_url or f"sqlite:///{self.data_dir / 'clarion.db'}"

    @property
    def models_dir(self) -> Path:
        """The folder of the model store."""
        return self.data_dir / "models"
