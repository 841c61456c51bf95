"""The client: connect, call a verb on a resource name, get plain values."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self, Unpack

import numpy as np

from clarion_api.v1 import models_pb2
from clarion_client.columns import flags
from clarion_client.connection import Connection, Stubs, credentials_of
from clarion_client.evaluating import Evaluating
from clarion_client.frames import FrameOptions, frame
from clarion_client.health import Health, check
from clarion_client.models import ModelVersion
from clarion_client.operations import FitOperation, Progress
from clarion_client.spec import PipelineSpec


@dataclass(frozen=True, slots=True)
class Client(Evaluating):
    """A connection to one Clarion server; thread-safe, to be closed after use.

    Every call has a deadline, raises the errors of `clarion_client.errors`, and is retried only
    where the server could not be reached or refused before it began (UNAVAILABLE).
    """

    connection: Connection
    _signals: dict[str, tuple[str, ...]] = field(default_factory=dict, repr=False)

    @classmethod
    def connect(
        cls,
        target: str = "localhost:50051",
        *,
        timeout_s: float = 30.0,
        tls: bool = False,
        root_certificates: bytes | None = None,
        certificate: bytes | None = None,
        private_key: bytes | None = None,
        options: Sequence[tuple[str, str | int]] = (),
    ) -> Self:
        """Return a client of the server at ``target``; nothing is sent yet.

        Parameters
        ----------
        target
            ``host:port``, or any other target that gRPC knows.
        timeout_s
            Deadline of each call, in seconds.
        tls
            Encrypt; said already by giving any of the certificates.
        root_certificates
            PEM of the authorities trusted; default: gRPC's own.
        certificate, private_key
            PEM of an own certificate and its key, where the server asks for one.
        options
            Further gRPC channel options, over those of this package.
        """
        secure = tls or any((root_certificates, certificate, private_key))
        credentials = (
            credentials_of(root_certificates, certificate, private_key) if secure else None
        )
        return cls(Connection.open(target, timeout_s, credentials, options))

    @property
    def stubs(self) -> Stubs:
        """The generated stubs on this connection."""
        return self.connection.stubs

    def fit(
        self,
        model_id: str,
        data: Any,
        spec: PipelineSpec | str,
        *,
        labels: Sequence[bool] | np.ndarray[Any, Any] | None = None,
        timeout_s: float = 600.0,
        progress: Callable[[Progress], None] | None = None,
        **options: Unpack[FrameOptions],
    ) -> ModelVersion:
        """Fit a new version of a model and wait for it; see `start_fit` and `FitOperation.wait`."""
        started = self.start_fit(model_id, data, spec, labels=labels, **options)
        return started.wait(timeout_s, progress)

    def start_fit(
        self,
        model_id: str,
        data: Any,
        spec: PipelineSpec | str,
        *,
        labels: Sequence[bool] | np.ndarray[Any, Any] | None = None,
        display_name: str = "",
        request_id: str = "",
        **options: Unpack[FrameOptions],
    ) -> FitOperation:
        """Start a fit and return its handle at once.

        Parameters
        ----------
        model_id
            Name of the model, made if it does not exist: ``pump-7``.
        data, options
            Rows to fit on: see `clarion_client.frame`.
        spec
            The pipeline; a word stands for a detector with its defaults.
        labels
            True where a row is known to be anomalous, shape ``(n,)``.
        request_id
            The same id returns the same operation; default: a new one, so that a retry is safe.
        """
        request = models_pb2.FitModelRequest(
            model_id=model_id.removeprefix("models/"),
            display_name=display_name,
            spec=(PipelineSpec(spec) if isinstance(spec, str) else spec).message(),
            frame=frame(data, **options),
            labels=b"" if labels is None else flags(labels),
            request_id=request_id or uuid.uuid4().hex,
        )
        operation = self.connection.call(self.stubs.models.FitModel, request)
        return FitOperation.of(operation, self.connection)

    def health(self) -> Health:
        """Ask the server how it is."""
        return check(self.connection)

    def close(self) -> None:
        """Close the channel; calls under way are cancelled."""
        self.connection.channel.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
