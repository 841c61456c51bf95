"""The second half of the demo: water flow, hour by hour: what, when, and since when."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from clarion.arrays import FloatArray, Int64Array
from clarion.cli.demo.data import between
from clarion.cli.files import message
from clarion.cli.scoring import Scored, score_all
from clarion.frames import Frame
from clarion_client import Client, Explain, Explanation, ModelVersion, PipelineSpec, Step

QUIET = ("2022-04-04T00:00", "2022-04-27T00:00")
"""Three weeks without one of the four segments that river's documentation names."""

SPEC = PipelineSpec(
    detector="mahalanobis",
    features=(Step("window_statistics", {"window": 6}),),
    false_alarm_rate=0.01,
    ordered=True,
)
HOURS_A_FRAME = 24


@dataclass(frozen=True, slots=True, eq=False)
class Event:
    """An unbroken run of anomalous hours: its first and last, and the strangest one explained."""

    first: np.datetime64
    last: np.datetime64
    hours: int
    lowest: float
    highest: float
    peak: Explanation


@dataclass(frozen=True, slots=True, eq=False)
class WaterResult:
    """What came of it; ``flow`` in l/s and ``stamps`` in nanoseconds UTC, one a scored hour."""

    version: ModelVersion
    scored: Scored
    stamps: Int64Array
    flow: FloatArray
    fitted: tuple[int, int]
    events: tuple[Event, ...]


def run(client: Client, frame: Frame) -> WaterResult:
    """Fit on the quiet weeks, then send the whole recording in time, a day at once."""
    quiet = between(frame, *QUIET)
    version = client.fit("water-flow", message(quiet), SPEC)
    how = Explain(view="full")
    scored = score_all(client, version.name, frame, how, rows_a_frame=HOURS_A_FRAME)
    if frame.time is None or quiet.time is None:
        raise ValueError("the water flow has no times")
    stamps = frame.time[scored.rows]
    flow = frame.numeric()[scored.rows, 0]
    fitted = (int(quiet.time[0]), int(quiet.time[-1]))
    return WaterResult(version, scored, stamps, flow, fitted, _events(scored, stamps, flow))


def _events(scored: Scored, stamps: Int64Array, flow: FloatArray) -> tuple[Event, ...]:
    """Return the runs of anomalous hours, as the server told them: by ``since_time``."""
    runs: dict[np.datetime64, list[Explanation]] = {}
    for explanation in scored.explanations:
        if explanation.since_time is not None:
            runs.setdefault(explanation.since_time, []).append(explanation)
    place = {int(row): i for i, row in enumerate(scored.rows)}
    out = []
    for first, members in runs.items():
        at = [place[e.row] for e in members]
        peak = max(members, key=lambda e: e.score)
        last = np.datetime64(int(stamps[at[-1]]), "ns")
        hours = members[-1].run_count
        out.append(Event(first, last, hours, float(flow[at].min()), float(flow[at].max()), peak))
    return tuple(out)
