"""ModelService: fits, judges, lists and deletes models."""

from __future__ import annotations

import asyncio

from google.longrunning import operations_pb2
from google.protobuf import empty_pb2

from clarion.errors import AlreadyExistsError
from clarion.server.catalogue import Catalogue
from clarion.server.convert.evaluations import trial_from_proto
from clarion.server.convert.operations import operation_to_proto
from clarion.server.convert.orders import order_from_proto
from clarion.server.evaluations import evaluation
from clarion.server.interceptors.calls import Context
from clarion.server.loaded import parsed_name
from clarion.server.paging import page_size
from clarion.server.services import Services
from clarion.server.tenancy import tenant_of
from clarion.store.operations import Operation, OperationKind
from clarion_api.v1 import models_pb2 as pb
from clarion_api.v1.models_pb2_grpc import ModelServiceServicer


class ModelServicer(ModelServiceServicer):
    """Models and their versions."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._catalogue = Catalogue(services.store)
        self._starting = asyncio.Lock()

    async def FitModel(  # noqa: N802 - gRPC's name
        self, request: pb.FitModelRequest, context: Context
    ) -> operations_pb2.Operation:
        """Start a fit and return its operation at once."""
        # In a task of its own: a caller who hangs up now must not leave half a start behind.
        started = asyncio.create_task(self._started(tenant_of(context), request))
        return operation_to_proto(await asyncio.shield(started))

    async def EvaluateModel(  # noqa: N802 - gRPC's name
        self, request: pb.EvaluateModelRequest, context: Context
    ) -> operations_pb2.Operation:
        """Start an evaluation and return its operation at once."""
        started = asyncio.create_task(self._started_evaluation(tenant_of(context), request))
        return operation_to_proto(await asyncio.shield(started))

    async def GetModel(self, request: pb.GetModelRequest, context: Context) -> pb.Model:  # noqa: N802 - gRPC's name
        """Return one model."""
        model, _ = parsed_name(request.name)
        return await self._services.offload(self._catalogue.model, tenant_of(context), model)

    async def ListModels(  # noqa: N802 - gRPC's name
        self, request: pb.ListModelsRequest, context: Context
    ) -> pb.ListModelsResponse:
        """Return a page of models, by name."""
        size = page_size(request.page_size)
        return await self._services.offload(
            self._catalogue.models, tenant_of(context), request.page_token, size
        )

    async def DeleteModel(  # noqa: N802 - gRPC's name
        self, request: pb.DeleteModelRequest, context: Context
    ) -> empty_pb2.Empty:
        """Delete a model, unless it is being fitted."""
        tenant, (model, _) = tenant_of(context), parsed_name(request.name)
        with self._services.fits.held(tenant, model):
            await self._services.offload(self._services.store.delete, tenant, model)
        return empty_pb2.Empty()

    async def GetModelVersion(  # noqa: N802 - gRPC's name
        self, request: pb.GetModelVersionRequest, context: Context
    ) -> pb.ModelVersion:
        """Return one version, or a model's newest one."""
        return await self._services.offload(
            self._catalogue.version, tenant_of(context), *parsed_name(request.name)
        )

    async def ListModelVersions(  # noqa: N802 - gRPC's name
        self, request: pb.ListModelVersionsRequest, context: Context
    ) -> pb.ListModelVersionsResponse:
        """Return a page of a model's versions, newest first."""
        size = page_size(request.page_size)
        model, _ = parsed_name(request.parent)
        return await self._services.offload(
            self._catalogue.versions, tenant_of(context), model, request.page_token, size
        )

    async def DeleteModelVersion(  # noqa: N802 - gRPC's name
        self, request: pb.DeleteModelVersionRequest, context: Context
    ) -> empty_pb2.Empty:
        """Delete one version."""
        model, number = parsed_name(request.name)
        await self._services.offload(
            self._services.store.delete_version, tenant_of(context), model, number or 0
        )
        return empty_pb2.Empty()

    async def _started(self, tenant: str, request: pb.FitModelRequest) -> Operation:
        """Start a fit; or return the operation that the same request id started before."""
        services = self._services
        async with self._starting:  # two calls with one request id must not both look and find none
            known = await self._requested(tenant, request.request_id, OperationKind.FIT)
            if known is not None:
                return known
            services.jobs.check_room()
            with services.fits.held(tenant, request.model_id) as hold:
                order = await services.offload_large(
                    order_from_proto, request, tenant, services.frame_limits
                )
                operation, _ = await services.offload(
                    services.operations.create, tenant, order.model, request.request_id
                )
                services.fits.start(operation, order)
                hold.pop_all()
        return operation

    async def _started_evaluation(self, tenant: str, request: pb.EvaluateModelRequest) -> Operation:
        """Start an evaluation; or return the one that the same request id started before."""
        services, kind = self._services, OperationKind.EVALUATION
        async with self._starting:
            known = await self._requested(tenant, request.request_id, kind)
            if known is not None:
                return known
            services.jobs.check_room()
            model = await services.models.get(tenant, request.model)
            trial = await services.offload_large(
                trial_from_proto, request, model, services.frame_limits
            )
            operation, _ = await services.offload(
                services.operations.create, tenant, model.ref.model, request.request_id, kind
            )
            services.jobs.start(operation, evaluation(trial))
        return operation

    async def _requested(
        self, tenant: str, request_id: str, kind: OperationKind
    ) -> Operation | None:
        """Return the operation that this request id started before, if there is one.

        Raises
        ------
        AlreadyExistsError
            It is of another kind.
        """
        if not request_id:
            return None
        services = self._services
        known = await services.offload(services.operations.requested, tenant, request_id)
        if known is not None and known.kind is not kind:
            raise AlreadyExistsError(
                f"the request id '{request_id}' was used before, for operations/{known.id} "
                f"({known.kind.value.lower()}); choose another",
                operation=f"operations/{known.id}",
            )
        return known
