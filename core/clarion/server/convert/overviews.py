"""What many rows' reasons have in common, onto the wire."""

from __future__ import annotations

from clarion.explaining.overview import Overview, Period
from clarion.frames import Frame
from clarion.pipeline.answer import Answer
from clarion.server.convert.answers import timestamp
from clarion_api.v1 import detection_pb2 as pb


def overview_to_proto(
    out: pb.ExplanationOverview, overview: Overview, answer: Answer, frame: Frame
) -> None:
    """Put the overview of ``answer``, which was given for ``frame``, into ``out``."""
    names = [player.name for player in answer.players] or list(answer.signals)
    out.row_count = overview.rows
    for name, size, mean in zip(names, overview.sizes, overview.contributions, strict=True):
        out.players.add(player=name, mean_size=size, mean_contribution=mean)
    for period in overview.periods:
        _put_period(out.periods.add(), period, answer, frame)
    for pair in overview.pairs:
        out.pairs.add(first=names[pair.first], second=names[pair.second], mean_size=pair.size)


def _put_period(out: pb.ExplanationPeriod, period: Period, answer: Answer, frame: Frame) -> None:
    start, stop = period.rows
    rows = answer.source_rows[answer.explained]
    first = int(rows[start])
    out.first_row, out.last_row, out.row_count = first, int(rows[stop - 1]), stop - start
    if frame.time is not None:
        out.start_time.CopyFrom(timestamp(int(frame.time[first])))
    out.mean_sizes.extend(period.sizes.tolist())
    out.drifts.extend(period.drift.tolist())
    out.drift_p_values.extend(period.drift_p_values.tolist())
