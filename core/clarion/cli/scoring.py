"""Scoring many rows: cut into frames, streamed, put together again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from clarion.arrays import BoolArray, FloatArray, Int64Array
from clarion.cli.files import message

if TYPE_CHECKING:
    from clarion.frames import Frame
    from clarion_client import Client, Explain, Explanation, ScoreResult

ROWS_A_FRAME = 2000


@dataclass(frozen=True, slots=True, eq=False)
class Scored:
    """The answers to all rows of a file, in its row numbers.

    Attributes
    ----------
    rows
        Shape ``(n,)``: the row that each score stands for.
    scores, p_values, anomalous, extrapolated
        Shape ``(n,)``.
    explanations
        A record for each explained row.
    additivity_error
        The largest, over all explained rows, as DESIGN 1 scales it; 0 without any.
    exact_rows
        How many rows have an explanation labelled ``exact``.
    """

    model_version: str
    threshold: float
    false_alarm_rate: float
    rows: Int64Array
    scores: FloatArray
    p_values: FloatArray
    anomalous: BoolArray
    extrapolated: BoolArray
    explanations: tuple[Explanation, ...]
    additivity_error: float
    exact_rows: int


def score_all(
    client: Client,
    model: str,
    frame: Frame,
    explain: Explain | str,
    *,
    rate: float | None = None,
    allow_extrapolated: bool = False,
    rows_a_frame: int = ROWS_A_FRAME,
    told: Callable[[int], None] = lambda rows: None,
) -> Scored:
    """Stream ``frame`` through a model; ``told`` is called with the rows answered so far.

    Raises
    ------
    ClarionError
        The first frame that the server refused.
    """
    starts = range(0, len(frame), rows_a_frame)
    frames = (message(frame.take(slice(start, start + rows_a_frame)), start) for start in starts)
    streamed = client.score_stream(
        model,
        frames,
        explain=explain,
        false_alarm_rate=rate,
        allow_extrapolated=allow_extrapolated,
    )
    results = []
    for start, result in zip(starts, streamed, strict=True):
        results.append(_shifted(result, start))
        told(min(start + rows_a_frame, len(frame)))
    return _together(results)


def _shifted(result: ScoreResult, start: int) -> ScoreResult:
    """Return a frame's result in the row numbers of the whole."""
    moved = tuple(replace(e, row=e.row + start) for e in result.explanations)
    return replace(result, source_rows=result.source_rows + start, explanations=moved)


def _together(results: list[ScoreResult]) -> Scored:
    explained = [r.attributions for r in results if r.attributions is not None]
    errors = np.concatenate([np.zeros(1), *(a.additivity_errors for a in explained)])
    last = results[-1]
    return Scored(
        last.model_version,
        last.threshold,
        last.false_alarm_rate,
        np.concatenate([r.source_rows for r in results]),
        np.concatenate([r.scores for r in results]),
        np.concatenate([r.p_values for r in results]),
        np.concatenate([r.anomalous for r in results]),
        np.concatenate([r.extrapolated for r in results]),
        tuple(e for r in results for e in r.explanations),
        float(errors.max()),
        sum(len(a.rows) for a in explained if a.label == "exact"),
    )
