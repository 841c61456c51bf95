"""Clarion's own sources of frames."""

from clarion.registry import Registry, hookimpl


@hookimpl
def clarion_register_sources(registry: Registry) -> None:
    """Register the sources of this package."""
    registry.add("files", "clarion_sources.files:Files")
