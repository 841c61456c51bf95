"""Evaluations: a stored model judged on labelled rows, as a job."""

from __future__ import annotations

from functools import partial

from clarion.errors import TooFewRowsError
from clarion.evaluation.explanations.judge import judge_explanations
from clarion.evaluation.protocols import judge_fitted
from clarion.evaluation.report import Report
from clarion.pipeline.answer import ExplanationPolicy
from clarion.server.convert.evaluations import Trial
from clarion.server.convert.faithfulness import explanations_to_proto
from clarion.server.convert.operations import packed
from clarion.server.convert.reports import report_to_proto
from clarion.server.jobs import Job, Work
from clarion_api.v1 import evaluation_pb2 as pb

_SCORING = 0.3
"""Share of the work that scoring is, where explanations are judged too."""


def evaluation(trial: Trial) -> Work:
    """Return the work that judges as ``trial`` says, and returns the packed `EvaluationReport`."""
    return partial(_judged, trial)


def _judged(trial: Trial, job: Job) -> bytes:
    pipeline = trial.model.pipeline

    scoring = 1.0 if trial.explanations is None else _SCORING

    def told(share: float, stage: str) -> None:
        job.check_cancelled()
        job.note(scoring * share, stage)

    report = judge_fitted(
        pipeline,
        pipeline.background.last,  # what a stored model keeps of its training rows
        trial.truth,
        false_alarm_rate=trial.false_alarm_rate,
        progress=told,
    )
    _check_scored(report, pipeline.history)
    message = report_to_proto(report, trial.model)
    if trial.explanations is not None:
        message.explanations.CopyFrom(_explanations(trial, trial.explanations, job))
    job.check_cancelled()
    return packed(message)


def _explanations(trial: Trial, policy: ExplanationPolicy, job: Job) -> pb.ExplanationReport:
    def told(share: float, stage: str) -> None:
        job.check_cancelled()
        job.note(_SCORING + (1.0 - _SCORING) * share, stage)

    truth = trial.truth.in_time_order()
    return explanations_to_proto(
        judge_explanations(
            trial.model.pipeline, truth, blames=trial.blames, policy=policy, progress=told
        )
    )


def _check_scored(report: Report, history: int) -> None:
    rows = len(report.scores)
    if report.unscored_rows == rows:
        raise TooFewRowsError(
            f"none of the {rows} rows could be scored: each needs at least {history} earlier rows "
            "of its asset; send more rows that follow each other",
            field="frame",
            rows=rows,
            needed=history + 1,
        )
