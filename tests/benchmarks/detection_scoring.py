"""One job: fit every candidate on one split, through the pipeline, and judge it."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from clarion.arrays import FloatArray
from clarion.errors import ClarionError
from clarion.evaluation.baselines import baselines
from clarion.evaluation.figures import Figures, Labelled
from clarion.evaluation.nab import Series
from clarion.evaluation.protocols import Scores, score
from clarion.pipeline.fit import fit
from clarion.pipeline.run import FittedPipeline
from clarion.pipeline.spec import PipelineSpec, Step
from clarion.plugins import load_plugins
from clarion.registry import Registries
from detection_candidates import AUTO, FEW_LABELS, REFERENCE, missing, specs
from detection_protocol import FOLDERS
from detection_readers import LAYOUTS, Limits, Split

ZSCORE, RANDOM, ALWAYS = "baseline_zscore", "baseline_random", "baseline_always_alarm"
SCORED_AT_ONCE = 10_000
_SILENT = -1e9


@dataclass(frozen=True, slots=True)
class Job:
    """One split of one case."""

    folder: str
    path: Path
    regime: str
    seed: int
    limits: Limits


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """How one candidate did on one test.

    Attributes
    ----------
    figures
        Those of a random score where the candidate failed: a failure is no way out of an average.
    failure
        Why it failed; else empty.
    series
        The scores on NAB's scale, where the folder is NAB's; silent where the candidate failed.
    choice
        What ``auto`` took.
    """

    candidate: str
    test: str
    headline: bool
    figures: Figures
    failure: str = ""
    fit_seconds: float = 0.0
    score_seconds: float = 0.0
    rows: int = 0
    series: Series | None = None
    choice: str = ""


@cache
def plugins() -> Registries:
    """Return all plugins, loaded once a process."""
    return load_plugins()


def work(job: Job) -> list[Outcome]:
    """Return what every candidate and every trivial baseline makes of the job's tests."""
    protocol = FOLDERS[job.folder]
    rng = np.random.default_rng([job.seed, 2024])
    layout = LAYOUTS[protocol.layout]
    split = layout.split(job.path, protocol, job.regime, job.limits, rng).without_identifiers()
    ordered = next(iter(split.tests.values())).ordered
    wanted = specs(
        protocol.candidates,
        ordered=ordered,
        false_alarm_rate=protocol.false_alarm_rate,
        seed=job.seed,
    )
    absent = missing(plugins())
    if job.regime == "few_labels":
        wanted = _few_labels(wanted, REFERENCE if AUTO in absent else AUTO)
    outcomes = _trivial(split, protocol.false_alarm_rate, job.seed)
    by_test = {(o.candidate, o.test): o.figures for o in outcomes}
    chance = {test: by_test[RANDOM, test] for test in split.tests}
    for name, spec in wanted.items():
        if name not in absent:
            given = split
            if job.regime == "few_labels" and name != FEW_LABELS:
                given = replace(split, train_labels=None)
            outcomes += _outcomes(name, spec, given, chance, nab=protocol.layout == "nab_csv")
    return outcomes


def _few_labels(wanted: dict[str, PipelineSpec], reference: str) -> dict[str, PipelineSpec]:
    """Return what learns from few labels, and what it is compared with."""
    learns = replace(wanted[reference], detector=Step(FEW_LABELS))
    return {reference: wanted[reference], FEW_LABELS: learns}


def _trivial(split: Split, rate: float, seed: int) -> list[Outcome]:
    found = []
    for i, (name, test) in enumerate(split.tests.items()):
        for each in baselines(split.train, test.frame, rate, np.random.default_rng(seed)):
            figures = Figures.of(test, each.scores, each.alarms)
            found.append(Outcome(f"baseline_{each.name}", name, i == 0, figures))
    return found


def _outcomes(
    name: str, spec: PipelineSpec, split: Split, chance: dict[str, Figures], *, nab: bool
) -> list[Outcome]:
    started = time.perf_counter()
    try:
        pipeline = fit(spec, split.train, split.train_labels, registries=plugins())
        fitted = time.perf_counter() - started
        return [
            _judged(name, test, i == 0, pipeline, split, fitted, nab=nab)
            for i, test in enumerate(split.tests)
        ]
    except ClarionError as error:
        why = f"{error.reason}: {error.message}"
        return [
            Outcome(
                name,
                test,
                i == 0,
                chance[test],
                failure=why,
                series=_series_of(np.full(len(truth.frame), _SILENT), truth, len(split.train))
                if nab
                else None,
            )
            for i, (test, truth) in enumerate(split.tests.items())
        ]


def _judged(
    name: str,
    test: str,
    headline: bool,
    pipeline: FittedPipeline,
    split: Split,
    fit_seconds: float,
    *,
    nab: bool,
) -> Outcome:
    truth = split.tests[test]
    before = split.train if split.continues else None
    said = score(pipeline, truth.frame, before=before, batch_rows=SCORED_AT_ONCE)
    choice: Any = getattr(pipeline, "choice", None)
    return Outcome(
        candidate=name,
        test=test,
        headline=headline,
        figures=Figures.of(truth, said.scores, said.alarms),
        fit_seconds=fit_seconds,
        score_seconds=float(said.seconds.sum()),
        rows=len(truth.frame),
        series=_nab_series(pipeline, said, truth, len(split.train)) if nab else None,
        choice=choice.chosen if choice is not None else "",
    )


def _nab_series(pipeline: FittedPipeline, said: Scores, truth: Labelled, probation: int) -> Series:
    """Return the scores on a scale common to all files: 0 is the median calibration score, 1 the largest.

    So a threshold of 1 comes from training data only.
    """
    known = pipeline.calibration.scores
    middle, largest = float(np.median(known)), float(known[-1])
    scale = max(largest - middle, 1e-12 * max(1.0, abs(largest)))
    return _series_of((said.scores - middle) / scale, truth, probation)


def _series_of(scores: FloatArray, truth: Labelled, probation: int) -> Series:
    """Return the scores behind a silent probation, with the windows of ``truth``."""
    whole = np.concatenate([np.full(probation, _SILENT), scores])
    edges = np.diff(truth.labels.astype(np.int8), prepend=0, append=0)
    first = np.flatnonzero(edges == 1) + probation
    last = np.flatnonzero(edges == -1) - 1 + probation
    return Series(whole, tuple(zip(first.tolist(), last.tolist(), strict=True)))
