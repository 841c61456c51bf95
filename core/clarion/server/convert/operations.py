"""Long-running operations as messages, and what is kept of them as bytes."""

from __future__ import annotations

from google.longrunning import operations_pb2 as pb
from google.protobuf import any_pb2
from google.protobuf.message import Message
from google.rpc import status_pb2

from clarion.server.convert.answers import timestamp
from clarion.store.operations import Operation, OperationKind
from clarion_api.v1.detection_pb2 import BulkExplainMetadata
from clarion_api.v1.models_pb2 import EvaluateModelMetadata, FitModelMetadata

_Metadata = type[FitModelMetadata] | type[EvaluateModelMetadata] | type[BulkExplainMetadata]
_METADATA: dict[OperationKind, _Metadata] = {
    OperationKind.FIT: FitModelMetadata,
    OperationKind.EVALUATION: EvaluateModelMetadata,
    OperationKind.EXPLANATION: BulkExplainMetadata,
}


def operation_to_proto(operation: Operation) -> pb.Operation:
    """Return the message of an operation, with the metadata of its kind."""
    message = pb.Operation(name=f"operations/{operation.id}", done=operation.done)
    message.metadata.Pack(
        _METADATA[operation.kind](
            model=f"models/{operation.model}",
            progress=operation.progress,
            stage=operation.stage,
            create_time=timestamp(operation.create_time),
        )
    )
    if operation.error is not None:
        message.error.CopyFrom(status_pb2.Status.FromString(operation.error))
    elif operation.response is not None:
        message.response.CopyFrom(any_pb2.Any.FromString(operation.response))
    return message


def packed(message: Message) -> bytes:
    """Return a result as the bytes kept with its operation."""
    container = any_pb2.Any()
    container.Pack(message)
    return container.SerializeToString()
