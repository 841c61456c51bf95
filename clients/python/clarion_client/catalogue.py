"""What a server holds: models, versions, plugins, operations; lists run over all their pages."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from google.longrunning import operations_pb2

from clarion_api.v1 import models_pb2, plugins_pb2
from clarion_client.connection import Connection
from clarion_client.errors import InvalidParameterError
from clarion_client.models import Model, ModelVersion, Plugin, resource
from clarion_client.operations import AnyOperation, operation_of

_FAMILIES = {
    "detectors": plugins_pb2.PLUGIN_FAMILY_DETECTOR,
    "features": plugins_pb2.PLUGIN_FAMILY_FEATURE_EXTRACTOR,
    "explainers": plugins_pb2.PLUGIN_FAMILY_EXPLAINER,
    "sources": plugins_pb2.PLUGIN_FAMILY_SOURCE,
    "recipes": plugins_pb2.PLUGIN_FAMILY_RECIPE,
}


class Catalogue:
    """The verbs that list, get and delete; `Client` has them all.

    Names are resource names, ``models/pump-7`` or ``models/pump-7/versions/3``; a bare ``pump-7``
    is taken as ``models/pump-7``.
    """

    connection: Connection

    def models(self) -> Iterator[Model]:
        """Yield all models, by name."""
        method = self.connection.stubs.models.ListModels
        for page in self._pages(method, models_pb2.ListModelsRequest()):
            yield from map(Model.of, page.models)

    def versions(self, model: str) -> Iterator[ModelVersion]:
        """Yield all versions of a model, newest first."""
        method = self.connection.stubs.models.ListModelVersions
        request = models_pb2.ListModelVersionsRequest(parent=resource(model))
        for page in self._pages(method, request):
            yield from map(ModelVersion.of, page.model_versions)

    def plugins(self, family: str = "") -> Iterator[Plugin]:
        """Yield all plugins, or those of one family.

        Families are ``detectors``, ``features``, ``explainers``, ``sources`` and ``recipes``.
        Packages that failed to load come last, with their ``error``.
        """
        if family and family not in _FAMILIES:
            known = ", ".join(_FAMILIES)
            raise InvalidParameterError(f"family must be one of {known}, not '{family}'")
        request = plugins_pb2.ListPluginsRequest()
        if family:
            request.family = _FAMILIES[family]
        for page in self._pages(self.connection.stubs.plugins.ListPlugins, request):
            yield from map(Plugin.of, page.plugins)

    def operations(self) -> Iterator[AnyOperation]:
        """Yield all fits and evaluations that the server remembers."""
        request = operations_pb2.ListOperationsRequest(name="operations")
        for page in self._pages(self.connection.stubs.operations.ListOperations, request):
            for message in page.operations:
                yield operation_of(message, self.connection)

    def model(self, name: str) -> Model:
        """Return one model."""
        request = models_pb2.GetModelRequest(name=resource(name))
        return Model.of(self.connection.call(self.connection.stubs.models.GetModel, request))

    def version(self, name: str) -> ModelVersion:
        """Return one version; a model's name means its newest."""
        request = models_pb2.GetModelVersionRequest(name=resource(name))
        method = self.connection.stubs.models.GetModelVersion
        return ModelVersion.of(self.connection.call(method, request))

    def plugin(self, name: str) -> Plugin:
        """Return one plugin with its parameters: ``plugins/detectors/knn`` or ``detectors/knn``."""
        full = name if name.startswith("plugins/") else f"plugins/{name}"
        request = plugins_pb2.GetPluginRequest(name=full)
        return Plugin.of(self.connection.call(self.connection.stubs.plugins.GetPlugin, request))

    def operation(self, name: str) -> AnyOperation:
        """Return the handle of what was started before: ``operations/{operation}``."""
        request = operations_pb2.GetOperationRequest(name=resource(name, "operations"))
        method = self.connection.stubs.operations.GetOperation
        return operation_of(self.connection.call(method, request), self.connection)

    def delete_model(self, name: str) -> None:
        """Delete a model with all its versions."""
        request = models_pb2.DeleteModelRequest(name=resource(name))
        self.connection.call(self.connection.stubs.models.DeleteModel, request)

    def delete_version(self, name: str) -> None:
        """Delete one version."""
        request = models_pb2.DeleteModelVersionRequest(name=resource(name))
        self.connection.call(self.connection.stubs.models.DeleteModelVersion, request)

    def _pages(self, method: Callable[..., Any], request: Any) -> Iterator[Any]:
        call: Any = self.connection.call
        while True:
            page = call(method, request)
            yield page
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token
