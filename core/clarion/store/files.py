"""Files of the store: written whole or not at all, read within limits, never through a link."""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from clarion.errors import ArtifactCorruptError, InvalidParameterError

MAX_JSON_BYTES = 16 * 2**20
"""Largest manifest; state parameters hold vocabularies, not arrays."""

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")


def checked_name(name: str, field: str) -> str:
    """Return ``name`` if it can be the name of one folder and nothing else.

    Raises
    ------
    InvalidParameterError
        It is empty, too long, or could lead elsewhere; ``field`` is the request field named.
    """
    if not _NAME.fullmatch(name):
        raise InvalidParameterError(
            f"{name[:80]!r} is no name: use at most 63 lower-case letters, digits, '.', '_' or '-', "
            "the first a letter or digit",
            field=field,
        )
    return name


def sha256(data: bytes) -> str:
    """Return the SHA-256 of ``data``, in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def corrupt(path: Path, problem: str, **metadata: str) -> ArtifactCorruptError:
    """Return the error for a damaged file; the file is named from its tenant's folder on."""
    parts = path.parts
    place = parts.index("tenants") + 2 if "tenants" in parts else 0
    name = "/".join(parts[place:])
    return ArtifactCorruptError(
        f"the stored file '{name}' {problem}; restore it, or delete this version and fit again",
        file=name,
        **metadata,
    )


def canonical_json(values: Mapping[str, Any]) -> bytes:
    """Return the one way to write ``values``: sorted, without blanks, UTF-8."""
    text = json.dumps(
        values, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )
    return text.encode()


def parsed_json(data: bytes, path: Path) -> dict[str, Any]:
    """Return what `canonical_json` wrote.

    Raises
    ------
    ArtifactCorruptError
        It is no JSON object, or not written canonically (so each byte counts).
    """
    try:
        values = json.loads(data)
        if isinstance(values, dict) and canonical_json(values) == data:
            return values
    except (ValueError, RecursionError) as error:
        raise corrupt(path, f"is no JSON: {type(error).__name__}", digest=sha256(data)) from error
    raise corrupt(path, "is no canonical JSON object", digest=sha256(data))


def read_file(path: Path, limit: int, *, size: int | None = None) -> bytes:
    """Return a file's bytes, having looked at its size first.

    Raises
    ------
    ArtifactCorruptError
        It is missing, a link, no plain file, larger than ``limit``, or not ``size`` bytes long.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        raise corrupt(path, f"cannot be read: {error.strerror}") from error
    with open(descriptor, "rb") as file:  # noqa: PTH123 - the descriptor, so that no link is followed
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise corrupt(path, "is no plain file")
        if size is not None and status.st_size != size:
            raise corrupt(path, f"is {status.st_size} bytes long, not {size}")
        if status.st_size > limit:
            raise corrupt(path, f"is {status.st_size} bytes long; the limit is {limit}")
        return file.read(limit)


def write_file(path: Path, data: bytes) -> None:
    """Write a new file and see it to the disk."""
    with path.open("xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def replace_file(path: Path, data: bytes, scratch: Path) -> None:
    """Put ``data`` at ``path`` at once; a crash leaves the old file or the new one."""
    write_file(scratch, data)
    scratch.replace(path)
    sync_folder(path.parent)


def sync_folder(path: Path) -> None:
    """See a folder's entries to the disk."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_tree(path: Path) -> None:
    """See every folder under ``path`` to the disk, and ``path`` itself."""
    for folder, _, _ in os.walk(path):
        sync_folder(Path(folder))
