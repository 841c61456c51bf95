"""How a pipeline is judged: fit on training rows, threshold from them alone, scored in time order."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from clarion.arrays import BoolArray, FloatArray
from clarion.errors import InvalidFrameError
from clarion.evaluation.baselines import Baseline, baselines
from clarion.evaluation.figures import Figures, Labelled
from clarion.evaluation.identifiers import without_identifiers
from clarion.evaluation.reliability import Promised, Reliability
from clarion.evaluation.report import Latency, Report, Row
from clarion.features import rows_by_asset
from clarion.frames import Frame
from clarion.pipeline.answer import ExplainedRows, ExplanationPolicy
from clarion.pipeline.fit import fit
from clarion.pipeline.memory import Memory
from clarion.pipeline.run import FittedPipeline
from clarion.pipeline.spec import PipelineSpec
from clarion.registry import Registries

BATCH_ROWS = 1000
WARM_UP_ROWS = 1000
"""Last training rows of each asset that fill a stream's memory before the first row is judged."""
_SILENT = ExplanationPolicy(rows=ExplainedRows.NONE)
_SHARE_OF_SCORING = 0.7
"""The rest of the progress is working out the figures."""
Progress = Callable[[float, str], None]
"""Told the share done, in [0, 1], and what is being done; what it raises ends the work."""


def _unheard(share: float, stage: str) -> None:
    pass


@dataclass(frozen=True, slots=True, eq=False)
class Scores:
    """What a pipeline said of a frame.

    Attributes
    ----------
    scores, alarms
        Shape ``(n,)``. A row without a score (it lacks the history) raises no alarm, and stands
        below all others.
    p_values
        Shape ``(n,)``; NaN where a row has no score.
    unscored
        How many rows those are.
    seconds
        Shape ``(m,)``: what each batch took.
    """

    scores: FloatArray
    alarms: BoolArray
    p_values: FloatArray
    unscored: int
    seconds: FloatArray


def judge(
    spec: PipelineSpec,
    train: Frame,
    test: Labelled,
    *,
    registries: Registries,
    train_labels: BoolArray | None = None,
    continues: bool = False,
) -> Report:
    """Fit ``spec`` on ``train`` and judge it on ``test``, beside three trivial baselines.

    Addresses, ports and identifiers are no features: they are left out, and the report names them.

    Parameters
    ----------
    train_labels
        Shape ``(n,)``: True where a training row is known to be anomalous. All False where the
        rows are known to be normal; None where nobody has looked.
    continues
        Whether ``test`` follows upon ``train``, so that its first rows have a history.

    Raises
    ------
    InvalidFrameError, InvalidParameterError, TooFewRowsError, PluginError
        As `clarion.pipeline.fit.fit` does.
    """
    train, dropped = without_identifiers(train)
    test = replace(test, frame=without_identifiers(test.frame)[0])
    pipeline = fit(spec, train, train_labels, registries=registries)
    report = judge_fitted(pipeline, train, test, train_labels=train_labels, continues=continues)
    return replace(report, dropped=dropped)


def judge_fitted(
    pipeline: FittedPipeline,
    train: Frame,
    test: Labelled,
    *,
    train_labels: BoolArray | None = None,
    continues: bool = False,
    false_alarm_rate: float | None = None,
    progress: Progress = _unheard,
) -> Report:
    """Judge a fitted pipeline as `judge` does.

    Parameters
    ----------
    train
        Rows it was fitted on, or some of them, such as its background's.
    false_alarm_rate
        Sets the threshold, in (0, 1); default the pipeline's own.
    """
    truth = test.in_time_order()
    rate = pipeline.calibration.default_rate if false_alarm_rate is None else false_alarm_rate
    said = score(
        pipeline,
        truth.frame,
        before=train if continues else None,
        batch_rows=BATCH_ROWS,
        false_alarm_rate=rate,
        progress=lambda share, stage: progress(_SHARE_OF_SCORING * share, stage),
    )
    normal = train if train_labels is None else train.take(np.flatnonzero(~train_labels))
    trivial = baselines(normal, truth.frame, rate, np.random.default_rng(pipeline.spec.seed))
    level = pipeline.calibration.levels(rate).pooled
    promised = Promised(rate, level.expected_rate, pipeline.calibration.rows)
    return Report(
        spec=pipeline.spec,
        threshold=level.threshold,
        false_alarm_rate=rate,
        fitted_rows=pipeline.fitted_rows,
        calibration_rows=pipeline.calibration.rows,
        unscored_rows=said.unscored,
        table=_table(
            truth, [Baseline(pipeline.plugin, said.scores, said.alarms), *trivial], progress
        ),
        latency=Latency.of(said.seconds, min(BATCH_ROWS, len(truth.frame))),
        truth=truth,
        scores=said.scores,
        alarms=said.alarms,
        reliability=Reliability.of(
            said.p_values, said.alarms, truth.labels, promised, ordered=truth.ordered
        ),
    )


def _table(truth: Labelled, judged: Sequence[Baseline], progress: Progress) -> tuple[Row, ...]:
    """Return a row of figures for each, telling how far it is."""
    rows = []
    for place, each in enumerate(judged):
        share = _SHARE_OF_SCORING + (1.0 - _SHARE_OF_SCORING) * place / len(judged)
        progress(share, f"judging {each.name}")
        rows.append(Row(each.name, Figures.of(truth, each.scores, each.alarms)))
    return tuple(rows)


def score(
    pipeline: FittedPipeline,
    frame: Frame,
    *,
    before: Frame | None = None,
    batch_rows: int = BATCH_ROWS,
    false_alarm_rate: float | None = None,
    progress: Progress = _unheard,
) -> Scores:
    """Return what ``pipeline`` says of ``frame``, batch by batch, as a stream would ask.

    ``before`` are the rows that came before, whose last ones fill the stream's memory.
    """
    if not len(frame):
        raise InvalidFrameError("the frame has no rows; send at least one", field="frame")
    ordered, memory = pipeline.spec.ordered, Memory()
    if before is not None and ordered:
        _, memory = pipeline.run(_last_rows(before, WARM_UP_ROWS), _SILENT)
    scores, alarms = np.full(len(frame), -np.inf), np.zeros(len(frame), np.bool_)
    p_values = np.full(len(frame), np.nan)
    seconds = []
    for begin in range(0, len(frame), batch_rows):
        progress(begin / len(frame), "scoring")
        batch = frame.take(slice(begin, begin + batch_rows))
        started = time.perf_counter()
        answer, after = pipeline.run(
            batch, _SILENT, false_alarm_rate=false_alarm_rate, memory=memory
        )
        seconds.append(time.perf_counter() - started)
        memory = after if ordered else memory
        scores[begin + answer.source_rows] = answer.scores
        alarms[begin + answer.source_rows] = answer.anomalous
        p_values[begin + answer.source_rows] = answer.p_values
    unscored = np.isneginf(scores)
    if unscored.all():
        scores[:] = 0.0
    else:
        scores[unscored] = np.nextafter(scores[~unscored].min(), -np.inf)
    return Scores(scores, alarms, p_values, int(unscored.sum()), np.array(seconds))


def _last_rows(frame: Frame, count: int) -> Frame:
    """Return the last ``count`` rows of each asset, in the frame's order."""
    kept = [rows[max(len(rows) - count, 0) :] for rows in rows_by_asset(frame)]
    return frame.take(np.sort(np.concatenate(kept)))
