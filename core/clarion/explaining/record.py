"""Records: everything about one explained row, gathered in one place."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from clarion.arrays import FloatArray
from clarion.explainers import Attribution, Label
from clarion.explaining.background import Background, Positions, asset_positions
from clarion.explaining.clearing.culprits import Cleared, Clearer
from clarion.explaining.clearing.record import CulpritWriter
from clarion.explaining.reasons import Reasons
from clarion.explaining.summary import summarise
from clarion.explaining.tracing import Tracer
from clarion.explaining.values import Reader, identity
from clarion.frames import Frame, Signal, SignalKind
from clarion.pipeline.answer import (
    CellReason,
    CrossCheck,
    Explanation,
    PlayerReason,
    SignalReason,
)
from clarion.pipeline.calibrate import Calibration
from clarion.pipeline.chain import Transformed
from clarion.pipeline.memory import Run
from clarion.pipeline.reference import Level, Levels


@dataclass(frozen=True, slots=True, eq=False)
class Verdict:
    """One explained row: its place in the features, in the raw rows and in the request.

    ``asset_class`` is its class, as `clarion.pipeline.calibrate.Calibration.classes_of` says; ``level``
    what it met, None for that of its class.
    """

    index: int
    source: int
    number: int
    score: float
    p_value: float
    extrapolated: bool
    asset_class: int
    anomalous: bool
    run: Run
    level: Level | None = None


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
    strange
        Their ranking scores, shape ``(m, n_signals)``.
    tracer
        Leads to their raw cells.
    levels
        The thresholds of their asset classes.
    digest, stream
        Parts of the anomalies' identity.
    """

    signals: tuple[Signal, ...]
    raw: Frame
    done: Transformed
    reasons: Reasons
    strange: FloatArray
    tracer: Tracer
    background: Background
    clearer: Clearer
    calibration: Calibration
    levels: Levels
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
        plain = self.reasons.game.roster.plain
        level = self._level(verdict)
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
            extrapolated=verdict.extrapolated,
            threshold=level.threshold,
            false_alarms_per_week=self.calibration.false_alarms_per_week(level),
            base_value=float(self.reasons.by_player.base_value[k]),
            label=self.reasons.by_player.label,
            method=self.reasons.by_player.method,
            signal_ranking=self._ranking(k, source) if plain else (),
            player_ranking=() if plain else self._player_ranking(k),
            **self._cleared(verdict, features),
            cross_checks=tuple(
                self._cross_check(name, a, k) for name, a in self.reasons.cross_checks
            ),
            cells=cells,
            cells_label=cells_label,
            summary="",
        )
        return replace(made, summary=summarise(made))

    def _ranking(self, k: int, source: int) -> tuple[SignalReason, ...]:
        """Return all signals by falling ranking score; ties by contribution, then in their order."""
        reasons, strange = [], self.strange[k].tolist()
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
                    ranking_score=strange[j],
                )
            )
        return tuple(sorted(reasons, key=lambda reason: -reason.ranking_score))

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

    def _cleared(self, verdict: Verdict, features: Frame) -> dict[str, Any]:
        """Return what clears an anomalous row, as fields of the record."""
        if not verdict.anomalous:
            nothing = Cleared.nothing(features, verdict.score)
            return self._writer.fields(nothing, [], verdict.asset_class)
        raw = self.clearer.raw.row(self.raw, self.done, verdict.index, self._positions)
        cleared = self.clearer.clear(features, self._level(verdict).threshold, raw)
        seen = [self._reader.cell(verdict.source, j) for j in cleared.clearing.signals]
        return self._writer.fields(cleared, seen, verdict.asset_class)

    def _level(self, verdict: Verdict) -> Level:
        return verdict.level or self.levels.of(verdict.asset_class)

    @cached_property
    def _positions(self) -> Positions:
        return asset_positions(self.raw)

    @cached_property
    def _writer(self) -> CulpritWriter:
        plausible = self.clearer.plausibility
        return CulpritWriter(
            self.signals, self.background, self.calibration, plausible, self.with_cells
        )

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
        """Return the raw cells, by falling size; exact where each has its own Shapley value.

        That is so where a signal is its one cell, and in the marginal game of `Tracer.exact`: of
        another game's answer those would not be the parts.
        """
        tracer, index, game = self.tracer, verdict.index, self.reasons.game
        answer = self.reasons.by_player
        cells = tracer.exact(index) if "marginal" in answer.value_function else None
        one_each = tracer.row_by_row and game.roster.plain and answer.label is Label.EXACT
        label = Label.EXACT if cells is not None or one_each else Label.ADDITIVE
        if cells is None:
            shared, wanted = (
                tracer.cells(index, self.reasons.by_feature[k]),
                answer.contributions[k],
            )
            cells = tracer.matched(index, shared, game.roster, wanted) if game.single else shared
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
