"""Explanations of anomalies put into normal rows: the sick signals are known, for they were made so."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from clarion.arrays import BoolArray, Int64Array
from clarion.errors import InvalidFrameError, TooFewRowsError
from clarion.evaluation.explanations.located import explained, hits, ranking_scores
from clarion.evaluation.figures import Labelled
from clarion.evaluation.injection import Injected, inject, suite
from clarion.evaluation.injectors import Injector
from clarion.evaluation.ranking_metrics import Hits
from clarion.features import rows_by_asset
from clarion.frames import Frame
from clarion.pipeline.answer import Answer
from clarion.pipeline.run import FittedPipeline

CLEAN_ROWS = 1000
"""Normal rows that anomalies are injected into, at most."""
_CHANCES = 20
"""Random rankings a segment: there are few segments of some kinds."""
_EXPLAINED = 4
"""Rows explained of each injected segment, spread evenly, the last one among them."""


@dataclass(frozen=True, slots=True)
class InjectedFigures:
    """What became of one kind of injected anomaly, over all amplitudes and numbers of signals.

    Attributes
    ----------
    kind
        The injector's name.
    segments
        Anomalies injected.
    hits, random_hits
        Of the signal ranking, by segment; ``random_hits`` what a random ranking gets.
    noticed_share
        Share of the segments that raised an alarm, in [0, 1].
    onset_error_rows
        Median, over the segments noticed, of the rows from the true start to the first alarm.
    false_culprit_share
        Share of the culprits named in noticed segments that had nothing done to them, in [0, 1].
    """

    kind: str
    segments: int
    hits: Hits
    random_hits: Hits
    noticed_share: float
    onset_error_rows: float
    false_culprit_share: float


def injected(
    pipeline: FittedPipeline,
    truth: Labelled,
    rng: np.random.Generator,
    progress: Callable[[float], None] = lambda share: None,
) -> tuple[InjectedFigures, ...]:
    """Inject the suite into normal rows of ``truth``, and judge what is said of the segments.

    Kinds that find no room, or no signal to be done to, are left out.
    """
    clean = _clean(truth)
    kinds = list(Injector)
    found = []
    for place, kind in enumerate(kinds):
        progress(place / len(kinds))
        trials = list(_trials(clean, kind, rng, ordered=truth.ordered))
        if trials:
            found.append(_judged(pipeline, kind, trials, rng))
    return tuple(found)


def _clean(truth: Labelled) -> Frame:
    """Return normal rows: of each asset the longest unbroken run, up to `CLEAN_ROWS` in all."""
    kept, left = [], CLEAN_ROWS
    for rows in rows_by_asset(truth.frame):
        normal = ~truth.labels[rows]
        run = rows[_longest_run(normal)] if truth.ordered else rows[normal]
        kept.append(run[:left])
        left -= len(kept[-1])
    return truth.frame.take(np.sort(np.concatenate(kept)))


def _longest_run(flags: BoolArray) -> slice:
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]])))
    starts, ends = edges[::2], edges[1::2]
    if not len(starts):
        return slice(0, 0)
    longest = int(np.argmax(ends - starts))
    return slice(int(starts[longest]), int(ends[longest]))


def _trials(
    clean: Frame, kind: Injector, rng: np.random.Generator, *, ordered: bool
) -> Iterator[Injected]:
    for case in suite(len(clean.of_kind(numeric=True)), ordered=ordered):
        if case.injector is kind:
            try:
                yield inject(clean, case, rng=rng, ordered=ordered)
            except (InvalidFrameError, TooFewRowsError):
                continue  # no room, or too few signals that move


def _judged(
    pipeline: FittedPipeline, kind: Injector, trials: Sequence[Injected], rng: np.random.Generator
) -> InjectedFigures:
    ranked, by_chance, noticed, delays, named = [], [], [], [], []
    for trial in trials:
        answer = _explained(pipeline, trial)
        alarmed = _alarms(answer, len(trial.frame))
        scores = ranking_scores(pipeline, answer)
        for segment in trial.segments:
            seen = [scores[row] for row in segment.rows.tolist() if row in scores]
            if not seen:
                continue  # without the history to be scored
            truth = frozenset(segment.signals)
            ranked.append((np.max(seen, axis=0), truth))
            by_chance += [(row, truth) for row in rng.random((_CHANCES, len(pipeline.signals)))]
            alarms = np.flatnonzero(alarmed[segment.rows])
            noticed.append(len(alarms) > 0)
            delays += alarms[:1].tolist()
            named += _wrongly(answer, segment.rows, truth)
    names = [signal.name for signal in pipeline.signals]
    return InjectedFigures(
        kind=kind.value,
        segments=len(ranked),
        hits=hits(names, ranked),
        random_hits=hits(names, by_chance),
        noticed_share=_mean(noticed),
        onset_error_rows=float(np.median(delays)) if delays else float("nan"),
        false_culprit_share=_mean(named),
    )


def _explained(pipeline: FittedPipeline, trial: Injected) -> Answer:
    """Explain some rows of each segment: those that have a score."""
    places = [np.linspace(0, len(s.rows) - 1, _EXPLAINED).astype(int) for s in trial.segments]
    rows = [s.rows[place] for s, place in zip(trial.segments, places, strict=True)]
    return explained(pipeline, trial.frame, np.unique(np.concatenate(rows)))


def _alarms(answer: Answer, rows: int) -> Int64Array:
    alarms = np.zeros(rows, np.int64)
    alarms[answer.source_rows] = answer.anomalous
    return alarms


def _wrongly(answer: Answer, rows: Int64Array, truth: frozenset[str]) -> list[bool]:
    """Return, for each culprit named in ``rows``, whether nothing was done to it."""
    within = set(rows.tolist())
    records = (record for record in answer.explanations if record.row in within)
    return [culprit.signal not in truth for record in records for culprit in record.culprits]


def _mean(values: Sequence[bool]) -> float:
    return float(np.mean(values)) if values else float("nan")
