"""Watching: a stream's frame judged, with all that is told of it beside its scores."""

from __future__ import annotations

from dataclasses import dataclass

from clarion.arrays import FloatArray
from clarion.pipeline.calibrate import Calibration
from clarion.pipeline.confidence import (
    AlarmRule,
    Confidence,
    Judged,
    Observed,
    Since,
    Span,
    StreamRules,
)
from clarion.pipeline.drift import NOT
from clarion.pipeline.moved import MovedSignal, SignalReference
from clarion.pipeline.recalibration import Proposal, Recalibration, level_at, proposal
from clarion.pipeline.reference import Level


@dataclass(frozen=True, slots=True)
class DriftReport:
    """Whether the stream is still like the calibration rows, after the frame.

    Attributes
    ----------
    log10_martingale
        Of this epoch; at 2 it is an alarm.
    distance
        Kolmogorov distance of the rolling window from the frozen reference, in [0, 1].
    alarmed, apart, off
        Whether the martingale's alarm stands, whether the window is apart beyond chance, and whether
        ``ratio`` is below 0.5 or above 1.5 beyond chance.
    ratio
        Share of this epoch's rows that the frozen calibration calls anomalous / what was promised.
    since
        Since when any does; None if none.
    confirmed
        Whether it has stood long enough to calibrate anew.
    moved
        The signals that had moved when it rose, or when the window was last renewed.
    """

    log10_martingale: float
    distance: float
    alarmed: bool
    apart: bool
    off: bool
    ratio: float
    since: Since | None
    confirmed: bool
    moved: tuple[MovedSignal, ...]


@dataclass(frozen=True, slots=True)
class CalibrationSpan:
    """Scored rows of the frame, from ``first`` on, judged by one rolling calibration."""

    first: int
    calibration_id: str
    threshold: float


@dataclass(frozen=True, slots=True, eq=False)
class StreamReport:
    """What is told of a stream beside its scores.

    Attributes
    ----------
    frozen, rolling
        Shape ``(n,)``: p-values under the model's own calibration, and under the stream's last rows.
    levels
        Shape ``(n,)``: the largest p-value that is anomalous; None for the fixed rate.
    fdr_memory
        Rows over which false discoveries are weighed; None for the fixed rate.
    spans
        The calibrations that judged rows instead of the model's own; empty unless adopted.
    adopted
        Since when they do.
    proposal
        What calibrating anew would change; None unless asked for and drift is confirmed.
    rows, excluded
        Rows judged so far, and how many were beyond all calibration rows and taught nothing.
    rolling_rows
        Rows that the rolling calibration rests on.
    fallen
        Discoveries that no longer raise levels because there were too many.
    """

    frozen: FloatArray
    rolling: FloatArray
    levels: FloatArray | None
    fdr_memory: float | None
    drift: DriftReport
    spans: tuple[CalibrationSpan, ...]
    adopted: Since | None
    proposal: Proposal | None
    rows: int
    excluded: int
    rolling_rows: int
    fallen: int

    def judged_by(self, index: int) -> str | None:
        """Return the rolling calibration that judged a score; None where the model's own did."""
        before = [span.calibration_id for span in self.spans if span.first <= index]
        return before[-1] if before else None


@dataclass(frozen=True, slots=True, eq=False)
class Watched:
    """A frame's verdicts, what the stream remembers after them, and what is told of it."""

    judged: Judged
    after: Confidence
    report: StreamReport
    calibration: Calibration

    def level(self, index: int, asset_class: int) -> Level | None:
        """Return the level that a row met, if it is not that of the fixed rate under the frozen reference."""
        if self.report.levels is None and not self.judged.span_of(index).decides:
            return None
        return level_at(self.calibration, self.judged.frozen_level(index), asset_class)

    def last(self, level: Level, rate: float) -> tuple[float, float]:
        """Return threshold and rate of the last row, if judged pooled; of ``level`` and ``rate`` by default."""
        rows = len(self.judged.levels)
        own = self.level(rows - 1, -1) if rows else None
        if own is None:
            return level.threshold, rate
        return own.threshold, rate if self.report.levels is None else float(self.report.levels[-1])


def watch(
    seen: Observed,
    rules: StreamRules,
    before: Confidence | None,
    calibration: Calibration,
    reference: SignalReference,
) -> Watched:
    """Judge a frame's rows by what the stream was ``before``; None begins one.

    Raises
    ------
    InvalidParameterError
        ``before`` goes with another calibration, or the false-discovery rate is out of range.
    UnreachableRateError
        The calibration gives no p-values small enough for that rate.
    """
    rule = rules.levels(calibration)
    start = before.require(calibration) if before else Confidence.start(calibration)
    judged, after = start.judge(seen, rules, rule, reference)
    asked = rules.recalibration is Recalibration.PROPOSE and after.confirmed
    report = StreamReport(
        frozen=seen.frozen,
        rolling=judged.rolling,
        levels=judged.levels if rules.alarm_rule is AlarmRule.FDR else None,
        fdr_memory=rule.memory if rule else None,
        drift=_drift(after, seen.rate),
        spans=tuple(_span(span, judged, calibration) for span in judged.spans if span.decides),
        adopted=after.adopted,
        proposal=proposal(calibration, after.rolling, seen.rate) if asked else None,
        rows=after.rolling.rows,
        excluded=after.rolling.excluded,
        rolling_rows=len(after.rolling.sorted),
        fallen=after.tests.fallen,
    )
    return Watched(judged, after, report, calibration)


def _drift(after: Confidence, rate: float) -> DriftReport:
    return DriftReport(
        log10_martingale=after.drift.martingale.log10,
        distance=after.rolling.distance,
        alarmed=after.drift.alarm_row != NOT,
        apart=after.drift.apart_row != NOT,
        off=after.drift.off_row != NOT,
        ratio=after.drift.ratio(rate),
        since=after.risen,
        confirmed=after.confirmed,
        moved=after.moved,
    )


def _span(span: Span, judged: Judged, calibration: Calibration) -> CalibrationSpan:
    """Return what is told of a span: its threshold is that of its first row, if levels change."""
    threshold = level_at(calibration, judged.frozen_level(span.start)).threshold
    return CalibrationSpan(span.start, span.rolling.id(calibration.id), threshold)
