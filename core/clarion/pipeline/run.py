"""FittedPipeline: the way of one request, one straight line.

``features -> score -> calibrate -> explain -> pull back``, with no step calling back.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from clarion.arrays import BoolArray, FloatArray, Int64Array
from clarion.detectors import FittedDetector, FittedSequenceDetector
from clarion.errors import (
    ArtifactCorruptError,
    InvalidFrameError,
    InvalidParameterError,
    OperationCancelledError,
)
from clarion.explainers import Label, Scorable
from clarion.explaining.background import Background
from clarion.explaining.blocks import Worker
from clarion.explaining.cache import AttributionCache, Hits
from clarion.explaining.clearing.model import ClearingModel
from clarion.explaining.games import Games
from clarion.explaining.lags import Lags, feature_lags
from clarion.explaining.pull_back import Origins, StageReads
from clarion.explaining.ranking import SignalRanking
from clarion.explaining.reasons import Reasoner, Reasons
from clarion.explaining.record import Recorder, Verdict
from clarion.explaining.tracing import Tracer, oldest_exact_lag
from clarion.frames import Frame, Signal, SignalKind
from clarion.pipeline.answer import Answer, ExplainedRows, ExplanationPolicy, View
from clarion.pipeline.cadence import Cadence
from clarion.pipeline.calibrate import Calibration
from clarion.pipeline.chain import Chain, Transformed, origins
from clarion.pipeline.choose import Choice
from clarion.pipeline.classes import POOLED
from clarion.pipeline.confidence import Observed, StreamRules
from clarion.pipeline.constraints import by_signal
from clarion.pipeline.guard import row_numbers
from clarion.pipeline.memory import Memory, follow_runs
from clarion.pipeline.moved import SignalReference
from clarion.pipeline.own_units import OwnUnits, refuse_ranges
from clarion.pipeline.partition import Partition
from clarion.pipeline.recalibration import beyond
from clarion.pipeline.reference import Levels
from clarion.pipeline.schema import conform
from clarion.pipeline.score import row_scores, scored
from clarion.pipeline.silence import Silence
from clarion.pipeline.spec import PipelineSpec
from clarion.pipeline.watching import Watched, watch
from clarion.registry import Registries
from clarion.state import State, nested, signal_values, unnested

_LAYOUT = 2
"""Of a stored pipeline; 1 had no ranking."""


@dataclass(frozen=True, eq=False)
class FittedPipeline:
    """A fitted model: scores frames, and says why.

    Attributes
    ----------
    spec
        What was fitted, with the steps that the fit put in.
    signals
        The raw signals it takes, in its own order.
    ranking
        What each raw signal does when all is well: who is sick.
    fitted_rows
        Rows the detector was fitted on.
    digest
        Identity of the stored version; empty until stored.
    choice
        What ``auto`` took and what over; None where the spec named a detector.
    partition
        The level of each group of assets, which rows are taken from before all else; None where all
        rows are one group.
    cadence
        When assets report; None where the rows fitted had no times, or too few.
    cache
        Where attributions are kept that were costly; None for nowhere.
    """

    spec: PipelineSpec
    signals: tuple[Signal, ...]
    chain: Chain
    detector: FittedDetector
    calibration: Calibration
    background: Background
    ranking: SignalRanking
    fitted_rows: int
    registries: Registries
    digest: str = ""
    choice: Choice | None = None
    partition: Partition | None = None
    cadence: Cadence | None = None
    cache: AttributionCache | None = None

    def run(
        self,
        frame: Frame,
        policy: ExplanationPolicy | None = None,
        *,
        false_alarm_rate: float | None = None,
        allow_extrapolated: bool = False,
        memory: Memory | None = None,
        stream: str = "",
        rules: StreamRules | None = None,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> tuple[Answer, Memory]:
        """Score ``frame``, and explain the rows that ``policy`` says.

        Parameters
        ----------
        false_alarm_rate
            Sets the threshold, in (0, 1); default the model's own.
        allow_extrapolated
            Lets the threshold be extrapolated where the calibration rows cannot reach the rate.
        memory
            What the stream remembers; None for a batch on its own.
        stream
            Part of the anomalies' identity.
        rules
            Judges the rows as those of a stream, and watches it for drift; None judges each alone.
        cancelled
            Asked again and again while rows are explained: True once nobody waits for the answer.

        Returns
        -------
        The answer, and the memory for the stream's next frame.

        Raises
        ------
        SignalMismatchError, InvalidFrameError
            The frame does not fit the model; the given memory stays as it was.
        UnreachableRateError
            The rate is below the smallest that the calibration can promise.
        BudgetExceededError, UnsupportedPairError
            No explainer can do what ``policy`` asks.
        PluginError
            A plugin raised or broke its contract; it is named.
        OperationCancelledError
            ``cancelled`` said so.
        """

        def check() -> None:
            if cancelled():
                raise OperationCancelledError("nobody waits for these explanations any more")

        policy, memory = policy or ExplanationPolicy(), memory or Memory()
        rate = self.calibration.default_rate if false_alarm_rate is None else false_alarm_rate
        levels = self.calibration.levels(rate, extrapolate=allow_extrapolated)
        by_signal(policy.constraints, self.signals)  # a stream is told when it opens
        if self.partition is not None:
            refuse_ranges(policy.constraints)

        raw, remembered = memory.before(conform(frame, self.signals))
        whole = self._levelled(raw)
        with row_numbers(np.arange(len(whole)) - remembered):
            done = self.chain.transform(whole)
            done, scores, memories = scored(self.plugin, self.detector, done, memory.detectors())
        classes = self.calibration.classes_of(whole, done.source_rows)
        p_values = self.calibration.p_values(scores, classes)
        extrapolated = self.calibration.extrapolated(p_values, classes)
        anomalous = scores >= levels.thresholds(classes, len(scores))
        numbers, sent = done.source_rows - remembered, whole.take(slice(remembered, None))
        watched: Watched | None = None
        if rules is not None:
            fixed = anomalous, beyond(self.calibration, scores, classes)
            seen = Observed.of(sent, numbers, p_values, fixed, levels.pooled.expected_rate)
            watched = watch(seen, rules, memory.confidence, self.calibration, self._reference)
            p_values, anomalous = watched.judged.p_values, watched.judged.anomalous
            memory = replace(memory, confidence=watched.after)
            if self.cadence is not None:
                known = memory.silence or Silence(memory.most)
                memory = replace(memory, silence=known.after(sent, self.cadence))
        # Without an order of rows there are no runs of them.
        flagged = anomalous if self.spec.ordered else np.zeros_like(anomalous)
        runs, last_runs = follow_runs(memory, whole, done.source_rows, flagged)
        chosen = self._chosen(policy, numbers, anomalous, len(frame))
        tracer = self._tracer(whole, done)
        reasons = self.reasoner.reasons(tracer, chosen, scores[chosen], policy, check)
        verdicts = [
            Verdict(
                index=int(i),
                source=int(done.source_rows[i]),
                number=int(numbers[i]),
                score=float(scores[i]),
                p_value=float(p_values[i]),
                extrapolated=bool(extrapolated[i]),
                asset_class=POOLED if classes is None else int(classes[i]),
                anomalous=bool(anomalous[i]),
                run=runs.of(i),
                level=watched.level(int(i), POOLED if classes is None else int(classes[i]))
                if watched
                else None,
            )
            for i in chosen
        ]
        strange, pasts = self._strange(sent, numbers[chosen], policy, memory)
        recorder = self._recorder(tracer, reasons, strange, levels, stream, policy)
        records = recorder.records(verdicts, check) if recorder else ()
        if records and self.partition is not None:
            records = OwnUnits(self.partition, raw).told(records, done.source_rows[chosen])
        threshold = levels.pooled.threshold
        if watched:
            threshold, rate = watched.last(levels.pooled, rate)
        answer = Answer(
            scores=scores,
            p_values=p_values,
            anomalous=anomalous,
            extrapolated=extrapolated,
            source_rows=numbers,
            threshold=threshold,
            false_alarm_rate=rate,
            explained=chosen if reasons else chosen[:0],
            attribution=reasons.by_player if reasons else None,
            explanations=records,
            silence=memory.silence,
            signals=tuple(signal.name for signal in self.signals),
            players=reasons.game.roster.players
            if reasons and not reasons.game.roster.plain
            else (),
            hits=reasons.hits if reasons else Hits(),
            class_thresholds=tuple(
                (name, level.threshold)
                for (name, _), level in zip(self.calibration.classes, levels.by_class, strict=True)
            ),
            stream=watched.report if watched else None,
        )
        return answer, memory.after(raw, self.history, memories, last_runs, pasts)

    def taken(self, frame: Frame) -> Frame:
        """Return rows as the first extractor takes them: signals in order, groups on one level.

        Raises
        ------
        SignalMismatchError, InvalidFrameError
            The frame does not fit the model.
        """
        return self._levelled(conform(frame, self.signals))

    def _levelled(self, raw: Frame) -> Frame:
        return raw if self.partition is None else self.partition.level(raw)

    @property
    def plugin(self) -> str:
        """Name of the detector's plugin."""
        return self.spec.detector.plugin

    @property
    def history(self) -> int:
        """Earlier rows of the same asset that a row needs to be scored."""
        return self.chain.history

    @cached_property
    def reasoner(self) -> Reasoner:
        """The explain step, with the explainers that support this detector."""
        games = Games(
            Scorable(self._score, self.background.rows, self.detector),
            self.registries,
            tuple(signal.name for signal in self.signals),
            self.origins.of,
            lambda: self._lags,
            lambda: oldest_exact_lag(self.chain, self.detector, self.background),
        )
        return Reasoner(games, Worker(self.digest, self.cache), self.digest)

    @cached_property
    def _reference(self) -> SignalReference:
        return SignalReference.of(self.ranking, self.background)

    @cached_property
    def _lags(self) -> Lags | None:
        return feature_lags(self.chain, self.plugin, self.detector, self.background)

    @cached_property
    def stage_reads(self) -> StageReads:
        """What each stage reads, with the background means of what it is given."""
        reads = [dict(step.reads) for _, step in self.chain.steps]
        if isinstance(self.detector, FittedSequenceDetector):
            reads.append(dict(self.detector.reads))
        means = self.background.stage_means(self.chain)
        return list(zip(reads, means[: len(reads)], strict=True))

    @cached_property
    def origins(self) -> Origins:
        """Which raw signals each feature reads."""
        reads = origins([read for read, _ in self.stage_reads])
        features = [signal.name for signal in self.detector.signals]
        return Origins.make(features, [signal.name for signal in self.signals], reads)

    @cached_property
    def clearing(self) -> ClearingModel:
        """What finds culprits."""
        return ClearingModel(
            self.plugin, self._score, self.detector, self.chain, self.background, self.origins
        )

    def _score(self, features: Frame) -> FloatArray:
        """Return the detector's scores, checked: what it does wrong while explained is its own."""
        return row_scores(self.plugin, self.detector, features)

    def default_explainer(self) -> tuple[str, Label] | None:
        """Return the best explainer's name, and its label by raw signal; None if there is none."""
        game = self.reasoner.games.plain
        if not game.rungs:
            return None
        return game.rungs[0].name, game.label(game.rungs[0].support.label)

    def cost(self, policy: ExplanationPolicy) -> float:
        """Return the seconds that explaining one row takes, measured on a background row now."""
        row = self.background.rows.take(slice(0, 1))
        window = self.background.windows.take(slice(0, self.history + 1))
        tracer = self._tracer(window, replace(self.chain.transform(window), frame=row))
        scores = row_scores(self.plugin, self.detector, row)
        uncached = replace(self.reasoner, worker=Worker(self.digest))
        uncached.reasons(tracer, np.arange(1), scores, policy)
        begun = time.perf_counter()
        uncached.reasons(tracer, np.arange(1), scores, policy)
        return time.perf_counter() - begun

    def _chosen(
        self, policy: ExplanationPolicy, numbers: Int64Array, anomalous: BoolArray, n_rows: int
    ) -> Int64Array:
        """Return which scored rows to explain, as indices into ``numbers``."""
        if policy.rows is ExplainedRows.NONE:
            return np.empty(0, np.int64)
        if policy.rows is ExplainedRows.ALL:
            return np.arange(len(numbers))
        if policy.rows is ExplainedRows.ANOMALOUS:
            return np.flatnonzero(anomalous)
        place = {int(number): i for i, number in enumerate(numbers)}
        for row in policy.rows:
            if row not in place:
                sequence = isinstance(self.detector, FittedSequenceDetector)
                many = "more" if sequence else str(self.history)
                why = f"needs {many} earlier rows of its asset in the frame"
                why = why if 0 <= row < n_rows else f"is outside the frame's {n_rows} rows"
                raise InvalidParameterError(f"row {row} has no score: it {why}", field="rows")
        return np.array([place[row] for row in policy.rows], np.int64)

    def _strange(
        self, sent: Frame, rows: Int64Array, policy: ExplanationPolicy, memory: Memory
    ) -> tuple[FloatArray, dict[str, FloatArray]]:
        """Return the ranking scores of ``rows``, (m, n_signals), and the assets' pasts after.

        A policy without records asks for neither: its stream need not pay for them.
        """
        if policy.rows is ExplainedRows.NONE or policy.view is View.COLUMNS:
            return np.empty((0, len(self.signals))), {}
        return self.ranking.scores(sent, rows, memory.pasts())

    def _tracer(self, raw: Frame, done: Transformed) -> Tracer:
        return Tracer(raw, done, self.detector, self.background, self.stage_reads)

    def _recorder(
        self,
        tracer: Tracer,
        reasons: Reasons | None,
        strange: FloatArray,
        levels: Levels,
        stream: str,
        policy: ExplanationPolicy,
    ) -> Recorder | None:
        if reasons is None or policy.view is View.COLUMNS:
            return None
        return Recorder(
            signals=self.signals,
            raw=tracer.raw,
            done=tracer.done,
            reasons=reasons,
            strange=strange,
            tracer=tracer,
            background=self.background,
            clearer=self.clearing.within(by_signal(policy.constraints, self.signals)),
            calibration=self.calibration,
            levels=levels,
            digest=self.digest,
            stream=stream,
            with_cells=policy.view is View.FULL,
        )

    def state(self) -> State:
        """Return all of it but the calibration, which is a part of its own."""
        parts = {f"step{i}": step.state() for i, (_, step) in enumerate(self.chain.steps)}
        parts |= {"detector": self.detector.state(), "background": self.background.state()}
        parts["ranking"] = self.ranking.state()
        if self.partition is not None:
            parts["partition"] = self.partition.state()
        if self.cadence is not None:
            parts["cadence"] = self.cadence.state()
        whole = nested(parts)
        parameters = {
            "spec": self.spec.to_json(),
            "signals": signal_values(self.signals),
            "fitted_rows": self.fitted_rows,
            "parts": whole.parameters,
            "choice": None if self.choice is None else self.choice.to_json(),
        }
        return replace(whole, version=_LAYOUT, parameters=parameters)

    @classmethod
    def from_state(
        cls, state: State, calibration: Calibration, registries: Registries
    ) -> FittedPipeline:
        """Return the pipeline that `state` describes.

        Raises
        ------
        ArtifactCorruptError
            ``state`` is not of this form, or a part of it is not.
        PluginNotFoundError
            A plugin that it was fitted with is not loaded.
        """
        state.require(_LAYOUT)
        parameters = state.parameters
        try:
            spec = PipelineSpec.from_json(parameters["spec"])
            signals = state.signals()
            parts = unnested(replace(state, version=1, parameters=parameters["parts"]))
            steps = tuple(
                (s.plugin, registries.features.get(s.plugin).fitted.from_state(parts[f"step{i}"]))
                for i, s in enumerate(spec.features)
            )
            detector = registries.detectors.get(spec.detector.plugin).fitted
            return cls(
                spec=spec,
                signals=signals,
                chain=Chain(steps),
                detector=detector.from_state(parts["detector"]),
                calibration=calibration,
                background=Background.from_state(parts["background"]),
                ranking=SignalRanking.from_state(parts["ranking"], signals),
                fitted_rows=int(parameters["fitted_rows"]),
                registries=registries,
                choice=_choice(parameters.get("choice")),
                partition=_partition(parts.get("partition"), signals),
                cadence=Cadence.from_state(parts["cadence"]) if "cadence" in parts else None,
            )
        except (
            AttributeError,
            KeyError,
            TypeError,
            ValueError,
            InvalidFrameError,
            InvalidParameterError,
        ) as error:
            raise ArtifactCorruptError(
                f"the stored pipeline cannot be read: {type(error).__name__}: {error}"
            ) from error


def _choice(values: Any) -> Choice | None:
    return None if values is None else Choice.from_json(values)


def _partition(state: State | None, signals: Sequence[Signal]) -> Partition | None:
    numeric = sum(signal.kind is SignalKind.NUMERIC for signal in signals)
    return None if state is None else Partition.from_state(state, numeric)
