"""Models on disk.

::

    tenants/{tenant}/models/{model}/model.json           display name, creation
                                    numbers/{n}          every number ever given: none is given twice
                                    versions/{n}/manifest.json, manifest.sha256, state.safetensors
                                                 calibrations/{id}.json, {id}.safetensors, current.json

A version is built in ``staging`` and renamed into place, so it is there whole or not at all. The
SHA-256 of its manifest is its identity; ``sha256sum -c manifest.sha256`` checks it by hand.
"""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass, replace
from pathlib import Path

from clarion.errors import ArtifactCorruptError, ModelNotFoundError
from clarion.pipeline.calibrate import Calibration
from clarion.pipeline.run import FittedPipeline
from clarion.registry import Registries
from clarion.store.calibrations import current_calibration, read_calibration, write_calibration
from clarion.store.files import corrupt, replace_file
from clarion.store.folders import Folders
from clarion.store.manifest import Manifest
from clarion.store.stored_state import Limits, read_state
from clarion.store.versions import (
    build_model,
    build_version,
    model_json,
    move_in,
    read_manifest,
    read_model_json,
    reserve_number,
    version_numbers,
)


@dataclass(frozen=True, slots=True)
class VersionRef:
    """One version of one model and the calibration it is used with: all that a worker needs."""

    tenant: str
    model: str
    number: int
    digest: str
    calibration_id: str

    @property
    def name(self) -> str:
        """Resource name."""
        return f"models/{self.model}/versions/{self.number}"


@dataclass(frozen=True, slots=True)
class StoredModel:
    """A model's name, what people call it, when it was made (ns UTC), and its version numbers."""

    name: str
    display_name: str
    create_time: int
    versions: tuple[int, ...]


class ModelStore:
    """Models under a folder. Thread-safe; one process writes, any number may read."""

    def __init__(self, root: Path, limits: Limits | None = None) -> None:
        self._folders = Folders(root)
        self._limits = limits or Limits()
        self._refs: dict[tuple[str, str, int | None], VersionRef] = {}
        self._lock = threading.Lock()

    def sweep(self) -> None:
        """Remove what a crash left behind; only for the process that writes."""
        self._folders.sweep()

    def save(
        self, tenant: str, model: str, pipeline: FittedPipeline, display_name: str = ""
    ) -> VersionRef:
        """Store a fitted pipeline as the model's next version, and say which.

        A crash at any time leaves the version whole or absent.
        """
        target = self._folders.model(tenant, model)
        with self._folders.staging() as staging:
            digest = build_version(staging / "version", pipeline)
            number = _put(target, display_name, staging)
        self._forget(tenant, model)
        return VersionRef(tenant, model, number, digest, pipeline.calibration.id)

    def recalibrate(self, ref: VersionRef, calibration: Calibration) -> VersionRef:
        """Make ``calibration`` the current one of a version, whose own files stay as they are."""
        folder = self._version(ref.tenant, ref.model, ref.number) / "calibrations"
        with self._folders.staging() as staging:
            write_calibration(folder, calibration, ref.digest, staging / "pointer")
        self._forget(ref.tenant, ref.model)
        return replace(ref, calibration_id=calibration.id)

    def known(self, tenant: str, model: str, number: int | None = None) -> VersionRef | None:
        """Return what `resolve` found before, without a look at the disk."""
        return self._refs.get((tenant, model, number))

    def resolve(self, tenant: str, model: str, number: int | None = None) -> VersionRef:
        """Return the version ``number``, or the newest one, with its current calibration.

        Raises
        ------
        ModelNotFoundError
            No such model or version.
        ArtifactCorruptError
            Its manifest fails its checks.
        """
        with self._lock:
            found = self.known(tenant, model, number) or self._find(tenant, model, number)
            self._refs[tenant, model, number] = found
        return found

    def load(self, ref: VersionRef, registries: Registries) -> tuple[FittedPipeline, int]:
        """Return the very pipeline that ``ref`` names, and the bytes of its files.

        Raises
        ------
        ModelNotFoundError
            It was deleted.
        ArtifactCorruptError
            A file fails its checks, or the version has another digest than ``ref``.
        """
        folder = self._version(ref.tenant, ref.model, ref.number)
        try:
            return self._loaded(folder, ref, registries)
        except ArtifactCorruptError:
            self._version(ref.tenant, ref.model, ref.number)  # deleted meanwhile: say that instead
            raise

    def describe(self, ref: VersionRef) -> tuple[Manifest, Calibration]:
        """Return what lists say of a version, without loading its arrays."""
        folder = self._version(ref.tenant, ref.model, ref.number)
        manifest, digest = read_manifest(folder)
        return manifest, read_calibration(folder / "calibrations", digest, self._limits)[0]

    def get(self, tenant: str, model: str) -> StoredModel:
        """Return one model.

        Raises
        ------
        ModelNotFoundError
            There is none of that name.
        ArtifactCorruptError
            Its ``model.json`` is damaged.
        """
        folder = self._folders.model(tenant, model)
        if not folder.is_dir():
            raise _no_model(model)
        return StoredModel(model, *read_model_json(folder), version_numbers(folder))

    def models(self, tenant: str, *, after: str = "", limit: int) -> list[str]:
        """Return the names of at most ``limit`` models that sort behind ``after``."""
        folder = self._folders.models(tenant)
        names = [entry.name for entry in os.scandir(folder)] if folder.is_dir() else []
        return sorted(name for name in names if name > after)[:limit]

    def delete(self, tenant: str, model: str) -> None:
        """Delete a model with all its versions; pipelines loaded already live on.

        Raises
        ------
        ModelNotFoundError
            There is none of that name.
        """
        try:
            self._folders.discard(self._folders.model(tenant, model))
        except FileNotFoundError as error:
            raise _no_model(model) from error
        finally:
            self._forget(tenant, model)

    def delete_version(self, tenant: str, model: str, number: int) -> None:
        """Delete one version; its number is never given again.

        Raises
        ------
        ModelNotFoundError
            There is no such model or version.
        """
        try:
            self._folders.discard(self._version(tenant, model, number))
        except FileNotFoundError as error:
            raise _no_version(model, number) from error
        finally:
            self._forget(tenant, model)

    def _find(self, tenant: str, model: str, number: int | None) -> VersionRef:
        if number is None:
            folder = self._folders.model(tenant, model)
            numbers = version_numbers(folder)
            if not numbers:
                raise _no_version(model, None) if folder.is_dir() else _no_model(model)
            number = numbers[-1]
        folder = self._version(tenant, model, number)
        digest = read_manifest(folder)[1]
        return VersionRef(
            tenant, model, number, digest, current_calibration(folder / "calibrations")
        )

    def _loaded(
        self, folder: Path, ref: VersionRef, registries: Registries
    ) -> tuple[FittedPipeline, int]:
        manifest, digest = read_manifest(folder)
        if digest != ref.digest:
            problem = f"has the SHA-256 {digest}, not {ref.digest}"
            raise corrupt(folder / "manifest.json", problem, digest=digest)
        state = read_state(folder, "state", manifest.state, self._limits)
        calibration, size = read_calibration(
            folder / "calibrations", digest, self._limits, ref.calibration_id
        )
        pipeline = FittedPipeline.from_state(state, calibration, registries)
        size += sum(entry.size for entry in manifest.state.files.values())
        return replace(pipeline, digest=digest), size

    def _version(self, tenant: str, model: str, number: int) -> Path:
        folder = self._folders.version(tenant, model, number)
        if not folder.is_dir():
            there = self._folders.model(tenant, model).is_dir()
            raise _no_version(model, number) if there else _no_model(model)
        return folder

    def _forget(self, tenant: str, model: str) -> None:
        with self._lock:
            self._refs = {k: v for k, v in self._refs.items() if k[:2] != (tenant, model)}


def _put(target: Path, display_name: str, staging: Path) -> int:
    """Move ``staging/version`` into the model at ``target``, made if need be; return its number."""
    version = staging / "version"
    if not target.is_dir():
        build_model(staging / "model", display_name or target.name, version)
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            move_in(staging / "model", target)
        except FileExistsError:
            version = staging / "model" / "versions" / "1"  # another first fit was faster
        else:
            return 1
    number = reserve_number(target)
    move_in(version, target / "versions" / str(number))
    old_name, create_time = read_model_json(target)
    if display_name and display_name != old_name:
        replace_file(target / "model.json", model_json(display_name, create_time), staging / "new")
    return number


def _no_model(model: str) -> ModelNotFoundError:
    return ModelNotFoundError(f"there is no model '{model}'", model=model)


def _no_version(model: str, number: int | None) -> ModelNotFoundError:
    if number is None:
        return ModelNotFoundError(f"the model '{model}' has no version left", model=model)
    return ModelNotFoundError(
        f"the model '{model}' has no version {number}", model=model, version=number
    )
