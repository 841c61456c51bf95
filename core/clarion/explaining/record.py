"""Records: everything about one explained row, gathered in one place."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from clarion.explainers import Attribution, Label
from clarion.explaining.background import Background
from clarion.explaining.counterfactual import NormalValues
from clarion.explaining.culprits import Clearer, Clearing
from clarion.explaining.reasons import Reasons
from clarion.explaining.summary import summarise
from clarion.explaining.tracing import Tracer
from clarion.explaining.values import Reader, identity
from clarion.frames import Frame, Signal, SignalKind
from clarion.pipeline.answer import (
    CellReason,
    CrossCheck,
    Culprit,
    Explanation,
    PlayerReason,
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
    tracer
        Leads to their raw cells.
    digest, stream
        Parts of the anomalies' identity.
    """

    signals: tuple[Signal, ...]
    raw: Frame
    done: Transformed
    reasons: Reasons
    tracer: Tracer
    background: Background
    clearer: Clearer
    normal_values: NormalValues
    calibration: Calibration
    threshold: float
    digest: str
    stream: str
    with_cells: bool

    def records(
        self, verdicts: Sequence[Verdict], check: Callable[[], None]
    ) -> tuple[Explanation, ...]:
        """Return one record for each explained row, in the order of the attributions.

        ``check`` is called before each, and may raise.
        """
        made = []
        for k, verdict in enumerate(verdicts):
            check()
            made.append(self._record(k, verdict))
        return tuple(made)

    def _record(self, k: int, verdict: Verdict) -> Explanation:
        source = verdict.source
        features = self.done.frame.take(slice(verdict.index, verdict.index + 1))
        clearing = Clearing((), np.empty(0), verdict.score)
        if verdict.anomalous:
            clearing = self.clearer.clear(features, self.threshold)
        cleared_p = self.calibration.p_values(np.array([clearing.score]))[0]
        plain = self.reasons.game.roster.plain
        cells, cells_label = self._cells(k, verdict) if self.with_cells else ((), None)
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
            base_value=float(self.reasons.by_player.base_value[k]),
            label=self.reasons.by_player.label,
            method=self.reasons.by_player.method,
            signal_ranking=self._ranking(k, source) if plain else (),
            player_ranking=() if plain else self._player_ranking(k),
            culprits=self._culprits(source, clearing),
            cleared_score=clearing.score,
            cleared_p_value=float(cleared_p),
            cross_checks=tuple(
                self._cross_check(name, a, k) for name, a in self.reasons.cross_checks
            ),
            cells=cells,
            cells_label=cells_label,
            summary="",
        )
        return replace(made, summary=summarise(made))

    def _ranking(self, k: int, source: int) -> tuple[SignalReason, ...]:
        """Return all signals by falling contribution; ties in the model's order of signals."""
        reasons = []
        for j, contribution, share, error in self._ranked(k):
            signal, seen = self.signals[j], self._reader.cell(source, j)
            reasons.append(
                SignalReason(
                    signal=signal.name,
                    value=seen.value,
                    word=seen.word,
                    expected=self._expected[j],
                    unit=signal.unit,
                    contribution=contribution,
                    share=share,
                    standard_error=error,
                )
            )
        return tuple(reasons)

    def _player_ranking(self, k: int) -> tuple[PlayerReason, ...]:
        """Return all players by falling contribution; ties in their own order."""
        players = self.reasons.game.roster.players
        return tuple(
            PlayerReason(players[j], contribution, share, error)
            for j, contribution, share, error in self._ranked(k)
        )

    def _ranked(self, k: int) -> Iterator[tuple[int, float, float, float | None]]:
        """Yield each column's place, contribution, share and standard error, the highest first."""
        contributions = self.reasons.by_player.contributions[k]
        errors = self.reasons.by_player.standard_error
        size = float(np.abs(contributions).sum())
        for j in np.argsort(-contributions, kind="stable").tolist():
            share = float(abs(contributions[j])) / size if size > 0 else 0.0
            error = None if errors is None else float(errors[k, j])
            yield j, float(contributions[j]), share, error

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
            signals=tuple(player.name for player in self.reasons.game.roster.players),
            values=tuple(float(v) for v in answer.contributions[k]),
            fit_quality=float("nan") if quality is None else float(quality[k]),
            value_function=answer.value_function,
            lows=() if ends is None else tuple(ends[k, :, 0].tolist()),
            highs=() if ends is None else tuple(ends[k, :, 1].tolist()),
        )

    def _cells(self, k: int, verdict: Verdict) -> tuple[tuple[CellReason, ...], Label]:
        """Return the raw cells, by falling size; exact where each has its own Shapley value."""
        tracer, index, game = self.tracer, verdict.index, self.reasons.game
        cells, label = tracer.exact(index), Label.EXACT
        if cells is None:
            shared = tracer.cells(index, self.reasons.by_feature[k])
            wanted = self.reasons.by_player.contributions[k]
            cells = tracer.matched(index, shared, game.roster, wanted) if game.single else shared
            label = Label.ADDITIVE
        order = np.argsort(-np.abs(cells.contribution), kind="stable")
        lags = tracer.lags(index, cells)
        return tuple(
            self._cell(int(cells.row[i]), int(cells.signal[i]), int(lags[i]), cells.contribution[i])
            for i in order
        ), label

    def _cell(self, row: int, signal: int, lag: int, contribution: float) -> CellReason:
        described, seen = self.signals[signal], self._reader.cell(row, signal)
        return CellReason(
            signal=described.name,
            lag=lag,
            time=None if self.raw.time is None else int(self.raw.time[row]),
            value=seen.value,
            contribution=float(contribution),
            unit=described.unit,
            word=seen.word,
        )
