"""google.longrunning.Operations: what became of fits, evaluations and bulk explanations."""

from __future__ import annotations

from google.longrunning import operations_pb2 as pb
from google.longrunning.operations_pb2_grpc import OperationsServicer as Base
from google.protobuf import empty_pb2

from clarion.errors import InvalidParameterError, OperationNotFoundError, PreconditionError
from clarion.server.convert.operations import operation_to_proto
from clarion.server.interceptors.calls import Context
from clarion.server.paging import number_of, page_size, place_of, token_of
from clarion.server.services import Services
from clarion.server.tenancy import tenant_of
from clarion.store.operations import Operation


class OperationsServicer(Base):
    """Operations outlive the server; those it cannot go on with report that they failed."""

    def __init__(self, services: Services) -> None:
        self._services = services

    async def GetOperation(self, request: pb.GetOperationRequest, context: Context) -> pb.Operation:
        """Return one operation."""
        return operation_to_proto(await self._get(tenant_of(context), request.name))

    async def ListOperations(
        self, request: pb.ListOperationsRequest, context: Context
    ) -> pb.ListOperationsResponse:
        """Return a page of operations, newest first."""
        if request.filter:
            raise InvalidParameterError("operations cannot be filtered yet", field="filter")
        size = page_size(request.page_size)
        before = _place(request.page_token) if request.page_token else None
        found = await self._services.offload(
            self._services.operations.page, tenant_of(context), limit=size + 1, before=before
        )
        token = ""
        if len(found) > size:
            token = token_of(str(found[size - 1].create_time), found[size - 1].id)
        return pb.ListOperationsResponse(
            operations=map(operation_to_proto, found[:size]), next_page_token=token
        )

    async def WaitOperation(
        self, request: pb.WaitOperationRequest, context: Context
    ) -> pb.Operation:
        """Return an operation once it has ended, or as it stands after the timeout."""
        tenant = tenant_of(context)
        operation = await self._get(tenant, request.name)
        seconds = request.timeout.ToNanoseconds() / 1e9 if request.HasField("timeout") else None
        await self._services.jobs.wait(tenant, operation.id, seconds)
        return operation_to_proto(await self._get(tenant, request.name))

    async def CancelOperation(
        self, request: pb.CancelOperationRequest, context: Context
    ) -> empty_pb2.Empty:
        """Ask an operation to stop; one that has ended stays as it is."""
        operation = await self._get(tenant_of(context), request.name)
        self._services.jobs.cancel(operation.tenant, operation.id)
        return empty_pb2.Empty()

    async def DeleteOperation(
        self, request: pb.DeleteOperationRequest, context: Context
    ) -> empty_pb2.Empty:
        """Forget an operation that has ended."""
        operation = await self._get(tenant_of(context), request.name)
        if not operation.done:
            raise PreconditionError(
                "the operation is still running; cancel it first",
                field="name",
                operation=request.name,
            )
        delete = self._services.operations.delete
        await self._services.offload(delete, operation.tenant, operation.id)
        return empty_pb2.Empty()

    async def _get(self, tenant: str, name: str) -> Operation:
        collection, _, operation_id = name.partition("/")
        if collection != "operations" or not operation_id:
            raise OperationNotFoundError(
                f"'{name}' names no operation; they are named operations/{{id}}", operation=name
            )
        return await self._services.offload(self._services.operations.get, tenant, operation_id)


def _place(token: str) -> tuple[int, str]:
    time, operation_id = place_of(token, 2)
    return number_of(time), operation_id
