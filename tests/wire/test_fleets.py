"""Assets that come and go on one stream of a real server."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from clarion_api.v1 import detection_pb2 as pb
from clarion_api.v1 import frame_pb2
from clarion_client.results import ScoreResult

START = 1_700_000_000


def of_assets(wire: Any, seconds: list[int], names: list[str], asset: list[int]) -> frame_pb2.Frame:
    frame: frame_pb2.Frame = wire.matrix(wire.normal_rows(len(seconds)))
    frame.event_times = ((np.array(seconds, "<i8") + START) * 10**9).astype("<i8").tobytes()
    for name in names:
        frame.assets.add(name=name)
    frame.asset_indices = np.array(asset, "<i4").tobytes()
    return frame


def answers(server: Any, model: str, frames: list[frame_pb2.Frame]) -> list[ScoreResult]:
    def requests() -> Iterator[pb.ScoreStreamRequest]:
        yield pb.ScoreStreamRequest(opening=pb.StreamOpening(model=f"models/{model}"))
        for number, frame in enumerate(frames):
            yield pb.ScoreStreamRequest(frame=pb.StreamFrame(sequence=number, frame=frame))

    return list(map(ScoreResult.of, server.detection.ScoreStream(requests(), timeout=60)))


def test_a_stream_tells_who_fell_silent_and_who_is_back(server: Any, wire: Any) -> None:
    seconds = [30 * row for row in range(500)]
    frame = of_assets(wire, seconds, ["p", "q"], [row % 2 for row in range(500)])
    server.fit("watched", frame=frame, detector="zscore")
    names = ["p", "q"]
    told = answers(
        server,
        "watched",
        [
            of_assets(wire, [0, 0], names, [0, 1]),
            of_assets(wire, [130], names, [1]),
            of_assets(wire, [150], names, [0]),
            of_assets(wire, [10**8], names, [0]),
        ],
    )
    assert [[(one.asset, one.returned) for one in each.silent_assets] for each in told] == [
        [],
        [("p", False)],
        [("p", True)],
        [],
    ]
    (fell,) = told[1].silent_assets
    assert fell.last_seen_time == np.datetime64(START, "s")
    assert (fell.silent_seconds, fell.expected_seconds, fell.bound_seconds) == (130, 60, 120)
    assert "Asset p has been silent for 130 s" in fell.summary
    assert [each.clock_jump_count for each in told] == [0, 0, 0, 1]


def test_the_assets_that_a_stream_remembers_are_the_operator_s_to_bound(
    start_server: Any, server: Any, wire: Any
) -> None:
    small = start_server(models_of=server, max_stream_assets=2)
    frames = [of_assets(wire, [row], [f"m{row}"], [0]) for row in range(5)]
    told = answers(small, "pump", frames)
    assert [each.forgotten_asset_count for each in told] == [0, 0, 1, 2, 3]
