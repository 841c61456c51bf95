"""Running the kit: every check on every configuration of a registered plugin."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from clarion import parameters
from clarion.errors import ClarionError
from clarion.registry import Registries
from clarion.testing.cases import DetectorCase, ExtractorCase
from clarion.testing.detectors import detector_checks
from clarion.testing.errors import Check, ContractError
from clarion.testing.explainers import explainer_checks
from clarion.testing.extractors import extractor_checks
from clarion.testing.sources import SourceCase, source_checks
from clarion.testing.subjects import ExplainerCase, Subject, subjects_of


@dataclass(frozen=True, slots=True)
class Result:
    """How one check ended on one configuration of a plugin.

    Attributes
    ----------
    plugin, check
        Names.
    parameters
        What this configuration sets; the rest has its defaults.
    failure
        What is wrong; empty where the plugin keeps the law.
    seconds
        Time that the check took.
    """

    plugin: str
    check: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    failure: str = ""
    seconds: float = 0.0

    @property
    def passed(self) -> bool:
        """Whether the plugin keeps the law."""
        return not self.failure


def run(
    family: str,
    name: str,
    registries: Registries,
    values: Mapping[str, Any] | None = None,
    *,
    subjects: tuple[Subject, ...] = (),
) -> Iterator[Result]:
    """Yield how each check ends on each configuration of a plugin, as soon as it has ended.

    Parameters
    ----------
    family
        One of `clarion.registry.FAMILIES`.
    values
        Parameters that every configuration sets, such as a source's path.
    subjects
        What an explainer is tried on, if `subjects_of` the registries was worked out before.

    Raises
    ------
    PluginNotFoundError, PluginError
        There is no such plugin, or it cannot be imported.
    """
    subjects = subjects or (subjects_of(registries) if family == "explainers" else ())
    for configuration in configurations(registries.of(family).get(name), values or {}):
        try:
            plugin = registries.of(family).build(name, configuration)
        except ClarionError as error:
            yield Result(name, "build", configuration, failure=error.message)
            continue
        for check, case in _checks(family, plugin, registries, name, subjects):
            started = time.perf_counter()
            failure = _failure(check, case)
            seconds = time.perf_counter() - started
            yield Result(name, check.__name__, configuration, failure, seconds)


def configurations(
    plugin: type[Any], values: Mapping[str, Any] | None = None
) -> Iterator[dict[str, Any]]:
    """Yield ``values``, then the same with each boolean turned and each other choice taken."""
    fixed = dict(values or {})
    yield fixed
    for name, described in parameters.schema(plugin)["properties"].items():
        own = described.get("default")
        for value in _others(described, own) if name not in fixed else ():
            yield fixed | {name: value}


def _others(described: Mapping[str, Any], own: Any) -> list[Any]:
    """Return the other values of a parameter that has a few: of lists, those with one item."""
    if isinstance(own, bool):
        return [not own]
    choices = described.get("items", described).get("enum", [])
    others = [[choice] if "items" in described else choice for choice in choices]
    return [value for value in others if value != own]


def _checks(
    family: str, plugin: Any, registries: Registries, name: str, subjects: tuple[Subject, ...]
) -> Iterator[tuple[Check[Any], Any]]:
    """Yield each check of a family with the plugin's case, which they share."""
    families: dict[str, tuple[tuple[Check[Any], ...], Callable[[], Any]]] = {
        "detectors": (detector_checks(), lambda: DetectorCase(plugin, registries, name)),
        "features": (extractor_checks(), lambda: ExtractorCase(plugin, registries, name)),
        "explainers": (
            explainer_checks(),
            lambda: ExplainerCase(plugin, registries, name, subjects),
        ),
        "sources": (source_checks(), lambda: SourceCase(plugin, name=name)),
    }
    checks, make = families[family]
    case = make()
    for check in checks:
        yield check, case


def _failure(check: Check[Any], case: Any) -> str:
    try:
        check(case)
    except ContractError as error:
        return str(error)
    return ""
