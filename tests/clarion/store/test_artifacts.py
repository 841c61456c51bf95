"""Models on disk come back as they were, or not at all."""

from __future__ import annotations

import hashlib
import os
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from clarion.errors import InvalidParameterError, ModelNotFoundError
from clarion.frames import Frame
from clarion.pipeline.answer import ExplainedRows, ExplanationPolicy
from clarion.pipeline.calibrate import Calibration
from clarion.pipeline.run import FittedPipeline
from clarion.registry import Registries
from clarion.store import versions
from clarion.store.artifacts import ModelStore, VersionRef


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def version_folder(root: Path, ref: VersionRef) -> Path:
    return root / "tenants" / ref.tenant / "models" / ref.model / "versions" / str(ref.number)


def test_a_loaded_pipeline_answers_bit_for_bit_like_the_fitted_one(
    store: ModelStore, pipeline: FittedPipeline, registries: Registries, rows: Frame
) -> None:
    ref = store.save("default", "pump", pipeline)
    loaded, size = store.load(ref, registries)
    policy = ExplanationPolicy(rows=ExplainedRows.ALL)
    before, _ = replace(pipeline, digest=ref.digest).run(rows, policy)
    after, _ = loaded.run(rows, policy)
    assert np.array_equal(before.scores, after.scores)
    assert np.array_equal(before.p_values, after.p_values)
    assert before.explanations == after.explanations
    assert size > loaded.calibration.scores.nbytes


def test_the_digest_is_the_sha256_of_the_manifest(
    store: ModelStore, pipeline: FittedPipeline, root: Path
) -> None:
    ref = store.save("default", "pump", pipeline)
    folder = version_folder(root, ref)
    assert hashlib.sha256((folder / "manifest.json").read_bytes()).hexdigest() == ref.digest
    assert (folder / "manifest.sha256").read_text() == f"{ref.digest}  manifest.json\n"
    assert ModelStore(root).resolve("default", "pump") == ref


def test_versions_count_up_and_the_newest_is_meant_by_the_model(
    store: ModelStore, pipeline: FittedPipeline
) -> None:
    refs = [store.save("default", "pump", pipeline) for _ in range(3)]
    assert [ref.number for ref in refs] == [1, 2, 3]
    assert store.resolve("default", "pump") == refs[2]
    assert store.resolve("default", "pump", 1) == refs[0]


def test_a_deleted_number_is_never_given_again(store: ModelStore, pipeline: FittedPipeline) -> None:
    store.save("default", "pump", pipeline)
    second = store.save("default", "pump", pipeline)
    store.delete_version("default", "pump", second.number)
    assert store.resolve("default", "pump").number == 1
    assert store.save("default", "pump", pipeline).number == 3


def test_fits_that_race_for_a_new_name_get_different_numbers(
    store: ModelStore, pipeline: FittedPipeline, registries: Registries
) -> None:
    refs: list[VersionRef] = []
    gate = threading.Barrier(6)

    def save() -> None:
        gate.wait()
        refs.append(store.save("default", "pump", pipeline))

    threads = [threading.Thread(target=save) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(ref.number for ref in refs) == [1, 2, 3, 4, 5, 6]
    for ref in refs:
        store.load(ref, registries)


def test_a_number_taken_meanwhile_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "numbers").mkdir()
    monkeypatch.setattr(os, "scandir", lambda _: iter(()))  # looked before the others wrote
    assert [versions.reserve_number(tmp_path) for _ in range(3)] == [1, 2, 3]


@pytest.mark.parametrize("moment", ["write_file", "write_state", "move_in"])
@pytest.mark.parametrize("first", [True, False])
def test_a_failure_while_saving_leaves_nothing_behind(
    store: ModelStore,
    pipeline: FittedPipeline,
    root: Path,
    monkeypatch: pytest.MonkeyPatch,
    moment: str,
    first: bool,
) -> None:
    if not first:
        store.save("default", "pump", pipeline)
    before = contents(root / "tenants")
    target = (
        versions if moment != "move_in" else __import__("clarion.store.artifacts").store.artifacts
    )

    def crash(*_: object) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(target, moment, crash)
    with pytest.raises(OSError, match="no space"):
        store.save("default", "pump", pipeline)
    after = {k: v for k, v in contents(root / "tenants").items() if "/numbers/" not in k}
    assert after == {k: v for k, v in before.items() if "/numbers/" not in k}
    assert not list((root / "staging").iterdir())


def test_what_a_crash_left_is_swept_and_nothing_else(
    store: ModelStore, pipeline: FittedPipeline, root: Path, registries: Registries
) -> None:
    ref = store.save("default", "pump", pipeline)
    for place in ("staging", "trash"):
        (root / place / "left").mkdir()
        (root / place / "left" / "state.safetensors").write_bytes(b"half")
    ModelStore(root).sweep()
    assert not list((root / "staging").iterdir()) + list((root / "trash").iterdir())
    ModelStore(root).load(ref, registries)


def test_deleting_takes_the_name_at_once_and_leaves_loaded_pipelines_alone(
    store: ModelStore, pipeline: FittedPipeline, root: Path, registries: Registries, rows: Frame
) -> None:
    ref = store.save("default", "pump", pipeline)
    loaded, _ = store.load(ref, registries)
    store.delete("default", "pump")
    assert len(loaded.run(rows)[0].scores) == len(rows)
    for lookup in (
        lambda: store.resolve("default", "pump"),
        lambda: store.load(ref, registries),
        lambda: store.get("default", "pump"),
        lambda: store.delete("default", "pump"),
        lambda: store.delete_version("default", "pump", 1),
    ):
        with pytest.raises(ModelNotFoundError) as caught:
            lookup()
        assert caught.value.metadata["model"] == "pump"
    assert not contents(root)


def test_a_model_without_versions_says_so(store: ModelStore, pipeline: FittedPipeline) -> None:
    store.save("default", "pump", pipeline)
    store.delete_version("default", "pump", 1)
    with pytest.raises(ModelNotFoundError, match="no version left"):
        store.resolve("default", "pump")
    with pytest.raises(ModelNotFoundError, match="no version 7"):
        store.resolve("default", "pump", 7)
    assert store.get("default", "pump").versions == ()


def test_recalibrating_changes_no_file_of_the_model(
    store: ModelStore, pipeline: FittedPipeline, root: Path, registries: Registries
) -> None:
    ref = store.save("default", "pump", pipeline)
    folder = version_folder(root, ref)
    before = contents(folder)
    fresh = Calibration.of(np.linspace(0.0, 9.0, 300), 0.02)
    renewed = store.recalibrate(ref, fresh)
    after = contents(folder)
    assert {k: after[k] for k in before if k != "calibrations/current.json"} == {
        k: v for k, v in before.items() if k != "calibrations/current.json"
    }
    assert store.resolve("default", "pump") == renewed
    assert renewed.digest == ref.digest
    assert renewed.calibration_id == fresh.id
    assert store.load(renewed, registries)[0].calibration.default_rate == 0.02
    # A stream that pinned the old one keeps it.
    assert store.load(ref, registries)[0].calibration.id == pipeline.calibration.id
    assert store.recalibrate(renewed, pipeline.calibration) == ref


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../pump", "a/b", "/etc", ".hidden", "Pump", "a" * 64, "a\0", "ä"]
)
def test_a_name_that_could_lead_elsewhere_is_refused(
    store: ModelStore, pipeline: FittedPipeline, root: Path, name: str
) -> None:
    for attempt in (
        lambda: store.save("default", name, pipeline),
        lambda: store.resolve("default", name),
        lambda: store.delete("default", name),
        lambda: store.resolve(name, "pump"),
    ):
        with pytest.raises(InvalidParameterError):
            attempt()
    assert not contents(root)


def test_tenants_do_not_see_each_other(store: ModelStore, pipeline: FittedPipeline) -> None:
    store.save("default", "pump", pipeline)
    assert store.models("other", limit=10) == []
    with pytest.raises(ModelNotFoundError):
        store.resolve("other", "pump")


def test_models_are_listed_in_pages_by_name(store: ModelStore, pipeline: FittedPipeline) -> None:
    for name in ("c", "a", "b"):
        store.save("default", name, pipeline)
    assert store.models("default", limit=2) == ["a", "b"]
    assert store.models("default", after="b", limit=2) == ["c"]


def test_a_model_is_called_what_its_last_fit_called_it(
    store: ModelStore, pipeline: FittedPipeline
) -> None:
    store.save("default", "pump", pipeline)
    assert store.get("default", "pump").display_name == "pump"
    store.save("default", "pump", pipeline, "Pump 7, boiler house")
    store.save("default", "pump", pipeline)
    model = store.get("default", "pump")
    assert (model.display_name, model.versions) == ("Pump 7, boiler house", (1, 2, 3))
