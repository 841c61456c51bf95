"""DetectionService: scores and reasons."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import aclosing, contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

from google.longrunning import operations_pb2

from clarion.errors import InvalidParameterError, LimitExceededError
from clarion.frames import Frame
from clarion.pipeline.answer import ExplanationPolicy
from clarion.pipeline.memory import Memory
from clarion.server.convert.confidence import rules_from_proto
from clarion.server.convert.frames import frame_from_proto
from clarion.server.convert.operations import operation_to_proto
from clarion.server.convert.policies import chosen_rows, edited, policy_from_proto
from clarion.server.explanations import DEFAULT_PERIODS, BulkOrder, bulk_explanation
from clarion.server.interceptors.calls import Context
from clarion.server.interceptors.gate import draining
from clarion.server.loaded import Loaded
from clarion.server.services import Services
from clarion.server.task import Reply, Task
from clarion.server.tenancy import tenant_of
from clarion.store.operations import Operation, OperationKind
from clarion_api.v1 import detection_pb2 as pb
from clarion_api.v1 import frame_pb2
from clarion_api.v1.detection_pb2_grpc import DetectionServiceServicer


class DetectionServicer(DetectionServiceServicer):
    """Scores and explains; replies come serialised from where they were made."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._streams = 0

    async def Score(self, request: pb.ScoreRequest, context: Context) -> Any:
        """Score a batch of rows, each window within the batch."""
        loaded = await self._services.models.get(tenant_of(context), request.model)
        frame = await self._frame(request.frame, loaded)
        policy = policy_from_proto(request.policy)
        task = Task(Reply.SCORE, frame, policy, _rate(request), request.allow_extrapolated)
        return (await self._services.scoring.perform(loaded, task)).reply

    async def Explain(self, request: pb.ExplainRequest, context: Context) -> Any:
        """Explain the chosen rows, with edits made before."""
        loaded = await self._services.models.get(tenant_of(context), request.model)
        frame, policy = await self._to_explain(request, loaded)
        task = Task(Reply.EXPLAIN, frame, policy, _rate(request), request.allow_extrapolated)
        return (await self._services.scoring.perform(loaded, task)).reply

    async def BulkExplain(
        self, request: pb.BulkExplainRequest, context: Context
    ) -> operations_pb2.Operation:
        """Start a bulk explanation and return its operation at once."""
        tenant, starts = tenant_of(context), self._services.starts
        begin = partial(self._begun_explanation, tenant, request)
        return operation_to_proto(
            await starts.once(tenant, request.request_id, OperationKind.EXPLANATION, begin)
        )

    async def ScoreStream(
        self, request_iterator: AsyncIterator[pb.ScoreStreamRequest], context: Context
    ) -> AsyncIterator[Any]:
        """Score frames as they come, by the version that the first message pinned."""
        with self._stream():
            async with aclosing(self._until_drained(request_iterator)) as requests:
                first = await anext(requests, None)
                if first is None:
                    return
                opening = _opening(first)
                loaded = await self._services.models.get(tenant_of(context), opening.model)
                blank = _StreamTask(opening)
                memory = Memory(most=self._services.max_stream_assets)
                async for request in requests:
                    sent = blank.checked(request)
                    frame = await self._frame(sent.frame, loaded, "frame.frame")
                    task = blank.task(sent.sequence, frame, memory)
                    done = await self._services.scoring.perform(loaded, task)
                    memory = done.memory
                    yield done.reply

    async def _begun_explanation(self, tenant: str, request: pb.BulkExplainRequest) -> Operation:
        services, asked = self._services, request.explain
        model = await services.models.get(tenant, asked.model)
        frame, policy = await self._to_explain(asked, model, "explain.")
        periods = request.period_count if request.HasField("period_count") else DEFAULT_PERIODS
        most = services.max_message_bytes
        rate, extrapolate = _rate(asked), asked.allow_extrapolated
        order = BulkOrder(model, frame, policy, rate, extrapolate, periods, most)
        await services.offload(order.check)
        operation, _ = await services.offload(
            services.operations.create,
            tenant,
            model.ref.model,
            request.request_id,
            OperationKind.EXPLANATION,
        )
        services.jobs.start(operation, bulk_explanation(order))
        return operation

    async def _to_explain(
        self, request: pb.ExplainRequest, loaded: Loaded, path: str = ""
    ) -> tuple[Frame, ExplanationPolicy]:
        """Return the frame, edits made, and a policy that names the rows."""
        frame = await self._frame(request.frame, loaded, f"{path}frame")
        rows = chosen_rows(request.rows, frame)
        frame = await self._services.offload_large(edited, frame, request.edits)
        return frame, replace(policy_from_proto(request.policy), rows=rows)

    async def _frame(self, message: frame_pb2.Frame, loaded: Loaded, path: str = "frame") -> Frame:
        return await self._services.offload_large(
            frame_from_proto,
            message,
            path=path,
            limits=self._services.frame_limits,
            fitted=loaded.pipeline.signals,
        )

    @contextmanager
    def _stream(self) -> Iterator[None]:
        if self._streams >= self._services.max_streams:
            raise LimitExceededError(
                f"{self._streams} streams are open, the most this server takes; close one",
                limit=self._services.max_streams,
            )
        self._streams += 1
        try:
            yield
        finally:
            self._streams -= 1

    async def _until_drained(
        self, requests: AsyncIterator[pb.ScoreStreamRequest]
    ) -> AsyncGenerator[pb.ScoreStreamRequest, None]:
        """Yield the requests; once the server drains, raise instead of waiting for another."""
        stop = asyncio.ensure_future(self._services.gate.draining.wait())
        try:
            while True:
                upcoming = asyncio.ensure_future(anext(requests, None))
                try:
                    await asyncio.wait((upcoming, stop), return_when=asyncio.FIRST_COMPLETED)
                    if stop.done():
                        raise draining()
                    request = upcoming.result()
                finally:
                    upcoming.cancel()
                if request is None:
                    return
                yield request
        finally:
            stop.cancel()


class _StreamTask:
    """What all tasks of a stream have in common."""

    def __init__(self, opening: pb.StreamOpening) -> None:
        self._policy = policy_from_proto(opening.policy)
        self._rate = _rate(opening)
        self._allow_extrapolated = opening.allow_extrapolated
        self._stream = opening.stream_id
        self._rules = rules_from_proto(opening)
        self._sequence = -1

    def checked(self, request: pb.ScoreStreamRequest) -> pb.StreamFrame:
        """Return the frame sent.

        Raises
        ------
        InvalidParameterError
            It is another opening, or its number does not rise.
        """
        if request.WhichOneof("message") != "frame":
            raise InvalidParameterError("a stream is opened once", field="opening")
        if request.frame.sequence <= self._sequence:
            raise InvalidParameterError(
                f"sequence {request.frame.sequence} follows {self._sequence}; it must rise",
                field="frame.sequence",
            )
        self._sequence = request.frame.sequence
        return request.frame

    def task(self, sequence: int, frame: Frame, memory: Memory | None) -> Task:
        """Return the task of one frame."""
        return Task(
            Reply.STREAM,
            frame,
            self._policy,
            self._rate,
            self._allow_extrapolated,
            memory=memory,
            stream=self._stream,
            sequence=sequence,
            rules=self._rules,
        )


def _opening(request: pb.ScoreStreamRequest) -> pb.StreamOpening:
    if request.WhichOneof("message") != "opening":
        raise InvalidParameterError("the first message of a stream must open it", field="opening")
    return request.opening


def _rate(request: pb.ScoreRequest | pb.ExplainRequest | pb.StreamOpening) -> float | None:
    return request.false_alarm_rate if request.HasField("false_alarm_rate") else None
