"""Signal rankings against the signals that somebody who knows has blamed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from clarion.arrays import FloatArray, Int64Array
from clarion.errors import InvalidParameterError
from clarion.evaluation.figures import Labelled
from clarion.evaluation.ranking_metrics import Hits
from clarion.frames import Frame
from clarion.inputs import robust_scale, scaled
from clarion.pipeline.answer import Answer, ExplanationPolicy
from clarion.pipeline.run import FittedPipeline

MOST_ROWS = 2000
"""Rows explained for all blamed segments together, spread evenly within each."""
Ranked = tuple[FloatArray, frozenset[str]]
"""Ranking scores, one a signal, and the sick signals."""


@dataclass(frozen=True, slots=True, eq=False)
class Blame:
    """Rows ``first`` up to, and without, ``behind``, in which ``signals`` were sick."""

    first: int
    behind: int
    signals: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Located:
    """What one ranking is worth: ``by_segment`` (largest value in it counts) and ``by_row``."""

    name: str
    segments: int
    rows: int
    by_segment: Hits
    by_row: Hits


def located(
    pipeline: FittedPipeline, truth: Labelled, blames: Sequence[Blame], rng: np.random.Generator
) -> tuple[Located, ...]:
    """Judge the model's ``signal_ranking``, |z| and a random ranking; empty without ``blames``.

    Raises
    ------
    InvalidParameterError
        A blame has rows outside the frame, or a signal that the model does not know.
    """
    names = [signal.name for signal in pipeline.signals]
    check_blames(blames, names, len(truth.frame))
    if not blames:
        return ()
    share = min(1.0, MOST_ROWS / sum(blame.behind - blame.first for blame in blames))
    parts = [_spread(blame, share) for blame in blames]
    answer = explained(pipeline, truth.frame, np.concatenate(parts))
    model = ranking_scores(pipeline, answer)
    raw = np.unique([row for part in parts for row in part.tolist()])
    z = dict(zip(raw.tolist(), z_scores(pipeline, truth.frame.take(raw)), strict=True))
    chance = dict(zip(raw.tolist(), rng.random((len(raw), len(names))), strict=True))
    rankings = {"signal_ranking": model, "zscore": z, "random": chance}
    kept = [[row for row in part.tolist() if row in model] for part in parts]
    return tuple(
        _judged(name, names, scores, kept, [frozenset(blame.signals) for blame in blames])
        for name, scores in rankings.items()
    )


def check_blames(blames: Sequence[Blame], names: Sequence[str], rows: int) -> None:
    """Refuse blames of rows outside a frame of so many, or of signals not in ``names``.

    Raises
    ------
    InvalidParameterError
        One does; it is named.
    """
    known = set(names)
    for place, blame in enumerate(blames):
        unknown = [signal for signal in blame.signals if signal not in known]
        if not 0 <= blame.first < blame.behind <= rows:
            raise InvalidParameterError(
                f"rows {blame.first} to {blame.behind - 1} are not within the frame's {rows} rows, "
                "counted from 0",
                field=f"blames[{place}]",
            )
        if unknown or not blame.signals:
            what = f"the model has no signal '{unknown[0]}'" if unknown else "no signal is blamed"
            raise InvalidParameterError(
                f"{what}; it has {', '.join(names[:20])}", field=f"blames[{place}].signals"
            )


def explained(pipeline: FittedPipeline, frame: Frame, rows: Int64Array) -> Answer:
    """Return the answer that explains those of ``rows`` which have a score."""
    silent, _ = pipeline.run(frame, ExplanationPolicy(rows=()))
    able = np.intersect1d(rows, silent.source_rows)
    return pipeline.run(frame, ExplanationPolicy(rows=tuple(able.tolist())))[0]


def ranking_scores(pipeline: FittedPipeline, answer: Answer) -> dict[int, FloatArray]:
    """Return the ranking score of each signal, in the model's order, for each row explained."""
    place = {signal.name: i for i, signal in enumerate(pipeline.signals)}
    found = {}
    for record in answer.explanations:
        scores = np.zeros(len(place))
        for reason in record.signal_ranking:
            scores[place[reason.signal]] = reason.ranking_score
        found[record.row] = scores
    return found


def z_scores(pipeline: FittedPipeline, frame: Frame) -> FloatArray:
    """Return |z| of each raw signal against the background, ``(n, n_signals)``; 0 where no number."""
    normal = pipeline.background.last
    center, scale = robust_scale(np.nan_to_num(normal.values.astype(np.float64)))
    rows = frame.aligned_to([signal.name for signal in pipeline.signals])
    z = np.abs(np.nan_to_num(scaled(rows.values.astype(np.float64), center, scale)))
    out, numeric = np.zeros((len(frame), len(pipeline.signals))), normal.of_kind(numeric=True)
    out[:, [signal in numeric for signal in normal.signals]] = z
    return out


def hits(names: Sequence[str], ranked: Sequence[Ranked]) -> Hits:
    """Return the mean worth of rankings of the signals called ``names``."""
    return Hits.mean(
        Hits.of(scores, np.array([name in sick for name in names])) for scores, sick in ranked
    )


def _judged(
    name: str,
    names: Sequence[str],
    scores: Mapping[int, FloatArray],
    parts: Sequence[Sequence[int]],
    sick: Sequence[frozenset[str]],
) -> Located:
    pairs = [(part, signals) for part, signals in zip(parts, sick, strict=True) if part]
    by_row = [(scores[row], signals) for part, signals in pairs for row in part]
    by_segment = [
        (np.max([scores[row] for row in part], axis=0), signals) for part, signals in pairs
    ]
    return Located(name, len(pairs), len(by_row), hits(names, by_segment), hits(names, by_row))


def _spread(blame: Blame, share: float) -> Int64Array:
    rows = blame.behind - blame.first
    wanted = max(1, round(share * rows))
    return blame.first + np.unique(np.linspace(0, rows - 1, wanted).astype(np.int64))
