"""Registries: names, import paths, and what is done about the bad ones."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from clarion.errors import (
    AlreadyExistsError,
    InvalidParameterError,
    PluginError,
    PluginNotFoundError,
)
from clarion.parameters import parameter
from clarion.registry import FAMILIES, Registration, Registries, Registry


@dataclass(frozen=True)
class Sized:
    """A plugin."""

    size: int = parameter(1, "A size.", minimum=1)


@pytest.fixture
def registry() -> Registry:
    registry = Registry("detectors", "some-package")
    registry.add("sized", f"{__name__}:Sized")
    return registry


def test_a_name_resolves_to_its_class_on_first_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "late_module.py").write_text("class Late: pass\n")
    registry = Registry("detectors")
    registry.add("late", "late_module:Late")
    assert "late_module" not in sys.modules
    assert registry.get("late") is registry.get("late")
    assert registry.get("late").__name__ == "Late"
    monkeypatch.delitem(sys.modules, "late_module")


def test_entries_come_by_name_with_their_distribution(registry: Registry) -> None:
    registry.add("a", "m:A")
    assert list(registry) == [
        Registration("a", "m:A", "some-package"),
        Registration("sized", f"{__name__}:Sized", "some-package"),
    ]
    assert "sized" in registry
    assert "b" not in registry


@pytest.mark.parametrize("path", ["", "module", "module:", ":Class", ":"])
def test_a_path_needs_a_module_and_a_class(registry: Registry, path: str) -> None:
    with pytest.raises(InvalidParameterError, match=r"not of the form 'package\.module:Class'"):
        registry.add("other", path)
    assert "other" not in registry


def test_a_taken_name_names_its_owner(registry: Registry) -> None:
    with pytest.raises(AlreadyExistsError, match="'sized' in detectors is taken by some-package"):
        registry.add("sized", "m:A")


def test_an_unknown_name_lists_the_known_ones(registry: Registry) -> None:
    with pytest.raises(PluginNotFoundError, match="no 'b' among the detectors; loaded are: sized"):
        registry.get("b")
    with pytest.raises(PluginNotFoundError, match="loaded are: none"):
        Registry("features").get("b")


def test_a_failed_import_names_the_plugin_and_is_tried_again(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry.add("absent", "no_such_module:A")
    for _ in range(2):
        with pytest.raises(PluginError, match=r"'absent' \(no_such_module:A\) failed to load"):
            registry.get("absent")
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "no_such_module.py").write_text("class A: pass\n")
    assert registry.get("absent").__name__ == "A"
    monkeypatch.delitem(sys.modules, "no_such_module")


def test_building_checks_parameters_under_their_path(registry: Registry) -> None:
    assert registry.build("sized", {"size": 3}).size == 3
    with pytest.raises(InvalidParameterError) as caught:
        registry.build("sized", {"size": 0}, path="spec.detector.parameters")
    assert caught.value.field == "spec.detector.parameters.size"


def test_what_cannot_be_built_is_the_plugins_fault(registry: Registry) -> None:
    registry.add("plain", "builtins:object")
    with pytest.raises(PluginError, match="the plugin 'plain' cannot be built: TypeError"):
        registry.build("plain", {})


def test_families_are_adopted_together_or_not_at_all() -> None:
    registries, staged = Registries(), {family: Registry(family) for family in FAMILIES}
    registries.sources.add("taken", "m:A")
    staged["detectors"].add("fresh", "m:B")
    staged["sources"].add("taken", "m:C")
    with pytest.raises(AlreadyExistsError, match="'taken' in sources"):
        registries.adopt(staged)
    assert "fresh" not in registries.detectors
    assert [entry.path for entry in registries.sources] == ["m:A"]


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_has_its_registry(family: str) -> None:
    registries = Registries()
    assert registries.of(family).family == family
    assert registries.of(family) is registries.of(family)
    assert registries.of(family) is not Registries().of(family)
