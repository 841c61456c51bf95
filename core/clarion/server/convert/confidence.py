"""Confidence on streams: the rules off the wire, and what is told of a stream onto it."""

from __future__ import annotations

from clarion.errors import InvalidParameterError
from clarion.pipeline.confidence import DEFAULT_FDR, AlarmRule, Since, StreamRules
from clarion.pipeline.recalibration import Proposal, Recalibration
from clarion.pipeline.watching import DriftReport, StreamReport
from clarion.server.convert.answers import timestamp
from clarion.server.convert.numbers import bytes_of
from clarion_api.v1 import detection_pb2 as pb

_RULES: dict[int, AlarmRule] = {
    pb.ALARM_RULE_UNSPECIFIED: AlarmRule.FIXED_RATE,
    pb.ALARM_RULE_FIXED_RATE: AlarmRule.FIXED_RATE,
    pb.ALARM_RULE_FDR: AlarmRule.FDR,
}
_RECALIBRATIONS: dict[int, Recalibration] = {
    pb.RECALIBRATION_UNSPECIFIED: Recalibration.MANUAL,
    pb.RECALIBRATION_MANUAL: Recalibration.MANUAL,
    pb.RECALIBRATION_PROPOSE: Recalibration.PROPOSE,
    pb.RECALIBRATION_AUTOMATIC: Recalibration.AUTOMATIC,
}


def rules_from_proto(opening: pb.StreamOpening) -> StreamRules:
    """Return how a stream is judged, defaults filled in.

    Raises
    ------
    InvalidParameterError
        A false-discovery rate, but not that rule.
    """
    rule = _RULES[opening.alarm_rule]
    if opening.HasField("fdr") and rule is not AlarmRule.FDR:
        raise InvalidParameterError(
            "fdr is for the alarm rule ALARM_RULE_FDR only; ask for it, or leave fdr out",
            field="opening.fdr",
        )
    fdr = opening.fdr if opening.HasField("fdr") else DEFAULT_FDR
    return StreamRules(rule, fdr, _RECALIBRATIONS[opening.recalibration])


def put_confidence(out: pb.StreamConfidence, given: StreamReport) -> None:
    """Put what is told of a stream into ``out``."""
    out.row_count = given.rows
    out.excluded_count = given.excluded
    if given.adopted is not None:
        out.frozen_p_values = bytes_of(given.frozen, "<f8")
        out.recalibrated_since.CopyFrom(_row(given.adopted))
    out.rolling_p_values = bytes_of(given.rolling, "<f8")
    out.rolling_row_count = given.rolling_rows
    if given.levels is not None and given.fdr_memory is not None:
        out.levels = bytes_of(given.levels, "<f8")
        out.fdr_memory_rows = given.fdr_memory
        out.forgotten_alarm_count = given.fallen
    _put_drift(out.drift, given.drift)
    if given.proposal is not None:
        out.proposal.CopyFrom(_proposal(given.proposal))
    for span in given.spans:
        out.recalibrated.add(
            first_score=span.first, calibration_id=span.calibration_id, threshold=span.threshold
        )


def _put_drift(out: pb.Drift, given: DriftReport) -> None:
    out.log10_martingale = given.log10_martingale
    out.alarmed, out.apart = given.alarmed, given.apart
    out.distance, out.confirmed = given.distance, given.confirmed
    out.realised_ratio, out.off = given.ratio, given.off
    if given.since is not None:
        out.since.CopyFrom(_row(given.since))
    for signal in given.moved:
        out.moved_signals.add(
            signal=signal.signal,
            shift_deviations=signal.shift,
            spread_ratio=signal.spread,
            evidence=signal.evidence,
        )


def _row(since: Since) -> pb.StreamRow:
    when = None if since.time is None else timestamp(since.time)
    return pb.StreamRow(number=since.row, event_time=when)


def _proposal(given: Proposal) -> pb.CalibrationProposal:
    return pb.CalibrationProposal(
        calibration_id=given.calibration_id,
        row_count=given.rows,
        excluded_count=given.excluded,
        frozen_threshold=given.frozen_threshold,
        threshold=given.threshold,
        frozen_rate=given.frozen_rate,
        rate=given.rate,
    )
