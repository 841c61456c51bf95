"""Records: everything about one explained row, gathered in one place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from clarion.detectors import FittedDetector, FittedSequenceDetector, QuadraticForm
from clarion.explainers import Attribution
from clarion.explaining.background import Background, Positions, asset_positions
from clarion.explaining.counterfactual import NormalValues
from clarion.explaining.culprits import Clearer, Clearing
from clarion.explaining.linear_cells import exact_cells
from clarion.explaining.pull_back import StageReads, by_cell
from clarion.explaining.reasons import Reasons
from clarion.explaining.summary import summarise
from clarion.explaining.values import Reader, identity
from clarion.frames import Frame, Signal, SignalKind
from clarion.pipeline.answer import (
    CellReason,
    CrossCheck,
    Culprit,
    Explanation,
    SignalReason,
)
from clarion.pipeline.calibrate import Calibration
from clarion.pipeline.chain import Transformed
from clarion.pipeline.memory import Run


@dataclass(frozen=True, slots=True, eq=False)
class Verdict:
    """One explained row: its place in the features, in the raw rows and in the request."""

    index: int
    source: int
    number: int
    score: float
    p_value: float
    anomalous: bool
    run: Run


@dataclass(frozen=True, eq=False)
class Recorder:
    """Makes the records of one frame's explained rows.

    Attributes
    ----------
    signals
        The model's raw signals, with their units.
    raw, done
        The raw rows (remembered ones first), in that order of signals, and what became of them.
    reasons
        The attributions, one row for each explained row.
    digest, stream
        Parts of the anomalies' identity.
    """

    signals: tuple[Signal, ...]
    raw: Frame
    done: Transformed
    reasons: Reasons
    detector: FittedDetector
    background: Background
    reads: StageReads
    clearer: Clearer
    normal_values: NormalValues
    calibration: Calibration
    threshold: float
    digest: str
    stream: str
    with_cells: bool

    def records(self, verdicts: Sequence[Verdict]) -> tuple[Explanation, ...]:
        """Return one record for each explained row, in the order of the attributions."""
        positions = asset_positions(self.raw) if self.with_cells else None
        return tuple(self._record(k, verdict, positions) for k, verdict in enumerate(verdicts))

    def _record(self, k: int, verdict: Verdict, positions: Positions | None) -> Explanation:
        source = verdict.source
        features = self.done.frame.take(slice(verdict.index, verdict.index + 1))
        clearing = Clearing((), np.empty(0), verdict.score)
        if verdict.anomalous:
            clearing = self.clearer.clear(features, self.threshold)
        cleared_p = self.calibration.p_values(np.array([clearing.score]))[0]
        made = Explanation(
            id=identity(self.digest, self.stream, self.raw, source),
            row=verdict.number,
            row_id="" if self.raw.row_ids is None else self.raw.row_ids[source],
            asset=self.raw.asset_of(source).name,
            time=None if self.raw.time is None else int(self.raw.time[source]),
            since=verdict.run.since,
            run_count=verdict.run.count,
            anomalous=verdict.anomalous,
            score=verdict.score,
            p_value=verdict.p_value,
            threshold=self.threshold,
            base_value=float(self.reasons.by_signal.base_value[k]),
            label=self.reasons.by_signal.label,
            method=self.reasons.by_signal.method,
            signal_ranking=self._ranking(k, source),
            culprits=self._culprits(source, clearing),
            cleared_score=clearing.score,
            cleared_p_value=float(cleared_p),
            cross_checks=tuple(
                self._cross_check(name, a, k) for name, a in self.reasons.cross_checks
            ),
            cells=() if positions is None else self._cells(k, verdict, positions),
            summary="",
        )
        return replace(made, summary=summarise(made))

    def _ranking(self, k: int, source: int) -> tuple[SignalReason, ...]:
        """Return all signals by falling contribution; ties in the model's order of signals."""
        contributions = self.reasons.by_signal.contributions[k]
        errors = self.reasons.by_signal.standard_error
        size = float(np.abs(contributions).sum())
        reasons = []
        for j in np.argsort(-contributions, kind="stable"):
            signal, seen = self.signals[j], self._reader.cell(source, int(j))
            reasons.append(
                SignalReason(
                    signal=signal.name,
                    value=seen.value,
                    word=seen.word,
                    expected=self._expected[j],
                    unit=signal.unit,
                    contribution=float(contributions[j]),
                    share=float(abs(contributions[j])) / size if size > 0 else 0.0,
                    standard_error=None if errors is None else float(errors[k, j]),
                )
            )
        return tuple(reasons)

    @cached_property
    def _reader(self) -> Reader:
        return Reader.of(self.raw)

    @cached_property
    def _expected(self) -> list[float | None]:
        means = iter(self.background.expected)
        numeric = [signal.kind is SignalKind.NUMERIC for signal in self.raw.signals]
        return [float(next(means)) if is_number else None for is_number in numeric]

    def _culprits(self, source: int, clearing: Clearing) -> tuple[Culprit, ...]:
        found = []
        for j in clearing.signals:
            signal, seen = self.signals[j], self._reader.cell(source, j)
            usual = self.normal_values.cell(j, clearing)
            found.append(
                Culprit(signal.name, seen.value, seen.word, usual.value, usual.word, signal.unit)
            )
        return tuple(found)

    def _cross_check(self, name: str, answer: Attribution, k: int) -> CrossCheck:
        quality, ends = answer.fit_quality, answer.interval
        return CrossCheck(
            method=name,
            signals=self.raw.names,
            values=tuple(float(v) for v in answer.contributions[k]),
            fit_quality=float("nan") if quality is None else float(quality[k]),
            value_function=answer.value_function,
            lows=() if ends is None else tuple(ends[k, :, 0].tolist()),
            highs=() if ends is None else tuple(ends[k, :, 1].tolist()),
        )

    def _cells(self, k: int, verdict: Verdict, positions: Positions) -> tuple[CellReason, ...]:
        cells = None
        detector = self.detector
        plain = not isinstance(detector, FittedSequenceDetector)
        if plain and isinstance(detector, QuadraticForm):
            cells = exact_cells(
                self.done, verdict.index, self.raw, positions, self.background, detector
            )
        if cells is None:
            phi = self.reasons.by_feature.contributions[k]
            cells = by_cell(self.done, verdict.index, phi, self.reads)
        order = np.argsort(-np.abs(cells.contribution), kind="stable")
        lags = positions.lag(verdict.source, cells.row)
        return tuple(
            self._cell(int(cells.row[i]), int(cells.signal[i]), int(lags[i]), cells.contribution[i])
            for i in order
        )

    def _cell(self, row: int, signal: int, lag: int, contribution: float) -> CellReason:
        return CellReason(
            signal=self.raw.signals[signal].name,
            lag=lag,
            time=None if self.raw.time is None else int(self.raw.time[row]),
            value=self._reader.cell(row, signal).value,
            contribution=float(contribution),
        )
