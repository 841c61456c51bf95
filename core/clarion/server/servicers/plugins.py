"""PluginService: which plugins are loaded, and which are kept out."""

from __future__ import annotations

from clarion.pipeline.guard import plugin_errors
from clarion.registry import Registries
from clarion.server.convert.plugins import FAMILIES, described, listed, quarantined
from clarion.server.interceptors.calls import Context
from clarion.server.paging import number_of, page_size, place_of, token_of
from clarion.server.services import Services
from clarion_api.v1 import plugins_pb2 as pb
from clarion_api.v1.plugins_pb2_grpc import PluginServiceServicer


class PluginServicer(PluginServiceServicer):
    """Plugins do not change while a server runs."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._registries = services.registries

    async def ListPlugins(
        self, request: pb.ListPluginsRequest, context: Context
    ) -> pb.ListPluginsResponse:
        """Return a page of plugins by family and name, packages kept out last."""
        size = page_size(request.page_size)
        begin = _position(request.page_token) if request.page_token else 0
        plugins = [
            plugin
            for plugin in _all(self._registries)
            if request.family in (pb.PLUGIN_FAMILY_UNSPECIFIED, plugin.family)
        ]
        end = begin + size
        token = token_of(str(end)) if end < len(plugins) else ""
        return pb.ListPluginsResponse(plugins=plugins[begin:end], next_page_token=token)

    async def GetPlugin(self, request: pb.GetPluginRequest, context: Context) -> pb.Plugin:
        """Return one plugin with its parameters, imported for it."""
        _, family, name = request.name.split("/")
        return await self._services.offload(self._described, family, name)

    def _described(self, family: str, name: str) -> pb.Plugin:
        registry = self._registries.of(family)
        plugin = registry.get(name)
        entry = next(entry for entry in registry if entry.name == name)
        with plugin_errors(family, name, "describing itself"):
            return described(family, entry, plugin)


def _all(registries: Registries) -> list[pb.Plugin]:
    loaded = [listed(family, entry) for family in FAMILIES for entry in registries.of(family)]
    return loaded + [quarantined(entry) for entry in registries.quarantined]


def _position(token: str) -> int:
    (place,) = place_of(token, 1)
    return number_of(place)
