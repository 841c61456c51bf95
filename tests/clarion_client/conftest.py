"""A server that answers as the test says, on a real port of this machine."""
# ruff: noqa: N802 - rpcs are named by the protos

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import grpc
import numpy as np
import pytest
from google.longrunning import operations_pb2, operations_pb2_grpc
from google.protobuf.empty_pb2 import Empty
from google.rpc import status_pb2
from grpc_health.v1 import health, health_pb2_grpc
from grpc_status import rpc_status

from clarion_api.v1 import (
    detection_pb2,
    detection_pb2_grpc,
    models_pb2,
    models_pb2_grpc,
    plugins_pb2,
    plugins_pb2_grpc,
)
from clarion_client import Client


@dataclass
class Script:
    """What the server is to do, and what it saw."""

    refusals: list[status_pb2.Status] = field(default_factory=list)
    """Raised one after another, before anything is answered."""
    trailing: tuple[tuple[str, str], ...] = ()
    calls: list[tuple[str, Any]] = field(default_factory=list)
    deadlines: list[float] = field(default_factory=list)
    delay_s: float = 0.0
    operation: list[operations_pb2.Operation] = field(default_factory=list)
    """What GetOperation answers, one after another; the last one again and again."""
    signals: tuple[str, ...] = ("flow", "pressure")
    versions: int = 1
    models: int = 5

    def enter(self, name: str, request: Any, context: grpc.ServicerContext) -> None:
        self.calls.append((name, request))
        remaining = context.time_remaining()
        assert remaining is not None, "a call came without a deadline"
        self.deadlines.append(remaining)
        time.sleep(self.delay_s)
        if self.refusals:
            refusal: Any = rpc_status.to_status(self.refusals.pop(0))
            trailing = (*refusal.trailing_metadata, *self.trailing)
            context.abort_with_status(refusal._replace(trailing_metadata=trailing))

    def names(self) -> list[str]:
        return [name for name, _ in self.calls]


def scores(values: list[float], threshold: float = 1.0) -> detection_pb2.Scores:
    array = np.asarray(values, "<f8")
    return detection_pb2.Scores(
        values=array.tobytes(),
        p_values=(1 / (1 + array)).astype("<f8").tobytes(),
        anomalous=(array >= threshold).astype(np.uint8).tobytes(),
        threshold=threshold,
        false_alarm_rate=0.01,
        model_version="models/pump/versions/1",
        model_digest="ab" * 32,
        calibration_id="c1",
    )


def sums(frame: Any) -> list[float]:
    """Score a matrix by the sum of each row."""
    matrix = frame.matrix
    block = np.frombuffer(matrix.values, "<f8").reshape(-1, len(matrix.signal_names))
    return [float(v) for v in block.sum(axis=1)]


class Detection(detection_pb2_grpc.DetectionServiceServicer):
    def __init__(self, script: Script) -> None:
        self.script = script

    def Score(self, request: Any, context: Any) -> Any:
        self.script.enter("Score", request, context)
        return detection_pb2.ScoreResponse(scores=scores(sums(request.frame)))

    def Explain(self, request: Any, context: Any) -> Any:
        self.script.enter("Explain", request, context)
        return detection_pb2.ExplainResponse(scores=scores(sums(request.frame)))

    def ScoreStream(self, request_iterator: Any, context: Any) -> Any:
        opening = next(iter(request_iterator))
        self.script.enter("ScoreStream", opening, context)
        for request in request_iterator:
            self.script.calls.append(("frame", request))
            yield detection_pb2.ScoreStreamResponse(
                sequence=request.frame.sequence, scores=scores(sums(request.frame.frame))
            )


class Models(models_pb2_grpc.ModelServiceServicer):
    def __init__(self, script: Script) -> None:
        self.script = script

    def FitModel(self, request: Any, context: Any) -> Any:
        self.script.enter("FitModel", request, context)
        return self.script.operation[0]

    def EvaluateModel(self, request: Any, context: Any) -> Any:
        self.script.enter("EvaluateModel", request, context)
        return self.script.operation[0]

    def GetModel(self, request: Any, context: Any) -> Any:
        self.script.enter("GetModel", request, context)
        return models_pb2.Model(name=request.name, version_count=1)

    def ListModels(self, request: Any, context: Any) -> Any:
        self.script.enter("ListModels", request, context)
        start, total = int(request.page_token or 0), self.script.models
        page = [models_pb2.Model(name=f"models/m{i}") for i in range(start, min(start + 2, total))]
        after = str(start + 2) if start + 2 < total else ""
        return models_pb2.ListModelsResponse(models=page, next_page_token=after)

    def DeleteModel(self, request: Any, context: Any) -> Any:
        self.script.enter("DeleteModel", request, context)
        return Empty()

    def GetModelVersion(self, request: Any, context: Any) -> Any:
        self.script.enter("GetModelVersion", request, context)
        name = request.name
        if "/versions/" not in name:
            name = f"{name}/versions/{self.script.versions}"
        out = models_pb2.ModelVersion(name=name)
        for signal in self.script.signals:
            out.signals.add(name=signal)
        return out

    def ListModelVersions(self, request: Any, context: Any) -> Any:
        self.script.enter("ListModelVersions", request, context)
        page = [models_pb2.ModelVersion(name=f"{request.parent}/versions/{i}") for i in (2, 1)]
        return models_pb2.ListModelVersionsResponse(model_versions=page)

    def DeleteModelVersion(self, request: Any, context: Any) -> Any:
        return self.DeleteModel(request, context)


class Plugins(plugins_pb2_grpc.PluginServiceServicer):
    def __init__(self, script: Script) -> None:
        self.script = script

    def ListPlugins(self, request: Any, context: Any) -> Any:
        self.script.enter("ListPlugins", request, context)
        names = ["plugins/detectors/knn", "plugins/quarantined/broken"]
        return plugins_pb2.ListPluginsResponse(plugins=[plugins_pb2.Plugin(name=n) for n in names])

    def GetPlugin(self, request: Any, context: Any) -> Any:
        self.script.enter("GetPlugin", request, context)
        out = plugins_pb2.Plugin(name=request.name, capabilities=["neighbours"])
        out.parameters_schema.update({"properties": {"neighbours": {"minimum": 1}}})
        return out


class Operations(operations_pb2_grpc.OperationsServicer):
    def __init__(self, script: Script) -> None:
        self.script = script

    def GetOperation(self, request: Any, context: Any) -> Any:
        self.script.enter("GetOperation", request, context)
        left = self.script.operation
        return left.pop(0) if len(left) > 1 else left[0]

    def ListOperations(self, request: Any, context: Any) -> Any:
        self.script.enter("ListOperations", request, context)
        return operations_pb2.ListOperationsResponse(operations=self.script.operation)

    def CancelOperation(self, request: Any, context: Any) -> Any:
        self.script.enter("CancelOperation", request, context)
        return Empty()


@pytest.fixture
def script() -> Script:
    return Script()


def serve(script: Script, credentials: grpc.ServerCredentials | None = None) -> tuple[Any, int]:
    server = grpc.server(ThreadPoolExecutor(4), options=[("grpc.so_reuseport", 0)])
    # Of no type: an rpc that is new in the protos is answered with UNIMPLEMENTED until it is needed here.
    detection, models, plugins = (cast(Any, kind)(script) for kind in (Detection, Models, Plugins))
    detection_pb2_grpc.add_DetectionServiceServicer_to_server(detection, server)
    models_pb2_grpc.add_ModelServiceServicer_to_server(models, server)
    plugins_pb2_grpc.add_PluginServiceServicer_to_server(plugins, server)
    operations_pb2_grpc.add_OperationsServicer_to_server(Operations(script), server)
    health_pb2_grpc.add_HealthServicer_to_server(health.HealthServicer(), server)
    address = "localhost:0"
    if credentials is None:
        port = server.add_insecure_port(address)
    else:
        port = server.add_secure_port(address, credentials)
    server.start()
    return server, port


@pytest.fixture
def target(script: Script) -> Iterator[str]:
    server, port = serve(script)
    yield f"localhost:{port}"
    server.stop(0).wait()


@pytest.fixture
def client(target: str) -> Iterator[Client]:
    with Client.connect(target, timeout_s=5.0) as connected:
        yield connected


@pytest.fixture
def secure(script: Script, tmp_path: Path) -> Iterator[tuple[str, bytes]]:
    """Yield a server that speaks TLS, and the certificate that vouches for it."""
    command = [
        *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
        *("-nodes", "-days", "1", "-subj", "/CN=localhost", "-addext"),
        *("subjectAltName=DNS:localhost", "-keyout", "key.pem", "-out", "cert.pem"),
    ]
    if shutil.which("openssl") is None:
        pytest.skip("TLS was not tested: there is no openssl here to make a certificate with")
    subprocess.run(command, cwd=tmp_path, capture_output=True, check=True)
    key, certificate = ((tmp_path / name).read_bytes() for name in ("key.pem", "cert.pem"))
    server, port = serve(script, grpc.ssl_server_credentials([(key, certificate)]))
    yield f"localhost:{port}", certificate
    server.stop(0).wait()
