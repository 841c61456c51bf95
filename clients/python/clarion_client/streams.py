"""Scoring as rows come: frames go out while answers come in, at most ``window`` of them apart."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from threading import Semaphore

from clarion_api.v1 import detection_pb2, frame_pb2
from clarion_client.connection import Connection
from clarion_client.results import ScoreResult


class FrameSender:
    """The requests of one stream, drawn by gRPC's own thread; an iterator.

    Parameters
    ----------
    opening
        The first message.
    frames
        Frames to send; what it raises ends the requests, and is kept in ``failure``.
    window
        Frames that may be unanswered at a time.
    """

    def __init__(
        self,
        opening: detection_pb2.StreamOpening,
        frames: Iterable[frame_pb2.Frame],
        window: int,
    ) -> None:
        self.failure: BaseException | None = None
        self._requests = self._drawn(opening, frames)
        self._free = Semaphore(window)
        self._closed = False

    def __iter__(self) -> Iterator[detection_pb2.ScoreStreamRequest]:
        return self

    def __next__(self) -> detection_pb2.ScoreStreamRequest:
        try:
            return next(self._requests)
        except StopIteration:
            raise
        except BaseException as error:
            self.failure = error
            raise StopIteration from error

    def answered(self) -> None:
        """Let one more frame go out."""
        self._free.release()

    def close(self) -> None:
        """Let the drawing thread end."""
        self._closed = True
        self._free.release()

    def _drawn(
        self, opening: detection_pb2.StreamOpening, frames: Iterable[frame_pb2.Frame]
    ) -> Iterator[detection_pb2.ScoreStreamRequest]:
        yield detection_pb2.ScoreStreamRequest(opening=opening)
        for sequence, frame in enumerate(frames):
            self._free.acquire()
            if self._closed:
                return
            sent = detection_pb2.StreamFrame(sequence=sequence, frame=frame)
            yield detection_pb2.ScoreStreamRequest(frame=sent)


def score_stream(
    connection: Connection,
    opening: detection_pb2.StreamOpening,
    frames: Iterable[frame_pb2.Frame],
    window: int,
    timeout_s: float,
) -> Iterator[ScoreResult]:
    """Yield one result a frame, in order; closing the iterator ends the stream.

    What ``frames`` raises is raised here, after the answers to the frames before it.
    """
    sender = FrameSender(opening, frames, window)
    with connection.typed_errors():
        call = connection.stubs.detection.ScoreStream(iter(sender), timeout=timeout_s)
    try:
        with connection.typed_errors():
            for response in call:
                sender.answered()
                yield ScoreResult.of(response)
        if sender.failure is not None:
            raise sender.failure
    finally:
        sender.close()
        call.cancel()
