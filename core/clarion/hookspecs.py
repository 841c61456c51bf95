"""Hooks a plugin package may offer, found through the entry-point group ``clarion``.

A package implements any of them with `clarion.hookimpl`, registering by name and import path::

    @hookimpl
    def clarion_register_detectors(registry: Registry) -> None:
        registry.add("knn", "clarion_detectors.knn:Knn")

Nothing is imported until the name is first used.
"""

from __future__ import annotations

import pluggy

from clarion.registry import PROJECT, Registry

hookspec = pluggy.HookspecMarker(PROJECT)


@hookspec
def clarion_register_detectors(registry: Registry) -> None:
    """Add detectors to ``registry``; called once, before the server takes requests."""


@hookspec
def clarion_register_features(registry: Registry) -> None:
    """Add feature extractors to ``registry``."""


@hookspec
def clarion_register_explainers(registry: Registry) -> None:
    """Add explainers to ``registry``."""


@hookspec
def clarion_register_sources(registry: Registry) -> None:
    """Add sources to ``registry``."""


@hookspec
def clarion_register_recipes(registry: Registry) -> None:
    """Add recipes to ``registry``: pipelines that ``auto`` may take."""
