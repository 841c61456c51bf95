"""Fit: a spec and rows become a FittedPipeline.

Three sets of rows never overlap: those the extractors and the detector learn from, those an
ensemble keeps apart inside its share for its members, and those that calibrate. For ordered rows
the last of each asset calibrate, else a random draw does.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from clarion.arrays import BoolArray, FloatArray, Int64Array
from clarion.detectors import Detector, DetectorKind, FittedDetector, Paradigm
from clarion.errors import TooFewRowsError
from clarion.explaining.background import Background, draw
from clarion.explaining.ranking import SignalRanking
from clarion.features import FitContext
from clarion.frames import Frame
from clarion.inputs import both_classes
from clarion.parameters import under, values_of
from clarion.pipeline.cadence import Cadence
from clarion.pipeline.calibrate import Calibration
from clarion.pipeline.chain import Transformed
from clarion.pipeline.choose import AUTO, Choice, choose
from clarion.pipeline.classes import scores_by_class
from clarion.pipeline.groups import PartitionBy
from clarion.pipeline.guard import plugin_errors
from clarion.pipeline.pace import Pace
from clarion.pipeline.partition import Partition
from clarion.pipeline.progress import never_back, part
from clarion.pipeline.rows import held_out, normal_rows
from clarion.pipeline.run import FittedPipeline
from clarion.pipeline.score import scored
from clarion.pipeline.spec import PipelineSpec, Step
from clarion.pipeline.steps import fit_chain, looks_back
from clarion.registry import Registries


def fit(
    spec: PipelineSpec,
    frame: Frame,
    labels: BoolArray | None = None,
    *,
    registries: Registries,
    progress: Callable[[float, str], None] = lambda share, doing: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> FittedPipeline:
    """Fit ``spec`` on ``frame``.

    Parameters
    ----------
    labels
        Shape ``(n,)``: True where a row is known to be anomalous. An unsupervised detector learns
        from the other rows only; all calibrate on the others only.

    Raises
    ------
    InvalidFrameError, InvalidParameterError, TooFewRowsError, PluginNotFoundError
        What is sent cannot be fitted.
    PluginError
        A plugin raised or broke its contract; it is named.
    OperationCancelledError
        ``cancelled`` said so.
    """
    progress = never_back(progress)
    context = FitContext(np.random.default_rng(spec.seed), registries, progress, cancelled)
    normal = normal_rows(frame, labels)
    choice: Choice | None = None
    if spec.detector.plugin == AUTO:
        spec, choice = _chosen(spec, frame, labels, part(context, 0.0, 0.05))
    detector = _detector(spec, labels, registries)
    spec = replace(spec, ordered=_needs_order(spec, detector, registries) or spec.ordered)
    calibrates = held_out(
        frame,
        normal,
        spec.false_alarm_rate,
        spec.promised,
        allow_extrapolated=spec.allow_extrapolated,
        ordered=spec.ordered,
        rng=context.rng,
    )

    progress(0.05, "extracting features")
    learning = normal & ~calibrates
    partition = _partition(spec, frame.take(np.flatnonzero(learning)))
    frame = frame if partition is None else partition.level(frame)
    spec, chain, done = fit_chain(spec, frame, learning, detector, part(context, 0.05, 0.3))
    progress(0.3, f"fitting {spec.detector.plugin}")
    learns = ~calibrates if _takes_labels(detector) else learning
    rows = np.flatnonzero(learns[done.source_rows])
    fitted = _fit_detector(spec, detector, done, rows, labels, part(context, 0.3, 0.8))

    context.check_cancelled()
    progress(0.8, "calibrating")
    done, scores, _ = scored(spec.detector.plugin, fitted, done, {})
    calibration = _calibration(spec, frame, done.source_rows, scores, calibrates)
    quiet = normal[done.source_rows] & _below(calibration, frame, done.source_rows, scores)
    background = _background(frame, done, quiet, chain.history, spec, context.rng)
    ranking = SignalRanking.learn(frame.take(np.flatnonzero(normal)), ordered=spec.ordered)
    progress(1.0, "done")
    return FittedPipeline(
        spec=replace(spec, detector=Step(spec.detector.plugin, values_of(detector))),
        signals=frame.signals,
        chain=chain,
        detector=fitted,
        calibration=calibration,
        background=background,
        ranking=ranking,
        fitted_rows=len(rows),
        registries=registries,
        choice=choice,
        partition=partition,
        cadence=Cadence.learn(frame),
    )


def _partition(spec: PipelineSpec, frame: Frame) -> Partition | None:
    by = PartitionBy(spec.partition_by)
    return None if by is PartitionBy.NONE else Partition.learn(frame, by)


def _calibration(
    spec: PipelineSpec,
    frame: Frame,
    source_rows: Int64Array,
    scores: FloatArray,
    calibrates: BoolArray,
) -> Calibration:
    """Calibrate on the scores (n,) of the rows of ``frame`` that ``calibrates`` holds out."""
    held = calibrates[source_rows]
    kept = scores[held]
    return Calibration.of(
        kept,
        spec.false_alarm_rate,
        spec.promised,
        classes=scores_by_class(frame.take(source_rows[held]), kept),
        pace=Pace.of(frame, source_rows, scores, held) if spec.ordered else None,
        allow_extrapolated=spec.allow_extrapolated,
    )


def _below(
    calibration: Calibration, frame: Frame, source_rows: Int64Array, scores: FloatArray
) -> BoolArray:
    """Return which of the ``source_rows`` of ``frame`` raise no alarm, shape ``(n,)``."""
    levels = calibration.levels(calibration.default_rate)
    classes = calibration.classes_of(frame, source_rows)
    return np.asarray(scores < levels.thresholds(classes, len(scores)))


def _chosen(
    spec: PipelineSpec, frame: Frame, labels: BoolArray | None, context: FitContext
) -> tuple[PipelineSpec, Choice]:
    def fit_candidate(candidate: PipelineSpec, rows: Frame) -> FittedPipeline:
        return fit(candidate, rows, registries=context.registries, cancelled=context.cancelled)

    return choose(
        spec,
        frame,
        labels,
        registries=context.registries,
        fit=fit_candidate,
        progress=context.progress,
    )


def _detector(spec: PipelineSpec, labels: BoolArray | None, registries: Registries) -> Detector:
    detector: Detector = registries.detectors.build(
        spec.detector.plugin, spec.detector.parameters, path="spec.detector.parameters"
    )
    if detector.traits.paradigm is Paradigm.SUPERVISED:
        both_classes(labels, spec.detector.plugin)
    return detector


def _needs_order(spec: PipelineSpec, detector: Detector, registries: Registries) -> bool:
    traits = detector.traits
    sequence = traits.kind is DetectorKind.SEQUENCE
    # First, for it builds every step: a bad parameter is named before any work is done.
    return looks_back(spec, registries) or traits.ordered or sequence


def _takes_labels(detector: Detector) -> bool:
    return detector.traits.paradigm is not Paradigm.UNSUPERVISED


def _fit_detector(
    spec: PipelineSpec,
    detector: Detector,
    done: Transformed,
    rows: Int64Array,
    labels: BoolArray | None,
    context: FitContext,
) -> FittedDetector:
    if not len(rows):
        raise TooFewRowsError("no rows are left to fit the detector on", field="frame", rows=0)
    context.check_cancelled()
    given: BoolArray | None = None
    if labels is not None and _takes_labels(detector):
        given = labels[done.source_rows[rows]]
    with (
        plugin_errors("detectors", spec.detector.plugin, "fitting"),
        under("spec.detector.parameters"),
    ):
        return detector.fit(done.frame.take(rows), given, context)


def _background(
    frame: Frame,
    done: Transformed,
    quiet: BoolArray,
    history: int,
    spec: PipelineSpec,
    rng: np.random.Generator,
) -> Background:
    """Draw the background among normal rows that raise no alarm themselves."""
    rows = np.flatnonzero(quiet)
    return draw(
        frame, done.frame.take(rows), done.source_rows[rows], history, spec.background_rows, rng
    )
