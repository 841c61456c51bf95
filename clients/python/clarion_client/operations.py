"""Long-running operations: a handle that waits, tells its progress, and ends in a result."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, Self, TypeVar

from google.longrunning import operations_pb2

from clarion_api.v1 import detection_pb2, evaluation_pb2, models_pb2
from clarion_client.connection import Connection
from clarion_client.errors import ClarionError, DeadlineExceededError
from clarion_client.models import ModelVersion
from clarion_client.overview import BulkExplanation
from clarion_client.reports import EvaluationReport
from clarion_client.status import from_status

ResultT = TypeVar("ResultT")
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.02, 1.0


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an operation is: the share done in [0, 1], and what is being done."""

    share: float
    stage: str


@dataclass(frozen=True, slots=True)
class Operation(ABC, Generic[ResultT]):
    """Work on the server, as it was when asked; it goes on whether or not anybody waits.

    Attributes
    ----------
    name
        Finds it again with `Client.operation`, also after a restart.
    model
        The model that it is about.
    done, progress
        Whether it ended, and how far it was.
    """

    name: str
    model: str
    done: bool
    progress: Progress
    _message: operations_pb2.Operation
    _connection: Connection

    what: ClassVar[str]
    """What it does, in a word."""
    told: ClassVar[
        type[models_pb2.FitModelMetadata]
        | type[models_pb2.EvaluateModelMetadata]
        | type[detection_pb2.BulkExplainMetadata]
    ]
    """The message of its progress."""
    response: ClassVar[Any]
    """The message that it ends in."""

    @classmethod
    def of(cls, message: operations_pb2.Operation, connection: Connection) -> Self:
        """Return the handle of a message."""
        told = cls.told()
        message.metadata.Unpack(told)
        progress = Progress(told.progress, told.stage)
        return cls(message.name, told.model, message.done, progress, message, connection)

    def refresh(self) -> Self:
        """Ask the server how far it is now."""
        request = operations_pb2.GetOperationRequest(name=self.name)
        method = self._connection.stubs.operations.GetOperation
        return type(self).of(self._connection.call(method, request), self._connection)

    def wait(
        self, timeout_s: float = 600.0, progress: Callable[[Progress], None] | None = None
    ) -> ResultT:
        """Wait until it ends and return its result.

        Parameters
        ----------
        timeout_s
            Seconds to wait at most.
        progress
            Called with each change of the progress.

        Raises
        ------
        DeadlineExceededError
            It runs on; wait again, or `cancel` it.
        ClarionError
            It failed; the class says why.
        """
        until = time.monotonic() + timeout_s
        now, pause, told = self, _FIRST_PAUSE_S, None
        while True:
            if progress is not None and now.progress != told:
                told = now.progress
                progress(told)
            if now.done:
                return now.result()
            if time.monotonic() + pause > until:
                raise DeadlineExceededError(
                    f"the {self.what} of {self.model} is not done after {timeout_s:g} s "
                    f"({now.progress.share:.0%}, {now.progress.stage}); it runs on as {self.name}"
                )
            time.sleep(pause)
            pause = min(pause * 1.5, _LONGEST_PAUSE_S)
            now = now.refresh()

    def result(self) -> ResultT:
        """Return the result of an operation that is done; raise what it failed with."""
        if self._message.HasField("error"):
            raise from_status(self._message.error)
        response = self.response()
        if not self._message.response.Unpack(response):
            raise ClarionError(f"{self.name} is not done, or was no {self.what}")
        return self.value_of(response)

    @abstractmethod
    def value_of(self, response: Any) -> ResultT:
        """Return the plain value of the message that it ended in."""

    def cancel(self) -> None:
        """Ask the server to stop it; `wait` then raises OperationCancelledError."""
        request = operations_pb2.CancelOperationRequest(name=self.name)
        self._connection.call(self._connection.stubs.operations.CancelOperation, request)


class FitOperation(Operation[ModelVersion]):
    """A fit: ends in the fitted version."""

    __slots__ = ()
    what = "fit"
    told = models_pb2.FitModelMetadata
    response = models_pb2.ModelVersion

    def value_of(self, response: models_pb2.ModelVersion) -> ModelVersion:
        """Return the fitted version."""
        return ModelVersion.of(response)


class EvaluationOperation(Operation[EvaluationReport]):
    """An evaluation: ends in its report."""

    __slots__ = ()
    what = "evaluation"
    told = models_pb2.EvaluateModelMetadata
    response = evaluation_pb2.EvaluationReport

    def value_of(self, response: evaluation_pb2.EvaluationReport) -> EvaluationReport:
        """Return the report."""
        return EvaluationReport.of(response)


class ExplanationOperation(Operation[BulkExplanation]):
    """A bulk explanation: ends in its answer and overview."""

    __slots__ = ()
    what = "explanation"
    told = detection_pb2.BulkExplainMetadata
    response = detection_pb2.BulkExplainResponse

    def value_of(self, response: detection_pb2.BulkExplainResponse) -> BulkExplanation:
        """Return the answer and overview."""
        return BulkExplanation.of(response)


AnyOperation = FitOperation | EvaluationOperation | ExplanationOperation


def operation_of(message: operations_pb2.Operation, connection: Connection) -> AnyOperation:
    """Return the handle of a message, of the kind that its metadata says."""
    for kind in (EvaluationOperation, ExplanationOperation):
        if message.metadata.Is(kind.told.DESCRIPTOR):
            return kind.of(message, connection)
    return FitOperation.of(message, connection)
