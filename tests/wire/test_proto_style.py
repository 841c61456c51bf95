"""What `buf lint` cannot say of the protos: the answers of an rpc, and pages."""

import importlib
import pkgutil
from collections.abc import Iterator

import pytest
from google.protobuf.descriptor import Descriptor, FileDescriptor, MethodDescriptor

import clarion_api.v1


def files() -> Iterator[FileDescriptor]:
    for module in pkgutil.iter_modules(clarion_api.v1.__path__):
        if module.name.endswith("_pb2"):
            yield importlib.import_module(f"clarion_api.v1.{module.name}").DESCRIPTOR


def methods() -> list[MethodDescriptor]:
    return [
        method
        for file in files()
        for service in file.services_by_name.values()
        for method in service.methods
    ]


@pytest.mark.parametrize("method", methods(), ids=lambda method: method.full_name)
def test_an_rpc_answers_with_an_operation_a_resource_or_its_own_response(
    method: MethodDescriptor,
) -> None:
    assert method.input_type.name == f"{method.name}Request"
    answer = method.output_type
    assert (
        answer.full_name in {"google.longrunning.Operation", "google.protobuf.Empty"}
        or answer.name == f"{method.name}Response"
        or (method.name.endswith(answer.name) and is_resource(answer))
    )


@pytest.mark.parametrize(
    "method",
    [method for method in methods() if method.name.startswith("List")],
    ids=lambda method: method.full_name,
)
def test_every_list_has_pages(method: MethodDescriptor) -> None:
    assert {"page_size", "page_token"} <= set(method.input_type.fields_by_name)
    assert "next_page_token" in method.output_type.fields_by_name


def is_resource(message: Descriptor) -> bool:
    return message.fields[0].name == "name" and message.file.package == "clarion.v1"
