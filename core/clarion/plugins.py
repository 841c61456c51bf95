"""Discovery: every entry point of the group ``clarion`` is loaded in isolation."""

from __future__ import annotations

import importlib.metadata
import logging
from collections.abc import Iterable

import pluggy

from clarion import hookspecs
from clarion.registry import FAMILIES, PROJECT, Quarantined, Registries, Registry

_log = logging.getLogger(__name__)


def load_plugins(
    entry_points: Iterable[importlib.metadata.EntryPoint] | None = None,
) -> Registries:
    """Return the registries filled by every installed plugin package.

    A package that fails to import, misspells a hook or raises is quarantined and logged: none of
    its names is registered, and the others load.
    """
    if entry_points is None:
        entry_points = importlib.metadata.entry_points(group=PROJECT)
    registries = Registries()
    for entry in sorted(entry_points, key=lambda e: (_distribution(e) != PROJECT, e.name, e.value)):
        try:
            _register(entry, registries)
        except BaseException as error:  # a plugin may even call sys.exit on import
            if isinstance(error, (KeyboardInterrupt, MemoryError)):
                raise
            reason = f"{type(error).__name__}: {error}"
            registries.quarantined.append(Quarantined(entry.name, _distribution(entry), reason))
            _log.warning("plugin quarantined", extra={"entry_point": entry.value, "reason": reason})
    return registries


def _register(entry: importlib.metadata.EntryPoint, registries: Registries) -> None:
    manager = pluggy.PluginManager(PROJECT)
    manager.add_hookspecs(hookspecs)
    manager.register(entry.load(), entry.name)
    manager.check_pending()
    staged = {family: Registry(family, _distribution(entry)) for family in FAMILIES}
    for family, registry in staged.items():
        getattr(manager.hook, f"clarion_register_{family}")(registry=registry)
    registries.adopt(staged)


def _distribution(entry: importlib.metadata.EntryPoint) -> str:
    return entry.dist.name if entry.dist is not None else ""
