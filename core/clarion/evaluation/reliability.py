"""Reliability: whether promised false-alarm rates were kept on rows that labels call normal, and when not.

Bounds take rows as independent. Alarms of rows in time order come in bursts: there the true ones are wider.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from scipy import special

from clarion.arrays import BoolArray, FloatArray, Int64Array
from clarion.evaluation.metrics import check_rows, ratio
from clarion.pipeline.martingale import ALARM, EPOCH, Martingale

CERTAINTY = 0.95
"""Of all bounds: what lies outside is as likely above as below."""
MOST_RATES = 30
MOST_STRETCHES = 50
"""Stretches of rows whose rates are told one by one."""
_LEAST_ROWS = 20
"""Normal rows of a stretch, where there are as many."""
MOST_POINTS = 500
"""Points of a drift timeline."""
_OUTSIDE = (1.0 - CERTAINTY) / 2.0


@dataclass(frozen=True, slots=True)
class Promised:
    """What a threshold promises.

    Attributes
    ----------
    rate
        The false-alarm rate, in (0, 1).
    expected
        The share of normal rows that is expected to reach the threshold, in (0, 1): ``rate`` or less.
    calibration_rows
        How many held-out rows it rests on.
    """

    rate: float
    expected: float
    calibration_rows: int

    @property
    def allowed(self) -> float:
        """The largest rate that the promise allows, for the luck of the held-out rows is part of it."""
        rank = np.array([round(self.expected * (self.calibration_rows + 1))])
        _, high = realised_law(rank, self.calibration_rows)
        return max(self.rate, float(high[0]))


@dataclass(frozen=True, slots=True, eq=False)
class Rates:
    """How many of some normal rows raised an alarm, each array of shape ``(k,)``.

    Attributes
    ----------
    rows, alarms
        Normal rows, and false alarms among them.
    low, high
        Bounds of the rate behind them, in [0, 1]; NaN without rows.
    """

    rows: Int64Array
    alarms: Int64Array
    low: FloatArray
    high: FloatArray

    @classmethod
    def of(cls, rows: Int64Array, alarms: Int64Array) -> Self:
        """Return counts with their exact binomial bounds."""
        return cls(rows, alarms, *binomial_bounds(rows, alarms))

    @property
    def realised(self) -> FloatArray:
        """Share of the rows that raised an alarm, in [0, 1]; NaN without rows."""
        return np.where(self.rows > 0, self.alarms / np.maximum(self.rows, 1), np.nan)


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """Realised rates at promised ones, each array of shape ``(k,)``.

    Attributes
    ----------
    promised
        Rising, in (0, 0.5]: the p-values that calibration rows can reach, evenly spread in ratio.
    rates
        Of the normal rows whose p-value is at most so large.
    band_low, band_high
        Where the rate behind them lies if rows are like the calibration rows, by the luck of those.
    """

    promised: FloatArray
    rates: Rates
    band_low: FloatArray
    band_high: FloatArray

    @classmethod
    def of(cls, p_values: FloatArray, calibration_rows: int) -> Self:
        """Return the curve of normal rows' ``p_values`` (n,); without points where there are none."""
        steps = np.geomspace(1.0, max(1.0, (calibration_rows + 1) // 2), MOST_RATES)
        ranks = np.unique(np.rint(steps).astype(np.int64))[: MOST_RATES if len(p_values) else 0]
        promised = ranks / (calibration_rows + 1.0)  # as p-values are worked out, so that ties tie
        alarms = np.searchsorted(np.sort(p_values), promised, side="right")
        rates = Rates.of(np.full(len(ranks), len(p_values)), alarms.astype(np.int64))
        return cls(promised, rates, *realised_law(ranks, calibration_rows))


@dataclass(frozen=True, slots=True, eq=False)
class Stretches:
    """Rates along the rows: ``first_rows`` (k,) are the rows that stretches of normal rows begin with."""

    first_rows: Int64Array
    rates: Rates

    @classmethod
    def of(cls, rows: Int64Array, alarms: BoolArray) -> Self:
        """Cut normal ``rows`` (n,), whose ``alarms`` are given, into stretches of about equal length."""
        count = min(MOST_STRETCHES, -(-len(rows) // _LEAST_ROWS))
        begins = np.linspace(0, len(rows), count, endpoint=False).astype(np.int64)
        counts = np.diff(np.append(begins, len(rows)))
        raised = np.add.reduceat(alarms, begins, dtype=np.int64) if count else begins
        return cls(rows[begins], Rates.of(counts, raised))


@dataclass(frozen=True, slots=True, eq=False)
class Timeline:
    """What the test for drift held of rows, in stretches.

    Attributes
    ----------
    first_rows, log10_capital
        Shape ``(k,)``: the row that each stretch begins with, and log10 of its largest capital.
    alarm_rows
        The first row of each `EPOCH` rows at which the capital reached ``10 ** ALARM``, where it did.
    """

    first_rows: Int64Array
    log10_capital: FloatArray
    alarm_rows: Int64Array

    @classmethod
    def of(cls, rows: Int64Array, p_values: FloatArray, calibration_rows: int) -> Self:
        """Let a stream's test follow ``rows`` (n,), whose ``p_values`` are given."""
        told, _ = Martingale.start(calibration_rows).follow(p_values)
        begins = np.linspace(0, len(told), min(len(told), MOST_POINTS), endpoint=False)
        places = begins.astype(np.int64)
        highest = np.maximum.reduceat(told, places) if len(told) else told
        reached = np.flatnonzero(told >= ALARM)
        _, first = np.unique(reached // EPOCH, return_index=True)
        return cls(rows[places], highest, rows[reached[first]])

    @property
    def alarm_row(self) -> int | None:
        """The first row at which it told drift; None if it never did."""
        return int(self.alarm_rows[0]) if len(self.alarm_rows) else None


@dataclass(frozen=True, slots=True, eq=False)
class Reliability:
    """Whether the promise was kept on the normal rows that have a score.

    Attributes
    ----------
    promised
        What the threshold in use promises.
    rates
        Of all these rows, shape ``(1,)``.
    curve
        At other rates.
    over_time
        At the rate in use, along the rows; empty where rows are not ordered.
    drift, normal_drift
        The test for drift as a stream of all rows would hold it, and of the normal rows alone: an
        anomaly may alarm the first, only a change of what is normal the second. Empty likewise.
    """

    promised: Promised
    rates: Rates
    curve: Curve
    over_time: Stretches
    drift: Timeline
    normal_drift: Timeline

    @classmethod
    def of(
        cls,
        p_values: FloatArray,
        alarms: BoolArray,
        labels: BoolArray,
        promised: Promised,
        *,
        ordered: bool,
    ) -> Self:
        """Judge a promise by labelled rows.

        Parameters
        ----------
        p_values, alarms, labels
            Shape ``(n,)``: NaN for rows without a score; what was said; True where anomalous.
        ordered
            Whether rows are in time order.
        """
        check_rows(alarms, labels)
        scored = ~np.isnan(p_values)
        normal = np.flatnonzero(scored & ~labels)
        in_order, everything = (normal, np.flatnonzero(scored)) if ordered else (normal[:0],) * 2
        held = promised.calibration_rows
        counts = np.array([[len(normal)], [alarms[normal].sum()]], np.int64)
        return cls(
            promised=promised,
            rates=Rates.of(*counts),
            curve=Curve.of(p_values[normal], held),
            over_time=Stretches.of(in_order, alarms[in_order]),
            drift=Timeline.of(everything, p_values[everything], held),
            normal_drift=Timeline.of(in_order, p_values[in_order], held),
        )

    @property
    def realised_rate(self) -> float:
        """Share of the normal rows that raised an alarm, in [0, 1]; NaN without such rows."""
        return float(self.rates.realised[0])

    @property
    def ratio(self) -> float:
        """Realised over promised rate: 1 is right; NaN without normal rows."""
        return ratio(self.realised_rate, self.promised.rate)

    @property
    def kept(self) -> bool | None:
        """Whether the rate behind the alarms can be one that the promise allows; None without rows.

        Fewer false alarms than promised keep the promise too.
        """
        low = float(self.rates.low[0])
        return None if math.isnan(low) else low <= self.promised.allowed

    def to_json(self) -> dict[str, Any]:
        """Return its figures as JSON values, None where they are not defined."""
        realised = None if self.kept is None else self.realised_rate
        return {
            "normal_rows": int(self.rates.rows[0]),
            "promised_rate": self.promised.rate,
            "realised_rate": realised,
            "ratio": None if realised is None else self.ratio,
            "kept": self.kept,
            "drift_alarm_row": self.drift.alarm_row,
            "normal_drift_alarm_row": self.normal_drift.alarm_row,
        }


def binomial_bounds(rows: Int64Array, alarms: Int64Array) -> tuple[FloatArray, FloatArray]:
    """Return bounds of the rates behind ``alarms`` among ``rows``, shape ``(k,)``; NaN without rows.

    Clopper & Pearson (1934), Biometrika 26(4): exact, so at least as certain as `CERTAINTY`.
    """
    quiet, loud = alarms == 0, alarms == rows
    with np.errstate(invalid="ignore"):
        low = special.betaincinv(np.maximum(alarms, 1), rows - alarms + 1, _OUTSIDE)
        high = special.betaincinv(alarms + 1, np.maximum(rows - alarms, 1), 1.0 - _OUTSIDE)
    none = rows == 0
    low, high = np.where(quiet, 0.0, low), np.where(loud, 1.0, high)
    return np.where(none, np.nan, low), np.where(none, np.nan, high)


def realised_law(ranks: Int64Array, calibration_rows: int) -> tuple[FloatArray, FloatArray]:
    """Return bounds of the rate that a threshold above the k-th largest held-out score realises.

    Its law is Beta(k, n + 1 - k) for rows like the ``n`` calibration rows (Vovk 2012, Asian Conference
    on Machine Learning, Proposition 2a). ``ranks`` (m,) are k, in [0, n]; both are 0 at k = 0, where
    no held-out score sets the threshold.
    """
    k = np.maximum(ranks, 1)
    low, high = (
        special.betaincinv(k, calibration_rows + 1 - k, p) for p in (_OUTSIDE, 1 - _OUTSIDE)
    )
    return np.where(ranks > 0, low, 0.0), np.where(ranks > 0, high, 0.0)
