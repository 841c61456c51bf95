"""Evaluations: a stored model judged on labelled rows, as a job."""

from __future__ import annotations

from functools import partial

from clarion.errors import TooFewRowsError
from clarion.evaluation.protocols import judge_fitted
from clarion.evaluation.report import Report
from clarion.server.convert.evaluations import Trial
from clarion.server.convert.operations import packed
from clarion.server.convert.reports import report_to_proto
from clarion.server.jobs import Job, Work


def evaluation(trial: Trial) -> Work:
    """Return the work that judges as ``trial`` says, and returns the packed `EvaluationReport`."""
    return partial(_judged, trial)


def _judged(trial: Trial, job: Job) -> bytes:
    pipeline = trial.model.pipeline

    def told(share: float, stage: str) -> None:
        job.check_cancelled()
        job.note(share, stage)

    report = judge_fitted(
        pipeline,
        pipeline.background.last,  # what a stored model keeps of its training rows
        trial.truth,
        false_alarm_rate=trial.false_alarm_rate,
        progress=told,
    )
    _check_scored(report, pipeline.history)
    job.check_cancelled()
    return packed(report_to_proto(report, trial.model))


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
