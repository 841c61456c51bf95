"""A real server in a process of its own, and raw stubs to it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from google.longrunning import operations_pb2, operations_pb2_grpc
from google.protobuf import duration_pb2, struct_pb2
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2_grpc
from grpc_status import rpc_status

from clarion_api.v1 import detection_pb2 as pb
from clarion_api.v1 import (
    detection_pb2_grpc,
    frame_pb2,
    models_pb2,
    models_pb2_grpc,
    plugins_pb2_grpc,
)

TROUBLE = Path(__file__).parent / "trouble"
SERVE = """
import sys
from clarion.server.main import run
from clarion.server.settings import Settings
sys.exit(run(Settings(), ready=lambda address: print(address, flush=True)))
"""
NAMES = ("pressure", "flow", "speed")


@dataclass
class Server:
    """A running server: its process, its channel and its stubs."""

    data_dir: Path
    environment: dict[str, str] = field(default_factory=dict)

    def start(self) -> Server:
        settings = {"CLARION_DATA_DIR": str(self.data_dir), "CLARION_PORT": "0"}
        self.log = (self.data_dir.parent / f"{self.data_dir.name}.log").open("ab")
        self.process = subprocess.Popen(
            [sys.executable, "-c", SERVE],
            stdout=subprocess.PIPE,
            stderr=self.log,
            env={**os.environ, **settings, **self.environment},
        )
        assert self.process.stdout is not None
        self.address = self.process.stdout.readline().decode().strip()
        assert self.address, f"the server did not start:\n{self.logged()}"
        self.channel = grpc.insecure_channel(
            self.address,
            [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)],
        )
        self.detection = detection_pb2_grpc.DetectionServiceStub(self.channel)
        self.models = models_pb2_grpc.ModelServiceStub(self.channel)
        self.plugins = plugins_pb2_grpc.PluginServiceStub(self.channel)
        self.operations = operations_pb2_grpc.OperationsStub(self.channel)
        self.health = health_pb2_grpc.HealthStub(self.channel)
        return self

    def stop(self, number: int = signal.SIGTERM) -> int:
        if self.process.poll() is None:
            self.process.send_signal(number)
        code = self.process.wait(60)
        self.channel.close()
        self.log.close()
        return code

    def restart(self) -> Server:
        self.stop()
        return self.start()

    def logged(self) -> str:
        return Path(self.log.name).read_text()

    # What tests say to it

    def fit(self, model: str = "pump", rows: Any = None, **request: Any) -> models_pb2.ModelVersion:
        """Fit a model, wait, and return its version."""
        operation = self.start_fit(model, rows, **request)
        done = self.wait(operation.name)
        assert not done.HasField("error"), done.error
        version = models_pb2.ModelVersion()
        assert done.response.Unpack(version)
        return version

    def start_fit(
        self,
        model: str = "pump",
        rows: Any = None,
        *,
        detector: str = "mahalanobis",
        parameters: dict[str, Any] | None = None,
        features: tuple[str, ...] = (),
        frame: frame_pb2.Frame | None = None,
        spec: dict[str, Any] | None = None,
        **request: Any,
    ) -> operations_pb2.Operation:
        given = struct_pb2.Struct()
        given.update(parameters or {})
        pipeline = models_pb2.PipelineSpec(
            detector=models_pb2.Step(plugin=detector, parameters=given),
            features=[models_pb2.Step(plugin=name) for name in features],
            **(spec or {}),
        )
        rows = normal_rows() if rows is None else rows
        return self.models.FitModel(
            models_pb2.FitModelRequest(
                model_id=model, spec=pipeline, frame=frame or matrix(rows), **request
            ),
            timeout=60,
        )

    def wait(self, name: str, seconds: float = 60) -> operations_pb2.Operation:
        timeout = duration_pb2.Duration()
        timeout.FromNanoseconds(int(seconds * 1e9))
        request = operations_pb2.WaitOperationRequest(name=name, timeout=timeout)
        done: operations_pb2.Operation = self.operations.WaitOperation(
            request, timeout=seconds + 10
        )
        return done

    def score(self, rows: Any, model: str = "pump", **request: Any) -> pb.ScoreResponse:
        return self.scored(matrix(rows), model, **request)[0]

    def scored(
        self, frame: frame_pb2.Frame, model: str = "pump", **request: Any
    ) -> tuple[pb.ScoreResponse, dict[str, Any]]:
        """Return the response, and the metadata that came behind it."""
        request.setdefault("metadata", ())
        metadata = request.pop("metadata")
        message = pb.ScoreRequest(model=f"models/{model}", frame=frame, **request)
        response, call = self.detection.Score.with_call(message, timeout=60, metadata=metadata)
        return response, dict(call.trailing_metadata())


def normal_rows(rows: int = 400, signals: int = 3, seed: int = 7) -> Any:
    return np.random.default_rng(seed).normal(size=(rows, signals))


def matrix(rows: Any, names: tuple[str, ...] = (), **fields: Any) -> frame_pb2.Frame:
    values = np.ascontiguousarray(rows, "<f8")
    width = values.shape[1]
    names = names or (NAMES if width == 3 else tuple(f"s{j}" for j in range(width)))
    return frame_pb2.Frame(
        matrix=frame_pb2.Matrix(
            signal_names=names,
            element_type=frame_pb2.ELEMENT_TYPE_FLOAT64,
            values=values.tobytes(),
        ),
        **fields,
    )


@dataclass
class Failure:
    """How a call failed: its code, text and details by type."""

    code: grpc.StatusCode
    message: str
    reason: str
    metadata: dict[str, str]
    details: dict[str, Any]
    trailer: dict[str, Any]

    @property
    def fields(self) -> list[str]:
        """Paths of the fields at fault."""
        request = self.details.get("BadRequest")
        return [] if request is None else [v.field for v in request.field_violations]


def failure_of(error: Any) -> Failure:
    status = rpc_status.from_call(error)
    assert status is not None, f"no details: {error}"
    details = unpacked(status.details)
    info = details["ErrorInfo"]
    assert info.domain == "clarion"
    trailer = dict(error.trailing_metadata())
    return Failure(error.code(), status.message, info.reason, dict(info.metadata), details, trailer)


def unpacked(messages: Any) -> dict[str, Any]:
    out = {}
    for packed in messages:
        name = packed.TypeName().rpartition(".")[2]
        out[name] = getattr(error_details_pb2, name)()
        packed.Unpack(out[name])
    return out


class Wire:
    """What tests need of this file, which they cannot import."""

    matrix = staticmethod(matrix)
    normal_rows = staticmethod(normal_rows)
    unpacked = staticmethod(unpacked)
    names = NAMES

    @staticmethod
    def failure(call: Callable[[], Any]) -> Failure:
        """Return how ``call`` fails; it must."""
        with pytest.raises(grpc.RpcError) as caught:
            call()
        return failure_of(caught.value)


@pytest.fixture(scope="session")
def wire() -> Wire:
    return Wire()


@pytest.fixture(scope="session")
def start_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Server]]:
    """Start servers, each in a data folder of its own; settings by name.

    ``models_of`` is a server whose models the new one has too: fitting again would only take time.
    """
    started: list[Server] = []

    def start(
        data_dir: Path | None = None,
        environment: dict[str, str] | None = None,
        models_of: Server | None = None,
        **settings: object,
    ) -> Server:
        variables = {f"CLARION_{k.upper()}": str(v) for k, v in settings.items()}
        variables |= environment or {}
        server = Server(data_dir or tmp_path_factory.mktemp("data") / "data", variables)
        if models_of is not None:
            shutil.copytree(models_of.data_dir / "models", server.data_dir / "models")
            server.environment = {**models_of.environment, **server.environment}
        started.append(server)
        return server.start()

    yield start
    for server in started:
        if server.process.poll() is None:
            server.stop(signal.SIGKILL)


@pytest.fixture(scope="session")
def server(start_server: Callable[..., Server]) -> Server:
    """One server that most tests share, with the model ``pump`` fitted."""
    server = start_server(reflection=True)
    server.fit()
    return server


@pytest.fixture(scope="session")
def trouble_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for PYTHONPATH in which the troublesome plugin packages are installed."""
    site = tmp_path_factory.mktemp("site")
    entry_points = (
        "[clarion]\ntrouble = clarion_trouble\ntrouble_on_import = clarion_trouble_on_import\n"
    )
    info = site / "clarion_trouble-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: clarion-trouble\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(entry_points)
    for source in TROUBLE.glob("*.py"):
        shutil.copy(source, site)
    return site


@pytest.fixture(scope="session")
def troubled(start_server: Callable[..., Server], trouble_path: Path) -> Server:
    """A server with the troublesome plugins, and a good model."""
    path = os.pathsep.join(filter(None, (str(trouble_path), os.environ.get("PYTHONPATH", ""))))
    server = start_server(environment={"PYTHONPATH": path})
    server.fit()
    server.fit("sleeps", detector="sleeps")
    return server
