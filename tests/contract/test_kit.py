"""The kit against plugins that keep every law, and against the same with one line changed."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from clarion.testing import (
    ContractError,
    DetectorCase,
    ExplainerCase,
    ExtractorCase,
    SourceCase,
    detector_checks,
    explainer_checks,
    extractor_checks,
    source_checks,
)

HERE = Path(__file__).parent

# Broken plugins divide by zero and overflow: that is how some of them are broken.
pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")


def load(path: Path) -> ModuleType:
    """Import a file under a name of its own."""
    name = f"contract_{path.parent.name.replace('-', '_')}_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def source_case(plugin: Any) -> SourceCase:
    return SourceCase(plugin, unreadable=type(plugin)(broken=True))


FAMILIES: dict[str, tuple[tuple[Any, ...], Callable[[Any], Any]]] = {
    "DETECTORS": (detector_checks(), DetectorCase),
    "FEATURES": (extractor_checks(), ExtractorCase),
    "EXPLAINERS": (explainer_checks(), ExplainerCase),
    "SOURCES": (source_checks(), source_case),
}
MUTATIONS: dict[str, list[Any]] = {
    family: getattr(load(HERE / "mutations.py"), family) for family in FAMILIES
}
PLUGINS = sorted({(f, m.module, m.plugin) for f, ms in MUTATIONS.items() for m in ms})


def failures(family: str, plugin: Any) -> dict[str, str]:
    """Return what each broken law says of ``plugin``."""
    checks, case_of = FAMILIES[family]
    case, said = case_of(plugin), {}
    for check in checks:
        try:
            check(case)
        except ContractError as error:
            said[check.__name__] = str(error)
    return said


@pytest.mark.parametrize(("family", "module", "plugin"), PLUGINS)
def test_a_correct_plugin_keeps_every_law(family: str, module: str, plugin: str) -> None:
    correct = getattr(load(HERE / "broken" / f"{module}.py"), plugin)
    assert failures(family, correct()) == {}


@pytest.mark.parametrize(
    ("family", "mutation"),
    [
        pytest.param(family, mutation, id=f"{family.lower()}-{mutation.check}")
        for family, mutations in MUTATIONS.items()
        for mutation in mutations
    ],
)
def test_one_changed_line_breaks_one_law(family: str, mutation: Any, tmp_path: Path) -> None:
    correct = (HERE / "broken" / f"{mutation.module}.py").read_text()
    assert correct.count(mutation.line) == 1, f"the line is not there once: {mutation.line}"
    assert "\n" not in mutation.broken
    broken = tmp_path / f"{mutation.module}.py"
    broken.write_text(correct.replace(mutation.line, mutation.broken))
    plugin = getattr(load(broken), mutation.plugin)()
    said = failures(family, plugin)
    assert set(said) == {mutation.check}, said
    assert said[mutation.check].startswith(f"{mutation.check}: {mutation.plugin}: ")


@pytest.mark.parametrize("family", FAMILIES)
def test_every_law_has_its_broken_plugin(family: str) -> None:
    laws = [check.__name__ for check in FAMILIES[family][0]]
    assert len(laws) == len(set(laws))
    assert {mutation.check for mutation in MUTATIONS[family]} == set(laws)
