"""Silent assets into messages."""

from __future__ import annotations

from clarion.pipeline.silence import Silence
from clarion.server.convert.answers import timestamp
from clarion_api.v1 import detection_pb2 as pb


def put_silence(message: pb.ScoreStreamResponse, silence: Silence) -> None:
    """Tell in a stream's reply who fell silent or came back, and how its clock fared."""
    message.clock_jump_count = silence.jumps
    message.doubted_time_count = silence.doubted
    for one in silence.told:
        message.silent_assets.add(
            asset=one.asset,
            last_seen_time=timestamp(one.last_seen),
            silent_seconds=one.silent_seconds,
            expected_seconds=one.expected_seconds,
            bound_seconds=one.bound_seconds,
            p_value=one.p_value,
            returned=one.returned,
            summary=one.summary,
        )
