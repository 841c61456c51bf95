"""Registries of plugins: by name and import path, resolved on first use."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pluggy

from clarion import parameters
from clarion.errors import (
    AlreadyExistsError,
    ClarionError,
    InvalidParameterError,
    PluginError,
    PluginNotFoundError,
)

PROJECT = "clarion"
hookimpl = pluggy.HookimplMarker(PROJECT)

FAMILIES = ("detectors", "features", "explainers", "sources", "recipes")


@dataclass(frozen=True, slots=True)
class Registration:
    """One plugin: its name, where its class is, and the distribution that offers it."""

    name: str
    path: str
    distribution: str = ""


@dataclass(slots=True)
class Registry:
    """Plugins of one family, by name."""

    family: str
    distribution: str = ""
    _entries: dict[str, Registration] = field(default_factory=dict)
    _loaded: dict[str, type[Any]] = field(default_factory=dict)

    def add(self, name: str, path: str) -> None:
        """Register ``path`` (``package.module:Class``) under ``name``, without importing it.

        Raises
        ------
        AlreadyExistsError
            The name is taken.
        InvalidParameterError
            ``path`` is not of that form.
        """
        self.check_free([name])
        module, colon, attribute = path.partition(":")
        if not (module and colon and attribute):
            raise InvalidParameterError(f"'{path}' is not of the form 'package.module:Class'")
        self._entries[name] = Registration(name, path, self.distribution)

    def adopt(self, other: Registry) -> None:
        """Take over all entries of ``other``, whose names are free."""
        self._entries.update({entry.name: entry for entry in other})

    def check_free(self, names: Iterable[str]) -> None:
        """Raise AlreadyExistsError if a name is taken, naming its owner."""
        for name in names:
            if name in self._entries:
                owner = self._entries[name].distribution or self._entries[name].path
                raise AlreadyExistsError(
                    f"the name '{name}' in {self.family} is taken by {owner}", plugin=name
                )

    def __iter__(self) -> Iterator[Registration]:
        return iter(sorted(self._entries.values(), key=lambda entry: entry.name))

    def __contains__(self, name: object) -> bool:
        return name in self._entries

    def owner(self, name: str) -> str:
        """Return the distribution that offers ``name``; empty if it is not known."""
        return self._entries[name].distribution if name in self._entries else ""

    def get(self, name: str) -> type[Any]:
        """Return the plugin's class, importing it on first use.

        Raises
        ------
        PluginNotFoundError
            No such name; the known ones are listed.
        PluginError
            Its import failed.
        """
        if name not in self._loaded:
            self._loaded[name] = self._resolve(name)
        return self._loaded[name]

    def build(self, name: str, values: Mapping[str, Any], *, path: str = "parameters") -> Any:
        """Return the plugin with checked parameters; ``path`` is the field that errors name.

        Raises
        ------
        PluginNotFoundError, InvalidParameterError
            No such name, or a parameter that is not right.
        PluginError
            Its import failed, it is no dataclass, or its own check of parameters raised.
        """
        plugin = self.get(name)
        try:
            return parameters.build(plugin, values, path=path)
        except ClarionError:
            raise
        except (Exception, SystemExit) as error:
            raise PluginError(
                f"the plugin '{name}' cannot be built: {type(error).__name__}: {error}", plugin=name
            ) from error

    def _resolve(self, name: str) -> type[Any]:
        entry = self._entries.get(name)
        if entry is None:
            known = ", ".join(sorted(self._entries)) or "none"
            raise PluginNotFoundError(
                f"there is no '{name}' among the {self.family}; loaded are: {known}",
                plugin=name,
                family=self.family,
            )
        module, _, attribute = entry.path.partition(":")
        try:
            loaded: type[Any] = getattr(importlib.import_module(module), attribute)
        except ClarionError:
            raise
        except (Exception, SystemExit) as error:
            raise PluginError(
                f"the plugin '{name}' ({entry.path}) failed to load: {type(error).__name__}: {error}",
                plugin=name,
            ) from error
        return loaded


@dataclass(frozen=True, slots=True)
class Registries:
    """The registries of all families, and the plugin packages kept out of them."""

    detectors: Registry = field(default_factory=lambda: Registry("detectors"))
    features: Registry = field(default_factory=lambda: Registry("features"))
    explainers: Registry = field(default_factory=lambda: Registry("explainers"))
    sources: Registry = field(default_factory=lambda: Registry("sources"))
    recipes: Registry = field(default_factory=lambda: Registry("recipes"))
    quarantined: list[Quarantined] = field(default_factory=list)

    def of(self, family: str) -> Registry:
        """Return the registry of one of `FAMILIES`."""
        registry: Registry = getattr(self, family)
        return registry

    def adopt(self, staged: Mapping[str, Registry]) -> None:
        """Take over a package's registrations in every family, or in none."""
        for family, registry in staged.items():
            self.of(family).check_free(entry.name for entry in registry)
        for family, registry in staged.items():
            self.of(family).adopt(registry)


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A plugin package that failed to load: its entry point, distribution and the reason."""

    entry_point: str
    distribution: str
    error: str
