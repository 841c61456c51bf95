"""Confidence on a stream: how each row is judged, and whether the calibration still holds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from enum import StrEnum

import numpy as np

from clarion.arrays import BoolArray, FloatArray, Int64Array, NumericArray
from clarion.errors import ArtifactCorruptError, InvalidParameterError
from clarion.frames import Frame
from clarion.pipeline.calibrate import Calibration
from clarion.pipeline.drift import NOT, Drift
from clarion.pipeline.fdr import FdrMemory, FdrRule
from clarion.pipeline.martingale import Martingale
from clarion.pipeline.moved import MovedSignal, SignalReference
from clarion.pipeline.recalibration import CONFIRMED_ROWS, Recalibration
from clarion.pipeline.rolling import RENEWED, Rolling
from clarion.state import State, nested, unnested

DEFAULT_FDR = 0.1
_VERSION = 1


class AlarmRule(StrEnum):
    """What makes a row of a stream anomalous."""

    FIXED_RATE = "fixed_rate"
    """A p-value no larger than one rate, whatever came before."""
    FDR = "fdr"
    """A p-value no larger than a level that keeps the share of false alarms among all alarms."""


@dataclass(frozen=True, slots=True)
class StreamRules:
    """How the rows of a stream are judged.

    Attributes
    ----------
    fdr
        Share of false alarms among all, in (0, 0.5]; of the rule ``fdr`` only.
    recalibration
        What is done once drift is confirmed.
    """

    alarm_rule: AlarmRule = AlarmRule.FIXED_RATE
    fdr: float = DEFAULT_FDR
    recalibration: Recalibration = Recalibration.MANUAL

    def levels(self, calibration: Calibration) -> FdrRule | None:
        """Return the rule of false discoveries that ``calibration`` allows; None for the fixed rate.

        Raises
        ------
        InvalidParameterError, UnreachableRateError
            See `FdrRule.of`.
        """
        if self.alarm_rule is AlarmRule.FIXED_RATE:
            return None
        smallest = float(calibration.p_values(np.array([np.finfo(np.float64).max]))[0])
        return FdrRule.of(self.fdr, smallest)


@dataclass(frozen=True, slots=True, eq=False)
class Observed:
    """The scored rows of one frame, in order.

    Attributes
    ----------
    frozen
        Shape ``(n,)``: p-values under the model's own calibration.
    anomalous, beyond
        Shape ``(n,)``: whether the fixed rate and that calibration call them so, and whether they are
        beyond all its rows.
    rate
        The p-value at which they do.
    time
        Shape ``(n,)``, nanoseconds since 1970 UTC; None if unknown.
    raw, row
        The numeric raw values of all rows sent, ``(m, d)``, and which of them was scored, ``(n,)``.
    """

    frozen: FloatArray
    anomalous: BoolArray
    beyond: BoolArray
    rate: float
    time: Int64Array | None
    raw: NumericArray
    row: Int64Array

    @classmethod
    def of(
        cls,
        sent: Frame,
        rows: Int64Array,
        frozen: FloatArray,
        verdicts: tuple[BoolArray, BoolArray],
        rate: float,
    ) -> Observed:
        """Return what is seen of the ``rows`` scored of those ``sent``; ``verdicts``: anomalous, beyond."""
        time = None if sent.time is None else sent.time[rows]
        return cls(frozen, *verdicts, rate, time, sent.values, rows)


@dataclass(frozen=True, slots=True)
class Since:
    """A row of the stream, counted from 0 among those scored, and its time, if known."""

    row: int
    time: int | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Span:
    """Rows of a frame, from ``start`` on, judged by one state of the rolling calibration.

    ``decides`` says whether it judges them, or only stands beside the frozen one.
    """

    start: int
    rolling: Rolling
    decides: bool


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """What was made of a frame's rows, each of shape ``(n,)``.

    Attributes
    ----------
    p_values
        Those that decide: the frozen ones, or after an automatic recalibration the rolling ones.
    rolling
        The rolling ones.
    levels
        The largest p-value that is anomalous.
    """

    p_values: FloatArray
    rolling: FloatArray
    levels: FloatArray
    anomalous: BoolArray
    spans: tuple[Span, ...]

    def span_of(self, index: int) -> Span:
        """Return the span of one row."""
        starts = [span.start for span in self.spans]
        return self.spans[int(np.searchsorted(starts, index, side="right")) - 1]

    def frozen_level(self, index: int) -> float:
        """Return the largest frozen p-value at which that row would be anomalous."""
        span, level = self.span_of(index), float(self.levels[index])
        return span.rolling.level(level) if span.decides else level


@dataclass(frozen=True, slots=True, eq=False)
class Confidence:
    """What a stream remembers to judge its rows. Plain data, never changed in place, bounded.

    About 70 kB, and at most 2 MiB of raw values. Rows count in the order in which they are sent, whatever
    their times say: a clock that jumps changes no verdict. All assets share it: one that floods has as
    many of its rows as there are.

    Attributes
    ----------
    calibration_id
        The model's own calibration: no other one can go on with it.
    risen
        Since when there is drift; None while there is none.
    moved
        The signals that had moved by then, or when the rolling window was last renewed.
    confirmed
        Whether drift stood for `CONFIRMED_ROWS` rows with the rolling window still apart.
    adopted
        Since when the rolling calibration decides; None while it does not.
    recent
        Raw values of the last rows, shape ``(m, d)``.
    """

    calibration_id: str
    rolling: Rolling
    drift: Drift
    tests: FdrMemory = field(default_factory=FdrMemory)
    risen: Since | None = None
    moved: tuple[MovedSignal, ...] = ()
    confirmed: bool = False
    adopted: Since | None = None
    recent: FloatArray | None = None

    @classmethod
    def start(cls, calibration: Calibration) -> Confidence:
        """Return what a new stream knows."""
        rows = calibration.rows
        return cls(calibration.id, Rolling(rows), Drift(Martingale.start(rows)))

    def judge(
        self, seen: Observed, rules: StreamRules, rule: FdrRule | None, reference: SignalReference
    ) -> tuple[Judged, Confidence]:
        """Judge a frame's rows, and return what the stream remembers after them.

        Any cut of the stream into frames gives the same. ``rule`` is that of ``rules.levels``.
        """
        now, parts = self, [_Part.empty()]
        for start, stop in _blocks(len(seen.frozen), self.rolling.until_renewed):
            part, now = now._block(seen, start, stop, rules, rule, reference)
            parts.append(part)
        recent = _recent(self.recent, seen.raw, reference.recent_rows)
        return _judged(parts), replace(now, recent=recent)

    def require(self, calibration: Calibration) -> Confidence:
        """Return self if it goes with ``calibration``.

        Raises
        ------
        InvalidParameterError
            It is another model's, or that of another calibration.
        """
        if self.calibration_id != calibration.id:
            raise InvalidParameterError(
                f"the stream's memory rests on the calibration {self.calibration_id}, and the model has "
                f"{calibration.id}; begin the stream anew",
                field="memory",
            )
        return self

    def _block(
        self,
        seen: Observed,
        start: int,
        stop: int,
        rules: StreamRules,
        rule: FdrRule | None,
        reference: SignalReference,
    ) -> tuple[_Part, Confidence]:
        """Judge rows within which the rolling calibration is not renewed."""
        frozen, first = seen.frozen[start:stop], self.rolling.rows
        beyond = seen.beyond[start:stop]
        rolled, decides = self.rolling.p_values(frozen, beyond), self.adopted is not None
        active = rolled if decides else frozen
        tests, rate = self.tests, np.full(len(frozen), seen.rate)
        if rule is not None:
            levels, anomalous, tests = tests.test(active, rule)
        elif decides:
            levels, anomalous = rate, frozen <= self.rolling.level(seen.rate)
        else:
            levels, anomalous = rate, seen.anomalous[start:stop]
        span = Span(start, self.rolling, decides)
        part = _Part(active, rolled, levels, anomalous, span)
        now = replace(
            self,
            rolling=self.rolling.fed(frozen, beyond),
            drift=self.drift.follow(frozen, first, seen.rate),
            tests=tests,
        )._told(seen, start, first, self.recent, reference)
        if now.rolling.rows % RENEWED == 0:
            now = now._renewed(seen, start, first, self.recent, rules, reference)
        return part, now

    def _renewed(
        self,
        seen: Observed,
        start: int,
        first: int,
        recent: FloatArray | None,
        rules: StreamRules,
        reference: SignalReference,
    ) -> Confidence:
        """Compare the window just renewed with the frozen reference, and adopt it if so asked."""
        last = self.rolling.rows - 1
        apart = self.rolling.disagrees
        now = replace(self, drift=self.drift.compared(last, seen.rate, apart=apart))
        now = now._told(seen, start, first, recent, reference)
        if now.risen is not None:
            now = replace(now, moved=_moved(seen, start + last - first, recent, reference))
        stood = now.risen is not None and last - now.risen.row >= CONFIRMED_ROWS
        now = replace(now, confirmed=apart and stood)
        if now.confirmed and now.adopted is None and rules.recalibration is Recalibration.AUTOMATIC:
            return replace(now, adopted=_since(seen, start + last - first, last))
        return now

    def _told(
        self,
        seen: Observed,
        start: int,
        first: int,
        recent: FloatArray | None,
        reference: SignalReference,
    ) -> Confidence:
        """Note since when there is drift, and which signals moved; row ``first`` is seen at ``start``."""
        row = self.drift.since
        if row == NOT:
            return replace(self, risen=None, moved=(), confirmed=False)
        if self.risen is not None:
            return self
        index = start + row - first
        moved = _moved(seen, index, recent, reference)
        return replace(self, risen=_since(seen, index, row), moved=moved)

    def state(self) -> State:
        """Return all of it, as a checkpoint."""
        parts = {
            "rolling": self.rolling.state(),
            "drift": self.drift.state(),
            "tests": self.tests.state(),
        }
        whole = nested(parts)
        parameters = {
            "parts": whole.parameters,
            "calibration_id": self.calibration_id,
            "risen": _values(self.risen),
            "moved": [[m.signal, m.shift, m.spread, m.evidence] for m in self.moved],
            "confirmed": self.confirmed,
            "adopted": _values(self.adopted),
        }
        kept = {} if self.recent is None else {"recent": self.recent}
        return State(_VERSION, parameters, {**whole.arrays, **kept})

    @classmethod
    def from_state(cls, state: State) -> Confidence:
        """Return what `state` describes.

        Raises
        ------
        ArtifactCorruptError
            It describes none, or is of another version.
        """
        values = state.require(_VERSION).parameter("parts", dict)
        parts = unnested(replace(state, version=1, parameters=values))
        try:
            return cls(
                state.parameter("calibration_id", str),
                Rolling.from_state(parts["rolling"]),
                Drift.from_state(parts["drift"]),
                FdrMemory.from_state(parts["tests"]),
                _since_of(state.parameters["risen"]),
                tuple(
                    MovedSignal(str(name), float(shift), float(spread), float(evidence))
                    for name, shift, spread, evidence in state.parameter("moved", list)
                ),
                state.parameter("confirmed", bool),
                _since_of(state.parameters["adopted"]),
                state.arrays.get("recent"),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise ArtifactCorruptError(
                f"the stream's stored confidence cannot be read: {type(error).__name__}: {error}"
            ) from error


@dataclass(frozen=True, slots=True, eq=False)
class _Part:
    """What was made of one block of rows."""

    p_values: FloatArray
    rolling: FloatArray
    levels: FloatArray
    anomalous: BoolArray
    span: Span | None

    @classmethod
    def empty(cls) -> _Part:
        none = np.empty(0)
        return cls(none, none, none, np.empty(0, np.bool_), None)


def _judged(parts: list[_Part]) -> Judged:
    return Judged(
        np.concatenate([part.p_values for part in parts]),
        np.concatenate([part.rolling for part in parts]),
        np.concatenate([part.levels for part in parts]),
        np.concatenate([part.anomalous for part in parts]),
        tuple(part.span for part in parts if part.span is not None),
    )


def _blocks(rows: int, until_renewed: int) -> Iterator[tuple[int, int]]:
    """Yield start and stop of the rows between renewals."""
    start, stop = 0, min(until_renewed, rows)
    while start < rows:
        yield start, stop
        start, stop = stop, min(stop + RENEWED, rows)


def _moved(
    seen: Observed, index: int, recent: FloatArray | None, reference: SignalReference
) -> tuple[MovedSignal, ...]:
    """Return the signals that have moved by one of the rows seen."""
    past = seen.raw[: int(seen.row[index]) + 1]
    return reference.moved(_recent(recent, past, reference.recent_rows))


def _recent(before: FloatArray | None, raw: NumericArray, rows: int) -> FloatArray:
    """Return the last ``rows`` raw rows, a copy."""
    if before is None or len(raw) >= rows:
        return raw[-rows:].astype(np.float64)
    return np.concatenate([before, raw])[-rows:]


def _since(seen: Observed, index: int, row: int) -> Since:
    return Since(row, None if seen.time is None else int(seen.time[index]))


def _values(since: Since | None) -> list[int | None] | None:
    return None if since is None else [since.row, since.time]


def _since_of(values: list[int | None] | None) -> Since | None:
    if values is None:
        return None
    row, time = values
    return Since(int(row or 0), None if time is None else int(time))
