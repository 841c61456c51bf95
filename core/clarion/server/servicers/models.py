"""ModelService: fits, judges, lists and deletes models."""

from __future__ import annotations

from functools import partial

from google.longrunning import operations_pb2
from google.protobuf import empty_pb2

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

    async def FitModel(
        self, request: pb.FitModelRequest, context: Context
    ) -> operations_pb2.Operation:
        """Start a fit and return its operation at once."""
        tenant, starts = tenant_of(context), self._services.starts
        begin = partial(self._begun_fit, tenant, request)
        return operation_to_proto(
            await starts.once(tenant, request.request_id, OperationKind.FIT, begin)
        )

    async def EvaluateModel(
        self, request: pb.EvaluateModelRequest, context: Context
    ) -> operations_pb2.Operation:
        """Start an evaluation and return its operation at once."""
        tenant, starts = tenant_of(context), self._services.starts
        begin = partial(self._begun_evaluation, tenant, request)
        return operation_to_proto(
            await starts.once(tenant, request.request_id, OperationKind.EVALUATION, begin)
        )

    async def GetModel(self, request: pb.GetModelRequest, context: Context) -> pb.Model:
        """Return one model."""
        model, _ = parsed_name(request.name)
        return await self._services.offload(self._catalogue.model, tenant_of(context), model)

    async def ListModels(
        self, request: pb.ListModelsRequest, context: Context
    ) -> pb.ListModelsResponse:
        """Return a page of models, by name."""
        size = page_size(request.page_size)
        return await self._services.offload(
            self._catalogue.models, tenant_of(context), request.page_token, size
        )

    async def DeleteModel(
        self, request: pb.DeleteModelRequest, context: Context
    ) -> empty_pb2.Empty:
        """Delete a model, unless it is being fitted."""
        tenant, (model, _) = tenant_of(context), parsed_name(request.name)
        with self._services.fits.held(tenant, model):
            await self._services.offload(self._services.store.delete, tenant, model)
        return empty_pb2.Empty()

    async def GetModelVersion(
        self, request: pb.GetModelVersionRequest, context: Context
    ) -> pb.ModelVersion:
        """Return one version, or a model's newest one."""
        return await self._services.offload(
            self._catalogue.version, tenant_of(context), *parsed_name(request.name)
        )

    async def ListModelVersions(
        self, request: pb.ListModelVersionsRequest, context: Context
    ) -> pb.ListModelVersionsResponse:
        """Return a page of a model's versions, newest first."""
        size = page_size(request.page_size)
        model, _ = parsed_name(request.parent)
        return await self._services.offload(
            self._catalogue.versions, tenant_of(context), model, request.page_token, size
        )

    async def DeleteModelVersion(
        self, request: pb.DeleteModelVersionRequest, context: Context
    ) -> empty_pb2.Empty:
        """Delete one version."""
        model, number = parsed_name(request.name)
        await self._services.offload(
            self._services.store.delete_version, tenant_of(context), model, number or 0
        )
        return empty_pb2.Empty()

    async def _begun_fit(self, tenant: str, request: pb.FitModelRequest) -> Operation:
        services = self._services
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

    async def _begun_evaluation(self, tenant: str, request: pb.EvaluateModelRequest) -> Operation:
        services, kind = self._services, OperationKind.EVALUATION
        model = await services.models.get(tenant, request.model)
        trial = await services.offload_large(
            trial_from_proto, request, model, services.frame_limits
        )
        operation, _ = await services.offload(
            services.operations.create, tenant, model.ref.model, request.request_id, kind
        )
        services.jobs.start(operation, evaluation(trial))
        return operation
