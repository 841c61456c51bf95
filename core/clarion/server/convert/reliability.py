"""Whether a promised false-alarm rate was kept, onto the wire."""

from __future__ import annotations

from clarion.arrays import Int64Array
from clarion.evaluation.reliability import Curve, Reliability, Stretches, Timeline
from clarion.pipeline.martingale import ALARM, EPOCH
from clarion.server.convert.numbers import bytes_of, defined
from clarion_api.v1 import evaluation_pb2 as pb


def reliability_to_proto(found: Reliability, times: Int64Array | None) -> pb.ReliabilityReport:
    """Return the message of what was found on rows observed at ``times`` (n,); None if unknown."""
    rates, promised = found.rates, found.promised
    return pb.ReliabilityReport(
        promised_rate=promised.rate,
        expected_rate=promised.expected,
        allowed_rate=promised.allowed,
        calibration_row_count=promised.calibration_rows,
        normal_row_count=int(rates.rows[0]),
        false_alarm_count=int(rates.alarms[0]),
        realised_rate=defined(found.realised_rate),
        realised_low=defined(float(rates.low[0])),
        realised_high=defined(float(rates.high[0])),
        ratio=defined(found.ratio),
        kept=found.kept,
        curve=_curve(found.curve),
        rates=_rates(found.over_time, times),
        drift=_drift(found.drift, times),
        normal_drift=_drift(found.normal_drift, times),
    )


def _curve(curve: Curve) -> pb.ReliabilityCurve:
    return pb.ReliabilityCurve(
        promised_rates=bytes_of(curve.promised, "<f8"),
        realised_rates=bytes_of(curve.rates.realised, "<f8"),
        realised_low=bytes_of(curve.rates.low, "<f8"),
        realised_high=bytes_of(curve.rates.high, "<f8"),
        band_low=bytes_of(curve.band_low, "<f8"),
        band_high=bytes_of(curve.band_high, "<f8"),
    )


def _rates(found: Stretches, times: Int64Array | None) -> pb.RateTrace:
    return pb.RateTrace(
        first_rows=found.first_rows.tolist(),
        event_times=_times(found.first_rows, times),
        normal_row_counts=found.rates.rows.tolist(),
        false_alarm_counts=found.rates.alarms.tolist(),
        realised_low=bytes_of(found.rates.low, "<f8"),
        realised_high=bytes_of(found.rates.high, "<f8"),
    )


def _drift(found: Timeline, times: Int64Array | None) -> pb.DriftTrace:
    return pb.DriftTrace(
        first_rows=found.first_rows.tolist(),
        event_times=_times(found.first_rows, times),
        log10_capitals=bytes_of(found.log10_capital, "<f8"),
        alarm_rows=found.alarm_rows.tolist(),
        alarm_times=_times(found.alarm_rows, times),
        alarm_log10_capital=ALARM,
        epoch_row_count=EPOCH,
    )


def _times(rows: Int64Array, times: Int64Array | None) -> bytes:
    return b"" if times is None else bytes_of(times[rows], "<i8")
