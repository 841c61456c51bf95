"""Whether the promise was kept, as words: the same on the screen and on the page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clarion.cli.evaluation_tables import NOT_DEFINED

if TYPE_CHECKING:
    from clarion_client import DriftTrace, ReliabilityReport


def facts(report: ReliabilityReport | None) -> list[tuple[str, str]]:
    """Return what was promised and what became of it, as names and values; none where it is not told."""
    if report is None:
        return []
    told = [
        ("promised", _promised(report)),
        ("realised", _realised(report)),
        ("promise kept", kept(report)),
    ]
    if len(report.drift.first_rows):
        told.append(("drift, all rows", _drift(report.drift)))
    if len(report.normal_drift.first_rows):
        told.append(("drift, normal rows", _drift(report.normal_drift)))
    return told


def kept(report: ReliabilityReport) -> str:
    """Return whether the promise was kept, and by how much it was not."""
    if report.kept is None or report.ratio is None or report.realised_high is None:
        return f"{NOT_DEFINED} (no row labelled normal has a score)"
    times = f"{report.ratio:.3g} times what was promised"
    if not report.kept:
        return f"no: {times}, and luck allows {report.allowed_rate:.4g} at most"
    if report.realised_high < report.expected_rate:
        return f"yes, with fewer false alarms than expected: {times}"
    return f"yes: {times}"


def _promised(report: ReliabilityReport) -> str:
    words = f"a false-alarm rate of {report.promised_rate:.4g}"
    if report.expected_rate < report.promised_rate:
        words += f" at most, {report.expected_rate:.4g} expected"
    return f"{words}, from {report.calibration_row_count:,} calibration rows"


def _realised(report: ReliabilityReport) -> str:
    if report.realised_rate is None:
        return NOT_DEFINED
    return (
        f"{report.realised_rate:.4g} (95 % bounds {report.realised_low:.4g} to "
        f"{report.realised_high:.4g}): {report.false_alarm_count:,} of "
        f"{report.normal_row_count:,} normal rows"
    )


def _drift(trace: DriftTrace) -> str:
    if not len(trace.alarm_rows):
        return f"none told; log10 of the capital reached {trace.log10_capitals.max():.3g}"
    words = f"told at row {trace.alarm_rows[0]:,}"
    if trace.alarm_times is not None:
        words += f" ({trace.alarm_times[0].astype('datetime64[s]')}Z)"
    again = len(trace.alarm_rows) - 1
    return words + (
        f", and in {again:,} later epochs of {trace.epoch_row_count:,} rows" if again else ""
    )
