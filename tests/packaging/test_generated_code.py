"""Generated code refuses any older protobuf, so it is made by the oldest generator still supported."""

import importlib
import re
from pathlib import Path
from typing import Any

import pytest

GENCODE = "6.33.5"
GRPC = "1.81.1"


@pytest.fixture(scope="module")
def generated(root: Path) -> list[Path]:
    return sorted((root / "clients/python/clarion_api").rglob("*_pb2*.py"))


def test_the_messages_were_made_for_the_oldest_supported_protobuf(generated: list[Path]) -> None:
    versions = {
        version
        for path in generated
        for version in re.findall(
            r"^# Protobuf Python Version: (.+)$", path.read_text(), re.MULTILINE
        )
    }
    assert versions == {GENCODE}


def test_the_stubs_were_made_for_the_oldest_supported_grpc(generated: list[Path]) -> None:
    versions = {
        version
        for path in generated
        for version in re.findall(
            r"^GRPC_GENERATED_VERSION = '(.+)'$", path.read_text(), re.MULTILINE
        )
    }
    assert versions == {GRPC}


@pytest.mark.parametrize("name", ["manifest", "client_manifest"])
def test_the_manifests_ask_for_these_versions_or_later(
    name: str, request: pytest.FixtureRequest
) -> None:
    manifest: dict[str, Any] = request.getfixturevalue(name)
    assert f"protobuf>={GENCODE},<8" in manifest["project"]["dependencies"]
    assert f"grpcio>={GRPC}" in manifest["project"]["dependencies"]


def test_every_generated_module_is_importable(root: Path, generated: list[Path]) -> None:
    for path in generated:
        importlib.import_module(
            ".".join(path.relative_to(root / "clients/python").with_suffix("").parts)
        )


def test_no_file_that_other_distributions_own_is_registered_here(generated: list[Path]) -> None:
    for path in generated:
        assert not re.search(r"^(from|import) (buf|clarion)\b", path.read_text(), re.MULTILINE)
