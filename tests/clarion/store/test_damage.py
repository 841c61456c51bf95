"""Whatever happens to a stored file, it is noticed before anything is made of it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from clarion.errors import ArtifactCorruptError
from clarion.pipeline.run import FittedPipeline
from clarion.registry import Registries
from clarion.store.artifacts import ModelStore, VersionRef
from clarion.store.files import canonical_json
from clarion.store.stored_state import Limits

STRIDE = 89
"""Beside the first 60 bytes of a file, every so many are damaged; with 1, all of them."""


@pytest.fixture
def ref(store: ModelStore, pipeline: FittedPipeline) -> VersionRef:
    return store.save("default", "pump", pipeline)


@pytest.fixture
def model(root: Path) -> Path:
    return root / "tenants" / "default" / "models" / "pump"


def files(model: Path) -> list[Path]:
    return sorted(p for p in model.rglob("*") if p.is_file() and p.parent.name != "numbers")


def use(root: Path, registries: Registries) -> None:
    """Do what a server does that was just started."""
    store = ModelStore(root)
    store.get("default", "pump")
    store.load(store.resolve("default", "pump"), registries)


def test_every_changed_byte_is_noticed(
    ref: VersionRef, root: Path, model: Path, registries: Registries
) -> None:
    tried = 0
    for path in files(model):
        good = path.read_bytes()
        for place in {*range(min(60, len(good))), *range(0, len(good), STRIDE)}:
            bad = bytearray(good)
            bad[place] ^= 1 << (place % 8)
            path.write_bytes(bad)
            with pytest.raises(ArtifactCorruptError) as caught:
                use(root, registries)
            assert caught.value.metadata["file"].startswith("models/pump/"), (path.name, place)
            tried += 1
        path.write_bytes(good)
    assert tried > 400
    use(root, registries)


def test_every_cut_missing_longer_or_linked_file_is_noticed(
    ref: VersionRef, root: Path, model: Path, registries: Registries, tmp_path: Path
) -> None:
    for path in files(model):
        good = path.read_bytes()
        for bad in (b"", good[: len(good) // 2], good[:-1], good + b"\0"):
            path.write_bytes(bad)
            with pytest.raises(ArtifactCorruptError):
                use(root, registries)
        path.unlink()
        with pytest.raises(ArtifactCorruptError, match=r"cannot be read|not there"):
            use(root, registries)
        elsewhere = tmp_path / "elsewhere"
        elsewhere.write_bytes(good)
        path.symlink_to(elsewhere)
        with pytest.raises(ArtifactCorruptError):
            use(root, registries)
        path.unlink()
        path.write_bytes(good)
    use(root, registries)


def test_a_linked_model_folder_is_refused(
    ref: VersionRef, root: Path, model: Path, registries: Registries, tmp_path: Path
) -> None:
    moved = model.rename(tmp_path / "moved")
    model.symlink_to(moved)
    with pytest.raises(ArtifactCorruptError, match="is a link"):
        use(root, registries)


def rewritten(model: Path, change: Callable[[dict[str, Any]], None]) -> str:
    """Edit the manifest and its checksum, as one who knows the format would; return the digest."""
    path = model / "versions" / "1" / "manifest.json"
    values = json.loads(path.read_bytes())
    change(values)
    data = canonical_json(values)
    digest = hashlib.sha256(data).hexdigest()
    path.write_bytes(data)
    path.with_suffix(".sha256").write_text(f"{digest}  manifest.json\n")
    for calibration in (model / "versions" / "1" / "calibrations").glob("*[0-9a-f].json"):
        inner = json.loads(calibration.read_bytes())
        if "model" in inner:
            sealed = canonical_json(inner | {"model": digest})
            calibration.write_bytes(sealed)
            pointer = {"id": calibration.stem, "sha256": hashlib.sha256(sealed).hexdigest()}
            (calibration.parent / "current.json").write_bytes(canonical_json(pointer))
    return digest


def test_a_well_forged_manifest_is_refused_by_who_knows_the_digest(
    ref: VersionRef, root: Path, model: Path, registries: Registries
) -> None:
    digest = rewritten(model, lambda v: v["pipeline"].update(explainer="forged"))
    use(root, registries)  # nothing else could tell
    assert digest != ref.digest
    with pytest.raises(ArtifactCorruptError) as caught:
        ModelStore(root).load(ref, registries)
    assert caught.value.metadata["digest"] == digest


def huge(values: dict[str, Any]) -> None:
    for spec in values["state"]["arrays"].values():
        spec["shape"] = [2**40, 2**40]


def another_shape(values: dict[str, Any]) -> None:
    spec = values["state"]["arrays"]["background/rows"]
    spec["shape"] = spec["shape"][::-1]


def another_type(values: dict[str, Any]) -> None:
    values["state"]["arrays"]["background/rows"]["dtype"] = "int64"


def object_type(values: dict[str, Any]) -> None:
    values["state"]["arrays"]["background/rows"]["dtype"] = "object"


def negative(values: dict[str, Any]) -> None:
    values["state"]["arrays"]["background/rows"]["shape"] = [-1, 3]


def missing_array(values: dict[str, Any]) -> None:
    del values["state"]["arrays"]["background/rows"]


def another_file(values: dict[str, Any]) -> None:
    files = values["state"]["files"]
    files["../../../model.json"] = files.pop("state.safetensors")


def newer_format(values: dict[str, Any]) -> None:
    values["format"] = 2


def no_signals(values: dict[str, Any]) -> None:
    del values["pipeline"]["signals"]


def text_for_number(values: dict[str, Any]) -> None:
    values["pipeline"]["history"] = "0"


def other_state_version(values: dict[str, Any]) -> None:
    values["state"]["version"] = 99


@pytest.mark.parametrize(
    "change",
    [
        huge,
        another_shape,
        another_type,
        object_type,
        negative,
        missing_array,
        another_file,
        newer_format,
        no_signals,
        text_for_number,
        other_state_version,
    ],
)
def test_a_forged_manifest_that_does_not_fit_its_files_is_refused(
    ref: VersionRef,
    root: Path,
    model: Path,
    registries: Registries,
    change: Callable[[dict[str, Any]], None],
) -> None:
    rewritten(model, change)
    with pytest.raises(ArtifactCorruptError):
        use(root, registries)


def test_files_over_the_limits_are_refused_by_their_size_alone(
    ref: VersionRef, root: Path, registries: Registries
) -> None:
    for limits in (Limits(file_bytes=1000), Limits(state_bytes=1000)):
        store = ModelStore(root, limits)
        with pytest.raises(ArtifactCorruptError, match="limit is 1000"):
            store.load(ref, registries)


def test_json_nested_beyond_reason_is_refused(
    ref: VersionRef, root: Path, model: Path, registries: Registries
) -> None:
    (model / "model.json").write_bytes(b'{"display_name":' + b"[" * 200_000 + b"]" * 200_000 + b"}")
    with pytest.raises(ArtifactCorruptError):
        use(root, registries)


def test_a_calibration_of_another_model_is_refused(
    ref: VersionRef, root: Path, model: Path, registries: Registries
) -> None:
    path = next(
        p for p in (model / "versions/1/calibrations").glob("*.json") if p.stem != "current"
    )
    data = canonical_json(json.loads(path.read_bytes()) | {"model": "0" * 64})
    path.write_bytes(data)
    pointer = {"id": path.stem, "sha256": hashlib.sha256(data).hexdigest()}
    (path.parent / "current.json").write_bytes(canonical_json(pointer))
    with pytest.raises(ArtifactCorruptError, match="belongs to the model version"):
        use(root, registries)
