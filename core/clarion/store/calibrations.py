"""Calibrations of a version: files of their own beside the model, one of them current."""

from __future__ import annotations

import time
from pathlib import Path

from clarion.errors import InvalidParameterError
from clarion.pipeline.calibrate import Calibration
from clarion.store.files import (
    MAX_JSON_BYTES,
    canonical_json,
    checked_name,
    corrupt,
    parsed_json,
    read_file,
    replace_file,
    sha256,
    write_file,
)
from clarion.store.stored_state import Limits, description_from_json, read_state, write_state

_POINTER = "current.json"


def write_calibration(folder: Path, calibration: Calibration, digest: str, scratch: Path) -> None:
    """Put a calibration of the version ``digest`` into ``folder`` and make it the current one.

    One that is there already is made current again. ``scratch`` is a path for the new pointer.
    """
    name = checked_name(calibration.id, "calibration")
    manifest = folder / f"{name}.json"
    if not manifest.exists():
        # Left by a crash before its manifest was written: complete or not, it is written anew.
        (folder / f"{name}.safetensors").unlink(missing_ok=True)
        state = write_state(folder, name, calibration.state())
        values = {"model": digest, "create_time": time.time_ns(), "state": state.to_json()}
        write_file(manifest, canonical_json(values))
    pointer = {"id": name, "sha256": sha256(read_file(manifest, MAX_JSON_BYTES))}
    replace_file(folder / _POINTER, canonical_json(pointer), scratch)


def current_calibration(folder: Path) -> str:
    """Return the id of the current calibration.

    Raises
    ------
    ArtifactCorruptError
        The pointer is damaged, or leads nowhere.
    """
    return _pointer(folder)[0]


def read_calibration(
    folder: Path, digest: str, limits: Limits, wanted: str = ""
) -> tuple[Calibration, int]:
    """Return a calibration and its size in bytes; the current one unless ``wanted`` names another.

    Raises
    ------
    ArtifactCorruptError
        A file is missing or damaged, or the calibration is another model's.
    """
    name, expected = _pointer(folder)
    path = folder / f"{wanted or name}.json"
    data = read_file(path, MAX_JSON_BYTES)
    if path.stem == name and sha256(data) != expected:
        raise corrupt(path, "has another SHA-256 than its pointer says", digest=sha256(data))
    values = parsed_json(data, path)
    if values.get("model") != digest:
        raise corrupt(path, f"belongs to the model version {values.get('model')!r:.80}")
    described = description_from_json(values.get("state"), path.stem, path)
    state = read_state(folder, path.stem, described, limits)
    calibration = Calibration.from_state(state)
    if calibration.id != path.stem:
        raise corrupt(path, f"holds the calibration {calibration.id}")
    return calibration, sum(entry.size for entry in described.files.values())


def _pointer(folder: Path) -> tuple[str, str]:
    path = folder / _POINTER
    values = parsed_json(read_file(path, MAX_JSON_BYTES), path)
    name, digest = values.get("id"), values.get("sha256")
    if values.keys() != {"id", "sha256"} or not (isinstance(name, str) and isinstance(digest, str)):
        raise corrupt(path, "names no calibration")
    try:
        known = (folder / f"{checked_name(name, 'calibration')}.json").is_file()
    except InvalidParameterError as error:
        raise corrupt(path, "names no calibration") from error
    if not known:
        raise corrupt(path, f"names the calibration '{name}', which is not there")
    return name, digest
