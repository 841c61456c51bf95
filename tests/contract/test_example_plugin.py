"""A stranger's wheel, installed beside Clarion, is found and keeps every law."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SOURCES = Path(__file__).parents[1] / "example_plugin" / "src"
PUBLIC = {
    f"clarion.{module}"
    for module in (
        "arrays",
        "detectors",
        "errors",
        "explainers",
        "features",
        "frames",
        "inputs",
        "parameters",
        "registry",
        "sources",
        "state",
    )
}
CHECK_ALL = """
import json
from clarion.plugins import load_plugins
from clarion.testing import ExplainerCase, run, subjects_of

registries = load_plugins()
plugins = [
    (family, entry)
    for family in ("detectors", "features", "explainers")
    for entry in registries.of(family)
    if entry.distribution == "clarion-example-plugin"
]
subjects = subjects_of(registries)
shares = ExplainerCase(registries.explainers.build("distance_shares", {}), subjects=subjects)
print(json.dumps({
    "quarantined": [repr(package) for package in registries.quarantined],
    "plugins": [entry.name for _, entry in plugins],
    "failures": [
        result.failure
        for family, entry in plugins
        for result in run(family, entry.name, registries, subjects=subjects)
        if not result.passed
    ],
    "explained": [subject.name for subject, _ in shares.supported],
}))
"""


@pytest.fixture(scope="module")
def report(example_plugin_path: Path) -> dict[str, list[str]]:
    """Return what a fresh process says that has the wheel on its path."""
    done = subprocess.run(
        [sys.executable, "-c", CHECK_ALL],
        env=os.environ | {"PYTHONPATH": str(example_plugin_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answer: dict[str, list[str]] = json.loads(done.stdout)
    return answer


def test_its_plugins_are_found(report: dict[str, list[str]]) -> None:
    assert report["quarantined"] == []
    assert report["plugins"] == ["median_distance", "differences", "distance_shares"]


def test_its_plugins_keep_every_law(report: dict[str, list[str]]) -> None:
    assert report["failures"] == []


def test_its_explainer_explains_its_own_capability_only(report: dict[str, list[str]]) -> None:
    assert report["explained"] == ["median_distance"]


def test_it_imports_public_names_only() -> None:
    for path in SOURCES.glob("*/*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and str(node.module).startswith("clarion."):
                assert node.module in PUBLIC, f"{path.name} imports {node.module}"
                assert not any(alias.name.startswith("_") for alias in node.names)
            assert not isinstance(node, ast.Import) or node.names[0].name == "numpy"
