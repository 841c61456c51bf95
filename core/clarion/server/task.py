"""One piece of work on one frame: the same function inline, in a thread and in a process."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from clarion.frames import Frame
from clarion.pipeline.answer import ExplanationPolicy
from clarion.pipeline.confidence import StreamRules
from clarion.pipeline.memory import Memory
from clarion.pipeline.run import FittedPipeline
from clarion.server.convert.answers import Response, fill
from clarion.server.convert.confidence import put_confidence
from clarion.server.convert.silence import put_silence
from clarion_api.v1 import detection_pb2 as pb


class Reply(StrEnum):
    """Which message answers."""

    SCORE = "score"
    STREAM = "stream"
    EXPLAIN = "explain"


_MESSAGES: dict[Reply, type[Response]] = {
    Reply.SCORE: pb.ScoreResponse,
    Reply.STREAM: pb.ScoreStreamResponse,
    Reply.EXPLAIN: pb.ExplainResponse,
}


@dataclass(frozen=True, slots=True)
class Task:
    """What is asked of a model, as plain data.

    Attributes
    ----------
    memory, stream, sequence, rules
        For a frame of a stream: what it remembers, its name, the frame's number, and how it is judged.
    """

    reply: Reply
    frame: Frame
    policy: ExplanationPolicy
    false_alarm_rate: float | None = None
    allow_extrapolated: bool = False
    memory: Memory | None = None
    stream: str = ""
    sequence: int = 0
    rules: StreamRules | None = None


@dataclass(frozen=True, slots=True)
class Done:
    """The serialised reply, what the stream remembers after it, and how it came about.

    ``cached`` is how many of its rows had been explained before.
    """

    reply: bytes
    memory: Memory
    anomalies: int
    seconds: float
    pid: int
    cached: int = 0


def perform(
    pipeline: FittedPipeline,
    version: str,
    task: Task,
    cancelled: Callable[[], bool] = lambda: False,
) -> Done:
    """Answer ``task`` by ``pipeline``, the model version ``version``.

    Raises
    ------
    OperationCancelledError
        ``cancelled`` said so while rows were explained.
    """
    begun = time.perf_counter()
    answer, memory = pipeline.run(
        task.frame,
        task.policy,
        false_alarm_rate=task.false_alarm_rate,
        allow_extrapolated=task.allow_extrapolated,
        memory=task.memory,
        stream=task.stream,
        rules=task.rules,
        cancelled=cancelled,
    )
    message = _MESSAGES[task.reply]()
    if isinstance(message, pb.ScoreStreamResponse):
        message.sequence = task.sequence
        message.forgotten_asset_count = memory.forgotten
        if answer.silence is not None:
            put_silence(message, answer.silence)
        if answer.stream is not None:
            put_confidence(message.confidence, answer.stream)
    fill(message, answer, pipeline, version)
    reply = message.SerializeToString()
    seconds = time.perf_counter() - begun
    return Done(
        reply, memory, int(answer.anomalous.sum()), seconds, os.getpid(), answer.hits.cached
    )
