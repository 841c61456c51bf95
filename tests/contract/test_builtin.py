"""The kit against every plugin that the registries hold, in every configuration."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from clarion.plugins import load_plugins
from clarion.registry import Registry
from clarion.testing import SourceCase, Subject, run, source_checks, subjects_of
from clarion.testing.references import REFERENCES

REGISTRIES = load_plugins()
FEWEST_CHECKS = {"detectors": 33, "features": 24, "explainers": 13}

DEEP = {"autoencoder", "cnn", "deep_sad", "dnn", "image_autoencoder", "rnn"}
ADAPTED = {entry.name for entry in REGISTRIES.detectors if entry.name.startswith("pyod.")}
LIBRARIES = dict.fromkeys(DEEP, ("torch",)) | dict.fromkeys(ADAPTED, ("pyod", "skops"))
"""Of optional extras, without which a detector can be registered but not fitted."""
LIBRARIES |= {"deep_shap": ("shap", "torch"), "kernel_shap": ("shap",)}
SLOW = {"kernel_shap"}
"""Explainers, of libraries, that are tried on the kit's own detectors alone."""

EXCEPTIONS: dict[tuple[str, str], str] = {}
"""The one law, if any, that a plugin is allowed to break; each is in the README's table."""


def all_plugins() -> list[Any]:
    """Return the family and the name of every plugin, as parameters."""
    return [
        pytest.param(family, entry.name)
        for family in ("detectors", "features", "explainers")
        for entry in REGISTRIES.of(family)
    ]


@pytest.fixture(scope="module")
def subjects() -> tuple[Subject, ...]:
    """Return what explainers are tried on: every detector of Clarion's own, fitted once."""
    own = Registry("detectors")
    for entry in REGISTRIES.detectors:
        if entry.name not in ADAPTED:
            own.add(entry.name, entry.path)
    return subjects_of(replace(REGISTRIES, detectors=own))


def test_no_package_is_quarantined() -> None:
    assert REGISTRIES.quarantined == []


@pytest.mark.parametrize(("family", "name"), all_plugins())
def test_every_configuration_keeps_every_law(
    family: str, name: str, request: pytest.FixtureRequest
) -> None:
    for library in LIBRARIES.get(name, ()):
        pytest.importorskip(library, reason=f"{library}, of an optional extra, is not installed")
    tried_on = request.getfixturevalue("subjects") if family == "explainers" else ()
    tried_on = tried_on[: len(REFERENCES)] if name in SLOW else tried_on
    results = list(run(family, name, REGISTRIES, subjects=tried_on))
    assert len(results) >= FEWEST_CHECKS[family]
    broken = {result.check: result.failure for result in results if not result.passed}
    allowed = EXCEPTIONS.get((family, name))
    assert set(broken) == ({allowed} if allowed else set()), "\n".join(broken.values())


def test_every_detector_is_a_subject_of_the_explainers(subjects: tuple[Subject, ...]) -> None:
    names = {subject.name for subject in subjects}
    there = {entry.name for entry in REGISTRIES.detectors} - ADAPTED
    assert names >= (there if find_spec("torch") else there - DEEP)


ROWS = [
    {"at": 1_700_000_000 + i, "pump": f"p{i % 2}", "flow": i / 3, "valve": "ab"[i % 2], "y": "ok"}
    for i in range(20)
]
NAMED = {"time": "at", "asset": "pump", "label": "y"}


def write_csv(path: Path) -> None:
    lines = [",".join(ROWS[0]), *(",".join(str(cell) for cell in row.values()) for row in ROWS)]
    path.write_text("\n".join(lines))


def write_csv_gz(path: Path) -> None:
    write_csv(path)
    path.write_bytes(gzip.compress(path.read_bytes()))


def write_json_lines(path: Path) -> None:
    path.write_text("\n".join(json.dumps(row) for row in ROWS))


def write_npz(path: Path) -> None:
    np.savez(path, train=np.arange(40.0).reshape(20, 2))


@pytest.mark.parametrize(
    ("name", "write", "named"),
    [
        ("rows.csv", write_csv, NAMED),
        ("rows.csv.gz", write_csv_gz, NAMED),
        ("rows.jsonl", write_json_lines, NAMED),
        ("rows.npz", write_npz, {}),
    ],
)
def test_files_keep_every_law(name: str, write: Any, named: dict[str, str], tmp_path: Path) -> None:
    write(tmp_path / name)
    values = {"path": str(tmp_path / name), "batch_rows": 7, **named}
    results = list(run("sources", "files", REGISTRIES, values))
    assert [result.failure for result in results if not result.passed] == []
    (tmp_path / f"bad-{name}").write_bytes(b'\x00\xff"')
    bad = REGISTRIES.sources.build("files", {"path": str(tmp_path / f"bad-{name}")})
    case = SourceCase(REGISTRIES.sources.build("files", values), bad)
    for check in source_checks():
        check(case)
