"""What the store holds, as messages and pages of them."""

from __future__ import annotations

import structlog

from clarion.errors import ArtifactCorruptError, ModelNotFoundError
from clarion.server.convert.models import model_to_proto, version_to_proto
from clarion.server.paging import number_of, place_of, token_of
from clarion.store.artifacts import ModelStore
from clarion_api.v1 import models_pb2 as pb

_log = structlog.get_logger(__name__)


class Catalogue:
    """Reads from disk; to be called in a thread."""

    def __init__(self, store: ModelStore) -> None:
        self._store = store

    def model(self, tenant: str, model: str) -> pb.Model:
        """Return one model."""
        stored = self._store.get(tenant, model)
        newest = None
        if stored.versions:
            newest, _ = self._store.describe(
                self._store.resolve(tenant, model, stored.versions[-1])
            )
        return model_to_proto(stored, newest)

    def models(self, tenant: str, token: str, size: int) -> pb.ListModelsResponse:
        """Return a page of models by name; of a damaged one only the name."""
        after = place_of(token, 1)[0] if token else ""
        names = self._store.models(tenant, after=after, limit=size + 1)
        response = pb.ListModelsResponse()
        for name in names[:size]:
            try:
                response.models.append(self.model(tenant, name))
            except ArtifactCorruptError as error:
                _log.warning("damaged model listed by name only", model=name, error=str(error))
                response.models.add(name=f"models/{name}")
            except ModelNotFoundError:
                continue  # deleted while we looked
        if len(names) > size:
            response.next_page_token = token_of(names[size - 1])
        return response

    def version(self, tenant: str, model: str, number: int | None) -> pb.ModelVersion:
        """Return one version, or the newest one."""
        ref = self._store.resolve(tenant, model, number)
        return version_to_proto(ref, *self._store.describe(ref))

    def versions(
        self, tenant: str, model: str, token: str, size: int
    ) -> pb.ListModelVersionsResponse:
        """Return a page of versions, newest first; of a damaged one only the name."""
        before = number_of(place_of(token, 1)[0]) if token else None
        numbers = sorted(self._store.get(tenant, model).versions, reverse=True)
        if before is not None:
            numbers = [number for number in numbers if number < before]
        response = pb.ListModelVersionsResponse()
        for number in numbers[:size]:
            try:
                response.model_versions.append(self.version(tenant, model, number))
            except ArtifactCorruptError as error:
                _log.warning("damaged version listed by name only", model=model, error=str(error))
                response.model_versions.add(name=f"models/{model}/versions/{number}")
            except ModelNotFoundError:
                continue  # deleted while we looked
        if len(numbers) > size:
            response.next_page_token = token_of(str(numbers[size - 1]))
        return response
