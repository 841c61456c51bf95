"""A `State` on disk: one safetensors file, a file for each blob, and a description of both."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clarion.state import State
from clarion.store.files import corrupt, read_file, sha256, write_file
from clarion.store.tensors import MAX_ARRAYS, ArraySpec, pack, spec_from_json, spec_of, unpack


@dataclass(frozen=True, slots=True)
class Limits:
    """What is read at most: bytes of one file, and of all files of one state."""

    file_bytes: int = 2 * 2**30
    state_bytes: int = 4 * 2**30


@dataclass(frozen=True, slots=True)
class FileEntry:
    """What a manifest says of one file."""

    sha256: str
    size: int


@dataclass(frozen=True, slots=True)
class Description:
    """What a manifest says of a state: all of it but the bytes of arrays and blobs.

    ``blobs`` leads from a blob's name to its file; ``files`` holds every file, by name.
    """

    version: int
    parameters: Mapping[str, Any]
    arrays: Mapping[str, ArraySpec]
    blobs: Mapping[str, str]
    files: Mapping[str, FileEntry]

    def to_json(self) -> dict[str, Any]:
        """Return the description as JSON values."""
        arrays = {k: {"dtype": s.dtype, "shape": list(s.shape)} for k, s in self.arrays.items()}
        return {
            "version": self.version,
            "parameters": dict(self.parameters),
            "arrays": arrays,
            "blobs": dict(self.blobs),
            "files": {k: {"sha256": f.sha256, "size": f.size} for k, f in self.files.items()},
        }


def write_state(folder: Path, name: str, state: State) -> Description:
    """Write ``{name}.safetensors`` and the blobs of ``state`` into ``folder``."""
    contents = {f"{name}.safetensors": pack(state.arrays)}
    blobs = {blob: f"{name}-{i}.blob" for i, blob in enumerate(sorted(state.blobs))}
    contents |= {file: state.blobs[blob] for blob, file in blobs.items()}
    for file, data in contents.items():
        write_file(folder / file, data)
    return Description(
        version=state.version,
        parameters=state.parameters,
        arrays={key: spec_of(array) for key, array in state.arrays.items()},
        blobs=blobs,
        files={file: FileEntry(sha256(data), len(data)) for file, data in contents.items()},
    )


def read_state(folder: Path, name: str, described: Description, limits: Limits) -> State:
    """Return the state that `write_state` wrote, having checked every byte of it.

    Raises
    ------
    ArtifactCorruptError
        A file is missing, changed or over the limits; file and digest are named.
    """
    tensors = f"{name}.safetensors"
    _check_sizes(folder, tensors, described, limits)
    contents = {
        file: _checked(folder / file, entry, limits) for file, entry in described.files.items()
    }
    arrays = unpack(contents[tensors], described.arrays, folder / tensors)
    blobs = {blob: contents[file] for blob, file in described.blobs.items()}
    return State(described.version, described.parameters, arrays, blobs)


def description_from_json(values: object, name: str, path: Path) -> Description:
    """Return the description in the manifest at ``path``.

    Raises
    ------
    ArtifactCorruptError
        It is none: a field is missing, or of another type.
    """
    try:
        return _description(values, name)
    except (KeyError, TypeError, ValueError) as error:
        raise corrupt(path, f"describes no state: {error}") from error


def _description(values: Any, name: str) -> Description:
    version, parameters = values["version"], values["parameters"]
    if type(version) is not int or not isinstance(parameters, dict):
        raise TypeError("a state needs a version and parameters")
    if len(values["arrays"]) + len(values["blobs"]) > MAX_ARRAYS:
        raise ValueError(f"a state has at most {MAX_ARRAYS} arrays and blobs")
    files = {str(file): _entry(entry) for file, entry in values["files"].items()}
    blobs = {str(blob): str(file) for blob, file in values["blobs"].items()}
    expected = {f"{name}.safetensors", *(f"{name}-{i}.blob" for i in range(len(blobs)))}
    if files.keys() != expected or {*blobs.values(), f"{name}.safetensors"} != expected:
        raise ValueError("files and blobs do not belong together")
    arrays = {str(key): spec_from_json(spec) for key, spec in values["arrays"].items()}
    return Description(version, parameters, arrays, blobs, files)


def _entry(values: Any) -> FileEntry:
    digest, size = values["sha256"], values["size"]
    if not isinstance(digest, str) or type(size) is not int or size < 0:
        raise TypeError("a file needs sha256 and size")
    return FileEntry(digest, size)


def _check_sizes(folder: Path, tensors: str, described: Description, limits: Limits) -> None:
    whole = sum(entry.size for entry in described.files.values())
    arrays = sum(spec.size for spec in described.arrays.values())
    if whole > limits.state_bytes:
        raise corrupt(folder, f"holds {whole} bytes; the limit is {limits.state_bytes}")
    if arrays > described.files[tensors].size:
        raise corrupt(folder / tensors, f"is too small for the {arrays} bytes of its arrays")


def _checked(path: Path, entry: FileEntry, limits: Limits) -> bytes:
    data = read_file(path, limits.file_bytes, size=entry.size)
    digest = sha256(data)
    if digest != entry.sha256:
        raise corrupt(
            path,
            f"has the SHA-256 {digest}, its manifest says {entry.sha256}",
            digest=digest,
            expected_digest=entry.sha256,
        )
    return data
