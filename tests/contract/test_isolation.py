"""A bad plugin package is kept out, and nobody else notices."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

import pytest

from clarion.errors import MissingExtraError, PluginError, PluginNotFoundError
from clarion.plugins import load_plugins
from clarion.registry import Registries

GOOD = """
from clarion.registry import hookimpl

@hookimpl
def clarion_register_detectors(registry):
    registry.add("good", "{name}:Good")

class Good:
    pass
"""
GOOD_TOO = GOOD.replace('"good"', '"too"')
HOOK = "from clarion.registry import hookimpl\n\n@hookimpl\ndef "
BAD = {
    "raises on import": ("raise RuntimeError('boom')", "RuntimeError: boom"),
    "leaves on import": ("import sys; sys.exit(3)", "SystemExit: 3"),
    "lacks a library": ("import no_such_library", "ModuleNotFoundError"),
    "is no Python": ("def (", "SyntaxError"),
    "misspells a hook": (HOOK + "clarion_register_detector(registry): pass", "unknown hook"),
    "misnames an argument": (HOOK + "clarion_register_detectors(registrar): pass", "registrar"),
    "raises in a hook": (HOOK + "clarion_register_sources(registry): 1 / 0", "ZeroDivisionError"),
    "leaves in a hook": (HOOK + "clarion_register_sources(registry): exit(4)", "SystemExit: 4"),
    "takes a taken name": (
        HOOK + "clarion_register_detectors(registry):\n"
        "    registry.add('fresh', 'x:Y')\n    registry.add('good', 'x:Y')",
        "AlreadyExistsError: the name 'good' in detectors is taken",
    ),
    "takes a name twice": (
        HOOK + "clarion_register_sources(registry):\n"
        "    registry.add('fresh', 'x:Y')\n    registry.add('fresh', 'x:Z')",
        "AlreadyExistsError: the name 'fresh' in sources is taken",
    ),
    "gives no path": (
        HOOK + "clarion_register_explainers(registry): registry.add('fresh', 'x.Y')",
        "InvalidParameterError: 'x.Y' is not of the form",
    ),
}

Package = Callable[[str, str], EntryPoint]


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Package]:
    """Return a maker of plugin packages, given a name and a source."""
    monkeypatch.syspath_prepend(tmp_path)
    made: list[str] = []

    def make(name: str, source: str) -> EntryPoint:
        (tmp_path / f"{name}.py").write_text(source.replace("{name}", name))
        made.append(name)
        return EntryPoint(name=name, value=name, group="clarion")

    yield make
    for name in made:
        sys.modules.pop(name, None)


def names(registries: Registries) -> set[str]:
    families = ("detectors", "features", "explainers", "sources")
    return {entry.name for family in families for entry in registries.of(family)}


@pytest.mark.parametrize(("source", "reason"), BAD.values(), ids=BAD)
def test_a_bad_package_is_quarantined_and_the_others_load(
    source: str, reason: str, package: Package, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "clarion.plugins"):
        entries = [package("a_good", GOOD), package("b_bad", source), package("c_good", GOOD_TOO)]
        registries = load_plugins(entries)
    (quarantined,) = registries.quarantined
    assert quarantined.entry_point == "b_bad"
    assert reason in quarantined.error
    assert names(registries) == {"good", "too"}, "all or none of a package's names"
    assert registries.detectors.get("good").__name__ == "Good"
    assert "plugin quarantined" in caplog.messages


def test_an_interrupt_is_no_plugin_fault(package: Package) -> None:
    with pytest.raises(KeyboardInterrupt):
        load_plugins([package("stopped", "raise KeyboardInterrupt")])


def test_built_in_names_are_taken_first(package: Package) -> None:
    source = HOOK + "clarion_register_detectors(registry): registry.add('mahalanobis', 'x:Y')"
    greedy = package("a_greedy", source)
    registries = load_plugins([greedy, *entry_points(group="clarion")])
    assert [package.entry_point for package in registries.quarantined] == ["a_greedy"]
    assert registries.detectors.get("mahalanobis").__name__ == "Mahalanobis"


def test_nothing_is_imported_before_its_first_use(package: Package) -> None:
    lazy = HOOK + "clarion_register_detectors(registry): registry.add('lazy', 'lazy_home:Lazy')"
    registries = load_plugins([package("lazy_package", lazy)])
    package("lazy_home", "class Lazy: pass")
    assert "lazy_home" not in sys.modules
    assert registries.detectors.get("lazy").__name__ == "Lazy"


@pytest.mark.parametrize(
    ("home", "reason"),
    [
        ("1 / 0", "ZeroDivisionError"),
        ("class Other: pass", "AttributeError"),
        ("import no_such_library", "ModuleNotFoundError"),
        ("import sys; sys.exit(5)", "SystemExit"),
    ],
)
def test_a_plugin_that_fails_on_first_use_is_named(
    home: str, reason: str, package: Package
) -> None:
    lazy = HOOK + "clarion_register_detectors(registry): registry.add('lazy', 'bad_home:Lazy')"
    registries = load_plugins([package("lazy_package", lazy)])
    package("bad_home", home)
    with pytest.raises(PluginError, match=rf"'lazy' \(bad_home:Lazy\) failed to load: {reason}"):
        registries.detectors.get("lazy")


def test_a_missing_extra_keeps_its_cure(package: Package) -> None:
    lazy = HOOK + "clarion_register_detectors(registry): registry.add('lazy', 'extra_home:Lazy')"
    home = "from clarion.inputs import missing_extra\nraise missing_extra('torch', 'deep')"
    registries = load_plugins([package("lazy_package", lazy)])
    package("extra_home", home)
    with pytest.raises(MissingExtraError, match=r"pip install 'clarion\[deep\]'"):
        registries.detectors.get("lazy")


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(PluginNotFoundError, match="mahalanobis"):
        load_plugins().detectors.get("mahalanoby")
