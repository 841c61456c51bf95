"""How one version, and the model around it, is laid out on disk."""

from __future__ import annotations

import os
import time
from pathlib import Path

from clarion.pipeline.run import FittedPipeline
from clarion.store.calibrations import write_calibration
from clarion.store.files import (
    MAX_JSON_BYTES,
    canonical_json,
    corrupt,
    parsed_json,
    read_file,
    sha256,
    sync_folder,
    sync_tree,
    write_file,
)
from clarion.store.manifest import Facts, Manifest, library_versions
from clarion.store.stored_state import write_state


def build_version(folder: Path, pipeline: FittedPipeline) -> str:
    """Write a version into the new ``folder``; return the digest of its manifest."""
    (folder / "calibrations").mkdir(parents=True)
    state = write_state(folder, "state", pipeline.state())
    manifest = Manifest(time.time_ns(), Facts.of(pipeline), library_versions(), state).to_bytes()
    digest = sha256(manifest)
    write_file(folder / "manifest.json", manifest)
    write_file(folder / "manifest.sha256", _checksum_line(digest))
    scratch = folder / "calibrations" / "new"
    write_calibration(folder / "calibrations", pipeline.calibration, digest, scratch)
    return digest


def read_manifest(folder: Path) -> tuple[Manifest, str]:
    """Return the manifest of the version in ``folder``, and its digest.

    Raises
    ------
    ArtifactCorruptError
        It is missing, damaged, or of another format.
    """
    path = folder / "manifest.json"
    data = read_file(path, MAX_JSON_BYTES)
    digest = sha256(data)
    expected = read_file(folder / "manifest.sha256", 256)
    if expected != _checksum_line(digest):
        raise corrupt(
            path,
            f"has the SHA-256 {digest}, which manifest.sha256 does not confirm",
            digest=digest,
            expected_digest=expected[:64].decode("ascii", "replace"),
        )
    return Manifest.from_json(parsed_json(data, path), path), digest


def build_model(folder: Path, display_name: str, version: Path) -> None:
    """Write a model into the new ``folder``, with ``version`` moved in as its number 1."""
    for name in ("numbers", "versions"):
        (folder / name).mkdir(parents=True)
    (folder / "numbers" / "1").touch()
    write_file(folder / "model.json", model_json(display_name, time.time_ns()))
    version.rename(folder / "versions" / "1")


def model_json(display_name: str, create_time: int) -> bytes:
    """Return what ``model.json`` holds: both values, and their SHA-256."""
    values = {"display_name": display_name, "create_time": create_time}
    return canonical_json(values | {"sha256": sha256(canonical_json(values))})


def read_model_json(folder: Path) -> tuple[str, int]:
    """Return a model's display name and creation (ns UTC).

    Raises
    ------
    ArtifactCorruptError
        ``model.json`` is missing or damaged.
    """
    path = folder / "model.json"
    data = read_file(path, MAX_JSON_BYTES)
    values = parsed_json(data, path)
    display_name, create_time = values.get("display_name"), values.get("create_time")
    if not isinstance(display_name, str) or type(create_time) is not int:
        raise corrupt(path, "names no model", digest=sha256(data))
    if model_json(display_name, create_time) != data:
        raise corrupt(path, "was changed: its own SHA-256 does not fit", digest=sha256(data))
    return display_name, create_time


def version_numbers(folder: Path) -> tuple[int, ...]:
    """Return the numbers of a model's versions, ascending; none where there is no such folder."""
    versions = folder / "versions"
    names = [entry.name for entry in os.scandir(versions)] if versions.is_dir() else []
    return tuple(sorted(int(name) for name in names if name.isascii() and name.isdecimal()))


def reserve_number(folder: Path) -> int:
    """Return a version number of a model that nobody was given before, however many ask at once."""
    numbers = folder / "numbers"
    number = max((int(entry.name) for entry in os.scandir(numbers)), default=0)
    while True:
        number += 1
        try:
            (numbers / str(number)).touch(exist_ok=False)
        except FileExistsError:
            continue
        sync_folder(numbers)
        return number


def move_in(built: Path, target: Path) -> None:
    """Rename a folder into place, it and all that is in it seen to the disk.

    Raises
    ------
    FileExistsError
        There is one already.
    """
    sync_tree(built)
    try:
        built.rename(target)
    except OSError as error:
        if target.exists():
            raise FileExistsError(target) from error
        raise
    sync_folder(target.parent)


def _checksum_line(digest: str) -> bytes:
    return f"{digest}  manifest.json\n".encode()
