"""One server: its parts put together, started, and drained."""

from __future__ import annotations

import fcntl
import time
from concurrent.futures import ThreadPoolExecutor
from typing import IO, Any

import grpc
import grpc.aio
import structlog
from google.longrunning import operations_pb2, operations_pb2_grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from clarion.errors import AlreadyExistsError
from clarion.explaining.cache import AttributionCache
from clarion.plugins import load_plugins
from clarion.server.convert.frames import FrameLimits
from clarion.server.fits import Fits
from clarion.server.interceptors.codec import Codec
from clarion.server.interceptors.entry import Entry
from clarion.server.interceptors.gate import Gate
from clarion.server.jobs import Jobs, interrupted
from clarion.server.loaded import Models
from clarion.server.processes import Processes
from clarion.server.scoring import Scoring
from clarion.server.servicers.detection import DetectionServicer
from clarion.server.servicers.models import ModelServicer
from clarion.server.servicers.operations import OperationsServicer
from clarion.server.servicers.plugins import PluginServicer
from clarion.server.services import Services
from clarion.server.settings import Settings
from clarion.server.starts import Starts
from clarion.server.status import status_of
from clarion.store.artifacts import ModelStore
from clarion.store.database import open_database
from clarion.store.operations import OperationLog
from clarion_api.v1 import (
    detection_pb2,
    detection_pb2_grpc,
    models_pb2,
    models_pb2_grpc,
    plugins_pb2,
    plugins_pb2_grpc,
)

_log = structlog.get_logger(__name__)

SERVICES = (
    detection_pb2.DESCRIPTOR.services_by_name["DetectionService"].full_name,
    models_pb2.DESCRIPTOR.services_by_name["ModelService"].full_name,
    plugins_pb2.DESCRIPTOR.services_by_name["PluginService"].full_name,
    operations_pb2.DESCRIPTOR.services_by_name["Operations"].full_name,
)
"""What health answers for, and reflection describes."""


class Application:
    """A server bound to its data folder and its port."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        settings.data_dir.mkdir(parents=True, exist_ok=True)
        self._lock = _locked(settings)
        self._threads = ThreadPoolExecutor(settings.score_workers, "score")
        self._io = ThreadPoolExecutor(4, "io")
        self._processes: Processes | None = None
        if settings.explain_workers:
            self._processes = Processes(
                settings.models_dir,
                settings.explain_workers,
                self._io,
                settings.max_explanation_bytes,
            )
        self._services = self._assembled()
        self._health = health.aio.HealthServicer()
        self._server = self._built()
        self.port = self._bound()

    async def start(self) -> None:
        """Take requests."""
        for service in SERVICES:
            await self._health.set(service, health_pb2.HealthCheckResponse.SERVING)
        await self._server.start()

    async def stop(self) -> bool:
        """Let calls in flight finish, take no new ones, and close; False if work was abandoned."""
        seconds = self._settings.drain_seconds
        deadline = time.monotonic() + seconds
        await self._health.enter_graceful_shutdown()
        idle = await self._services.gate.drain(seconds)
        ended = await self._services.jobs.close(max(0.0, deadline - time.monotonic()))
        await self._server.stop(0.1 if idle else 0)
        if self._processes is not None:
            self._processes.close()
        for pool in (self._threads, self._io):
            pool.shutdown(wait=False, cancel_futures=True)
        self._lock.close()
        return idle and ended

    def _assembled(self) -> Services:
        settings = self._settings
        registries = load_plugins()
        store = ModelStore(settings.models_dir)
        store.sweep()
        operations = OperationLog(open_database(settings.database))
        failed = operations.fail_interrupted(status_of(interrupted()).SerializeToString())
        if failed:
            _log.warning("operations cut short by the last stop", count=failed)
        models = Models(
            store,
            registries,
            self._threads,
            max_count=settings.max_loaded_models,
            max_bytes=settings.max_loaded_bytes,
            explanations=AttributionCache(settings.max_explanation_bytes),
        )
        jobs = Jobs(operations, workers=settings.fit_workers, max_waiting=settings.max_waiting_fits)
        return Services(
            threads=self._io,
            gate=Gate(),
            registries=registries,
            store=store,
            operations=operations,
            models=models,
            scoring=Scoring(self._threads, self._processes, settings.max_waiting),
            jobs=jobs,
            starts=Starts(operations, jobs, self._io),
            fits=Fits(jobs, store, models, registries),
            frame_limits=FrameLimits(settings.max_rows, settings.max_signals),
            max_streams=settings.max_streams,
            max_stream_assets=settings.max_stream_assets,
            max_message_bytes=settings.max_message_bytes,
        )

    def _built(self) -> grpc.aio.Server:
        services = self._services
        server = grpc.aio.server(
            interceptors=[Entry(services.gate, Codec(self._io))],
            options=_channel_options(self._settings),
            maximum_concurrent_rpcs=self._settings.max_concurrent_rpcs,
        )
        detection_pb2_grpc.add_DetectionServiceServicer_to_server(
            DetectionServicer(services), server
        )
        models_pb2_grpc.add_ModelServiceServicer_to_server(ModelServicer(services), server)
        plugins_pb2_grpc.add_PluginServiceServicer_to_server(PluginServicer(services), server)
        operations_pb2_grpc.add_OperationsServicer_to_server(OperationsServicer(services), server)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, server)
        if self._settings.reflection:
            from grpc_reflection.v1alpha import reflection

            names = (*SERVICES, health.SERVICE_NAME, reflection.SERVICE_NAME)
            reflection.enable_server_reflection(names, server)
        return server

    def _bound(self) -> int:
        host = self._settings.host
        host = f"[{host}]" if ":" in host else host
        return self._server.add_insecure_port(f"{host}:{self._settings.port}")


def _channel_options(settings: Settings) -> list[tuple[str, Any]]:
    return [
        ("grpc.so_reuseport", 0),  # else a second server would share the port without a word
        ("grpc.max_receive_message_length", settings.max_message_bytes),
        ("grpc.max_send_message_length", -1),
        ("grpc.max_metadata_size", settings.max_metadata_bytes),
        ("grpc.absolute_max_metadata_size", 2 * settings.max_metadata_bytes),
        ("grpc.keepalive_time_ms", 60_000),
        ("grpc.keepalive_timeout_ms", 20_000),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.min_recv_ping_interval_without_data_ms", 10_000),
        ("grpc.http2.max_pings_without_data", 0),
    ]


def _locked(settings: Settings) -> IO[str]:
    """Hold the data folder: two servers in one would undo each other's work.

    Raises
    ------
    AlreadyExistsError
        Another server holds it.
    """
    file = (settings.data_dir / "lock").open("w", encoding="utf-8")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        file.close()
        raise AlreadyExistsError(
            f"another server uses the data folder '{settings.data_dir}'",
            data_dir=settings.data_dir,
        ) from error
    return file
