"""Judges the explanations of a fitted pipeline on labelled rows."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from clarion.arrays import FloatArray, Int64Array
from clarion.detectors import Detector, FittedDetector, FittedSequenceDetector, Paradigm
from clarion.evaluation.explanations.enumeration import enumerable, enumeration_error
from clarion.evaluation.explanations.injected import injected
from clarion.evaluation.explanations.located import Blame, located, z_scores
from clarion.evaluation.explanations.removal import removal
from clarion.evaluation.explanations.report import Counterfactuals, ExplanationReport, Order
from clarion.evaluation.explanations.sanity import Refit, sanity
from clarion.evaluation.explanations.stability import stability
from clarion.evaluation.explanations.subject import Subject
from clarion.evaluation.figures import Labelled
from clarion.explaining.reasons import evaluations_allowed
from clarion.features import FitContext
from clarion.frames import Frame
from clarion.pipeline.answer import Answer, ExplainedRows, Explanation, ExplanationPolicy
from clarion.pipeline.run import FittedPipeline
from clarion.pipeline.score import scored

ROWS = 50
"""Alarms judged at most, spread evenly over all there are."""
_ENUMERATED = 3
"""Of them by enumeration, which scores 2^players rows with every background row."""
Progress = Callable[[float, str], None]


def judge_explanations(
    pipeline: FittedPipeline,
    truth: Labelled,
    *,
    blames: Sequence[Blame] = (),
    policy: ExplanationPolicy | None = None,
    progress: Progress = lambda share, doing: None,
) -> ExplanationReport:
    """Judge what ``pipeline`` says of its alarms on ``truth``.

    Parameters
    ----------
    truth
        Labelled rows that the fit has not seen, those of an asset in time order if ordered.
    blames
        Segments of rows whose sick signals are known.
    policy
        Which explainer, and its budget; its rows and view do not matter.
    progress
        Told the share done; what it raises ends the work.

    Raises
    ------
    UnsupportedPairError, BudgetExceededError
        No explainer can do what ``policy`` asks.
    InvalidFrameError, InvalidParameterError
        Rows that the pipeline does not take; a blame that names unknown signals or rows.
    """
    judged = _Judged(pipeline, truth, policy or ExplanationPolicy())
    rng = np.random.default_rng(pipeline.spec.seed)
    progress(0.0, "explaining alarms")
    subject, rows = judged.subject, judged.rows
    answer = subject.explain(rows)
    progress(0.1, "enumerating coalitions")
    enumerated = enumeration_error(subject, rows[:_ENUMERATED])
    progress(0.2, "removing signals")
    orders = tuple(
        Order(name, removal(subject, rows, order)) for name, order in judged.orders(rng).items()
    )
    progress(0.4, "changing rows a little")
    steady = stability(subject, rows, rng)
    progress(0.5, "fitting on noise")
    sane = sanity(subject, rows, judged.refit, rng)
    progress(0.6, "finding blamed signals")
    found = located(pipeline, truth, blames, rng)
    progress(0.7, "injecting anomalies")
    planted = injected(
        pipeline, truth, rng, lambda s: progress(0.7 + 0.3 * s, "injecting anomalies")
    )
    seconds = _seconds(subject, rows)
    return ExplanationReport(
        method=answer.method,
        label=answer.label.value,
        value_function=answer.value_function,
        rows=len(rows),
        additivity_error=float(answer.additivity_error.max()),
        enumeration_error=enumerated,
        orders=orders,
        counterfactuals=_counterfactuals(judged.records),
        stability=steady,
        sanity=sane,
        effective_signals=_effective(answer.contributions),
        seconds_p50=float(np.quantile(seconds, 0.5)),
        seconds_p99=float(np.quantile(seconds, 0.99)),
        located=found,
        injected=planted,
        notes=tuple(_notes(subject, sane.why, blames, planted)),
    )


@dataclass(frozen=True, eq=False)
class _Judged:
    """The rows that are judged, as records, as features and as a subject."""

    pipeline: FittedPipeline
    truth: Labelled
    policy: ExplanationPolicy

    @cached_property
    def numbers(self) -> tuple[int, ...]:
        """Rows of the frame: alarms spread evenly over all there are, else the highest scores."""
        silent = ExplanationPolicy(rows=ExplainedRows.NONE)
        answer, _ = self.pipeline.run(self.truth.frame, silent)
        alarms = np.flatnonzero(answer.anomalous)
        chosen = alarms[_evenly(len(alarms), ROWS)]
        if not len(chosen):
            chosen = np.sort(np.argsort(-answer.scores, kind="stable")[:ROWS])
        return tuple(int(row) for row in answer.source_rows[chosen])

    @cached_property
    def answer(self) -> Answer:
        """What a request for these rows is answered."""
        return self.pipeline.run(self.truth.frame, replace(self.policy, rows=self.numbers))[0]

    @property
    def records(self) -> tuple[Explanation, ...]:
        """One record a row."""
        return self.answer.explanations

    @cached_property
    def rows(self) -> FloatArray:
        """Their features, shape ``(n, d)``."""
        pipeline = self.pipeline
        done = pipeline.chain.transform(pipeline.taken(self.truth.frame))
        done, _, _ = scored(pipeline.plugin, pipeline.detector, done, {})
        wanted = np.isin(done.source_rows, self.numbers)
        return done.frame.take(np.flatnonzero(wanted)).numeric()

    @cached_property
    def subject(self) -> Subject:
        """The explainer that the policy takes."""
        reasoner = self.pipeline.reasoner
        rung = reasoner.rung(self.policy)
        allowed = evaluations_allowed(self.policy, rung)
        return Subject(reasoner.scorable, rung, allowed, self.pipeline.digest)

    def orders(self, rng: np.random.Generator) -> dict[str, Int64Array]:
        """Return each order of players judged, most important first, shape ``(n, k)``."""
        contributions = self.subject.explain(self.rows).contributions
        found = {"contributions": _falling(contributions)}
        if contributions.shape[1] == len(self.pipeline.signals):
            found["signal_ranking"] = self._ranking()
            raw = self.truth.frame.take(np.array(self.numbers))
            found["zscore"] = _falling(z_scores(self.pipeline, raw))
        found["random"] = _falling(rng.random(contributions.shape))
        return found

    def _ranking(self) -> Int64Array:
        place = {signal.name: i for i, signal in enumerate(self.pipeline.signals)}
        return np.array([[place[r.signal] for r in e.signal_ranking] for e in self.records])

    @property
    def refit(self) -> Refit | None:
        """What fits the detector again on features; None where that takes labels or a memory."""
        spec, registries = self.pipeline.spec.detector, self.pipeline.registries
        detector: Detector = registries.detectors.build(spec.plugin, spec.parameters)
        plain = not isinstance(self.pipeline.detector, FittedSequenceDetector)
        if detector.traits.paradigm is not Paradigm.UNSUPERVISED or not plain:
            return None

        def fit(frame: Frame) -> FittedDetector:
            rng = np.random.default_rng(self.pipeline.spec.seed)
            context = FitContext(rng, registries, lambda s, d: None, lambda: False)
            return detector.fit(frame, None, context)

        return fit


def _evenly(count: int, wanted: int) -> Int64Array:
    return np.unique(np.linspace(0, count - 1, min(count, wanted)).astype(np.int64))


def _falling(values: FloatArray) -> Int64Array:
    return np.argsort(-values, axis=1, kind="stable")


def _counterfactuals(records: Sequence[Explanation]) -> Counterfactuals:
    alarms = [record for record in records if record.anomalous]
    cleared = [record for record in alarms if record.culprits]
    if not cleared:
        nothing = float("nan")
        return Counterfactuals(0.0 if alarms else nothing, nothing, nothing, nothing)
    sizes = [len(record.culprits) for record in cleared]
    valid = [record.cleared_score < record.threshold for record in cleared]
    return Counterfactuals(
        len(cleared) / len(alarms),
        float(np.median(sizes)),
        float(np.mean(sizes)),
        float(np.mean(valid)),
    )


def _effective(contributions: FloatArray) -> float:
    """Return the median over rows of exp(entropy of the shares), at least 1."""
    sizes = np.abs(contributions)
    whole = sizes.sum(axis=1, keepdims=True)
    shares = sizes[whole[:, 0] > 0] / whole[whole[:, 0] > 0]
    if not len(shares):
        return float("nan")
    logs = np.log(np.where(shares > 0, shares, 1.0))
    return float(np.median(np.exp(-(shares * logs).sum(axis=1))))


def _seconds(subject: Subject, rows: FloatArray) -> list[float]:
    seconds = []
    for row in rows:
        begun = time.perf_counter()
        subject.explain(row[None, :])
        seconds.append(time.perf_counter() - begun)
    return seconds


def _notes(
    subject: Subject, why: str, blames: Sequence[Blame], planted: Sequence[object]
) -> list[str]:
    notes = [f"no sanity checks: {why}"] if why else []
    if not enumerable(subject):
        notes.append(f"not enumerated: {subject.scorable.n_players} players are too many")
    if not blames:
        notes.append("no signals were blamed, so rankings are judged on injected anomalies only")
    if not planted:
        notes.append("the normal rows have no room for injected anomalies")
    return notes
