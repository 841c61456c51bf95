"""Plugins as messages: registered ones, and packages kept out."""

from __future__ import annotations

import dataclasses
from enum import Enum
from typing import Any

from clarion.detectors import capabilities_of
from clarion.parameters import schema
from clarion.registry import Quarantined, Registration
from clarion_api.v1 import plugins_pb2 as pb

FAMILIES: dict[str, pb.PluginFamily.ValueType] = {
    "detectors": pb.PLUGIN_FAMILY_DETECTOR,
    "features": pb.PLUGIN_FAMILY_FEATURE_EXTRACTOR,
    "explainers": pb.PLUGIN_FAMILY_EXPLAINER,
    "sources": pb.PLUGIN_FAMILY_SOURCE,
    "recipes": pb.PLUGIN_FAMILY_RECIPE,
}


def listed(family: str, entry: Registration) -> pb.Plugin:
    """Return what a list says of a plugin, which is not imported for it."""
    return pb.Plugin(
        name=f"plugins/{family}/{entry.name}",
        family=FAMILIES[family],
        distribution=entry.distribution,
    )


def quarantined(entry: Quarantined) -> pb.Plugin:
    """Return what a list says of a package that failed to load."""
    return pb.Plugin(
        name=f"plugins/quarantined/{entry.entry_point}",
        distribution=entry.distribution,
        error=entry.error,
    )


def described(family: str, entry: Registration, plugin: type[Any]) -> pb.Plugin:
    """Return all there is to say of a plugin."""
    message = listed(family, entry)
    message.parameters_schema.update(schema(plugin))
    message.description = (plugin.__doc__ or "").strip().partition("\n")[0]
    traits = getattr(plugin, "traits", None)
    if dataclasses.is_dataclass(traits):
        message.traits.update(
            {f.name: _plain(getattr(traits, f.name)) for f in dataclasses.fields(traits)}
        )
    role = getattr(plugin, "role", None)
    if isinstance(role, Enum):
        message.traits["role"] = str(role.value)
    if family == "detectors":
        message.capabilities.extend(capabilities_of(plugin.fitted))
    return message


def _plain(value: Any) -> Any:
    """Return a trait as a JSON value."""
    if isinstance(value, (frozenset, set)):
        return sorted(str(_plain(item)) for item in value)
    return value.value if isinstance(value, Enum) else value
