"""The part of an evaluation's page that tells whether the promise was kept."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from clarion.arrays import Int64Array
from clarion.cli.confidence_tables import facts
from clarion.evaluation import confidence_pictures as draw
from clarion.evaluation.page import card, row, section, table
from clarion.evaluation.pictures import Span
from clarion_client import DriftTrace, RateTrace, ReliabilityReport


def confidence_section(report: ReliabilityReport, spans: Sequence[Span]) -> str:
    """Return the section; ``spans`` are the stretches that labels call anomalous."""
    words = (
        "A threshold promises a false-alarm rate; the rows labelled normal tell whether it was kept. "
        "Dots are realised rates, with 95 % bounds that take rows as independent: alarms of rows in "
        "time order come in bursts, and there the true bounds are wider. The shaded area is what the "
        "luck of the calibration rows allows. The threshold in use may be stricter than its rate, to keep "
        "it with 95 % certainty."
    )
    cards = [row(card(_curve(report)), card(table(("", ""), facts(report))))]
    if len(report.rates.first_rows):
        cards.append(card(_rates(report), heading="Along the rows"))
    if len(report.drift.first_rows) and len(report.normal_drift.first_rows):
        words_of_drift = (
            "log10 of the capital of a test that bets on rows being stranger than the calibration "
            "rows, as a stream would hold it. Anomalies may raise it for all rows; for the rows "
            "labelled normal only a change of what is normal does. It begins anew every "
            f"{report.drift.epoch_row_count:,} rows."
        )
        cards.append(card(_drift(report, spans), heading="Drift", words=words_of_drift))
    return section("Is the promise kept?", words, *cards)


def _curve(report: ReliabilityReport) -> str:
    curve, realised = report.curve, report.realised_rate
    if not len(curve.promised_rates):
        return "<p>No row labelled normal has a score.</p>"
    return draw.reliability(
        "Realised and promised",
        curve.promised_rates,
        draw.Bounded(curve.realised_rates, curve.realised_low, curve.realised_high),
        (curve.band_low, curve.band_high),
        marked=None if realised is None else (report.promised_rate, realised),
    )


def _rates(report: ReliabilityReport) -> str:
    rates = report.rates
    return draw.rates_over_time(
        "Realised false-alarm rate along the rows",
        _stamps(rates),
        draw.Bounded(rates.realised_rates, rates.realised_low, rates.realised_high),
        report.promised_rate,
        allowed=report.allowed_rate,
        timed=rates.event_times is not None,
    )


def _drift(report: ReliabilityReport, spans: Sequence[Span]) -> str:
    return draw.drift_timeline(
        "Test for drift along the rows",
        _line("all rows", report.drift),
        _line("rows labelled normal", report.normal_drift),
        report.drift.alarm_log10_capital,
        spans=spans,
        timed=report.drift.event_times is not None,
    )


def _line(words: str, trace: DriftTrace) -> draw.Line:
    alarms = trace.alarm_rows if trace.alarm_times is None else _nanoseconds(trace.alarm_times)
    return draw.Line(words, _stamps(trace), trace.log10_capitals, alarms)


def _stamps(trace: RateTrace | DriftTrace) -> Int64Array:
    return trace.first_rows if trace.event_times is None else _nanoseconds(trace.event_times)


def _nanoseconds(moments: np.ndarray[Any, Any]) -> Int64Array:
    return moments.astype(np.int64)
