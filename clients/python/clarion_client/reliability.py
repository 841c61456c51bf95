"""Whether a promised false-alarm rate was kept; a figure that is not defined is None."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from clarion_api.v1 import evaluation_pb2
from clarion_client.explanations import values_of
from clarion_client.packed import floats, moments

FloatArray = NDArray[np.float64]
Int64Array = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class ReliabilityCurve:
    """Realised false-alarm rates at promised ones, rising; at most 30 points.

    Each array has shape ``(k,)``.

    Attributes
    ----------
    promised_rates
        In (0, 0.5]: the p-values that calibration rows can reach, evenly spread in ratio.
    realised_rates, realised_low, realised_high
        Share of normal rows whose p-value is at most so large, and bounds of the rate behind it.
    band_low, band_high
        Where that rate lies for rows like the calibration rows, by the luck of those.
    """

    promised_rates: FloatArray
    realised_rates: FloatArray
    realised_low: FloatArray
    realised_high: FloatArray
    band_low: FloatArray
    band_high: FloatArray

    @classmethod
    def of(cls, message: evaluation_pb2.ReliabilityCurve) -> Self:
        """Return the curve of a message."""
        return cls(**{name: floats(packed) for name, packed in values_of(cls, message).items()})


@dataclass(frozen=True, slots=True, eq=False)
class RateTrace:
    """The realised false-alarm rate along the rows, in at most 50 stretches of normal rows.

    Attributes
    ----------
    first_rows, event_times
        Shape ``(k,)``: place of each stretch's first row among all rows, and when it was observed
        (UTC; None where rows have no times).
    normal_row_counts, false_alarm_counts
        Shape ``(k,)``: its normal rows, at least one, and those of them that raised an alarm.
    realised_low, realised_high
        Shape ``(k,)``: bounds of the rate behind them.
    """

    first_rows: Int64Array
    event_times: NDArray[np.datetime64] | None
    normal_row_counts: Int64Array
    false_alarm_counts: Int64Array
    realised_low: FloatArray
    realised_high: FloatArray

    @classmethod
    def of(cls, message: evaluation_pb2.RateTrace) -> Self:
        """Return the trace of a message."""
        return cls(
            np.array(message.first_rows, np.int64),
            moments(message.event_times),
            np.array(message.normal_row_counts, np.int64),
            np.array(message.false_alarm_counts, np.int64),
            floats(message.realised_low),
            floats(message.realised_high),
        )

    @property
    def realised_rates(self) -> FloatArray:
        """Share of each stretch's normal rows that raised an alarm, shape ``(k,)``, in [0, 1]."""
        rates: FloatArray = self.false_alarm_counts / self.normal_row_counts
        return rates


@dataclass(frozen=True, slots=True, eq=False)
class DriftTrace:
    """What a test for drift held of rows, in at most 500 stretches of rows.

    Attributes
    ----------
    first_rows, event_times
        Shape ``(k,)``: place of each stretch's first row, and when it was observed (UTC; None where
        rows have no times).
    log10_capitals
        Shape ``(k,)``: log10 of its largest capital.
    alarm_rows, alarm_times
        Shape ``(a,)``: the first row of each epoch at which drift was told, and when (likewise).
    alarm_log10_capital, epoch_row_count
        Log10 of the capital at which it is; the rows after which the capital begins anew.
    """

    first_rows: Int64Array
    event_times: NDArray[np.datetime64] | None
    log10_capitals: FloatArray
    alarm_rows: Int64Array
    alarm_times: NDArray[np.datetime64] | None
    alarm_log10_capital: float
    epoch_row_count: int

    @classmethod
    def of(cls, message: evaluation_pb2.DriftTrace) -> Self:
        """Return the trace of a message."""
        return cls(
            np.array(message.first_rows, np.int64),
            moments(message.event_times),
            floats(message.log10_capitals),
            np.array(message.alarm_rows, np.int64),
            moments(message.alarm_times),
            message.alarm_log10_capital,
            message.epoch_row_count,
        )


@dataclass(frozen=True, slots=True, eq=False)
class ReliabilityReport:
    """Whether the promised false-alarm rate was kept on rows labelled normal that have a score.

    All bounds are of 95 % and take rows as independent: alarms of rows in time order come in bursts,
    and there the true ones are wider.

    Attributes
    ----------
    promised_rate, expected_rate, allowed_rate
        What is promised; the share of normal rows expected to reach the threshold, less where the
        promise is a certain one; the most that the promise allows, by the luck of the calibration rows.
    calibration_row_count, normal_row_count, false_alarm_count
        Rows that the calibration rests on; normal rows judged; those of them that raised an alarm.
    realised_rate, realised_low, realised_high
        Share of them, and bounds of the rate behind it, in [0, 1]; None without normal rows.
    ratio
        Realised over promised rate.
    kept
        Whether the rate behind it can be one that the promise allows. Fewer false alarms keep it too.
    curve
        Realised rates at other promised ones.
    rates
        The realised rate along the rows; empty without time order.
    drift, normal_drift
        A test for drift of all rows, as a stream would hold it, and of the normal ones alone, which no
        anomaly alarms; empty without time order.
    """

    promised_rate: float
    expected_rate: float
    allowed_rate: float
    calibration_row_count: int
    normal_row_count: int
    false_alarm_count: int
    realised_rate: float | None
    realised_low: float | None
    realised_high: float | None
    ratio: float | None
    kept: bool | None
    curve: ReliabilityCurve
    rates: RateTrace
    drift: DriftTrace
    normal_drift: DriftTrace

    @classmethod
    def of(cls, message: evaluation_pb2.ReliabilityReport) -> Self:
        """Return the report of a message."""
        values = values_of(cls, message)
        values["curve"] = ReliabilityCurve.of(message.curve)
        values["rates"] = RateTrace.of(message.rates)
        values["drift"] = DriftTrace.of(message.drift)
        values["normal_drift"] = DriftTrace.of(message.normal_drift)
        return cls(**values)
