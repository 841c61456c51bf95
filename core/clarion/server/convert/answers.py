"""Answers onto the wire: columnar blocks, and a record for each explained row."""

from __future__ import annotations

import numpy as np
from google.protobuf.timestamp_pb2 import Timestamp

from clarion.explainers import Attribution, Label
from clarion.explaining.players import Player
from clarion.pipeline.answer import (
    Answer,
    CellReason,
    CrossCheck,
    Culprit,
    Explanation,
    PlayerReason,
    SignalReason,
)
from clarion.pipeline.run import FittedPipeline
from clarion.server.convert.numbers import bytes_of
from clarion_api.v1 import detection_pb2 as pb

Response = pb.ScoreResponse | pb.ScoreStreamResponse | pb.ExplainResponse
"""The messages that hold scores with reasons."""

LABELS: dict[Label, pb.Label.ValueType] = {
    Label.EXACT: pb.LABEL_EXACT,
    Label.ADDITIVE: pb.LABEL_ADDITIVE,
    Label.SAMPLED: pb.LABEL_SAMPLED,
}
_SECOND = 1_000_000_000


def fill(response: Response, answer: Answer, pipeline: FittedPipeline, version: str) -> None:
    """Put ``answer``, given by ``pipeline`` (the model version ``version``), into ``response``."""
    identity = {
        "model_version": version,
        "calibration_id": _calibration_id(answer, pipeline),
    }
    _put_scores(response.scores, answer, identity, pipeline.digest)
    if answer.attribution is not None:
        _put_attributions(response.attributions, answer, answer.attribution)
        response.attributions.background_id = pipeline.background.id
    identity["background_id"] = pipeline.background.id
    for explanation in answer.explanations:
        identity["calibration_id"] = _calibration_id(answer, pipeline, explanation.row)
        _put_explanation(response.explanations.add(**identity), explanation)


def _calibration_id(answer: Answer, pipeline: FittedPipeline, row: int | None = None) -> str:
    """Return the calibration that judged a row of the frame, by default the last one."""
    last = len(answer.scores) - 1
    index = last if row is None else int(np.searchsorted(answer.source_rows, row))
    rolling = answer.stream.judged_by(index) if answer.stream else None
    return rolling or pipeline.calibration.id


def timestamp(nanoseconds: int) -> Timestamp:
    """Return a time, given in nanoseconds since 1970 UTC."""
    return Timestamp(seconds=nanoseconds // _SECOND, nanos=nanoseconds % _SECOND)


def _put_scores(scores: pb.Scores, answer: Answer, identity: dict[str, str], digest: str) -> None:
    every = np.arange(len(answer.source_rows))
    scores.values = bytes_of(answer.scores, "<f8")
    scores.p_values = bytes_of(answer.p_values, "<f8")
    scores.anomalous = bytes_of(answer.anomalous, "u1")
    if not np.array_equal(answer.source_rows, every):
        scores.source_rows.extend(answer.source_rows.tolist())
    scores.threshold = answer.threshold
    scores.false_alarm_rate = answer.false_alarm_rate
    scores.model_version = identity["model_version"]
    scores.calibration_id = identity["calibration_id"]
    scores.model_digest = digest
    if answer.extrapolated.any():
        scores.extrapolated = bytes_of(answer.extrapolated, "u1")
    for asset_class, threshold in answer.class_thresholds:
        scores.class_thresholds.add(asset_class=asset_class, threshold=threshold)


def _put_attributions(out: pb.Attributions, answer: Answer, attribution: Attribution) -> None:
    out.signal_names.extend([p.name for p in answer.players] or answer.signals)
    out.players.extend(map(_player, answer.players))
    out.rows.extend(answer.source_rows[answer.explained].tolist())
    out.contributions = bytes_of(attribution.contributions, "<f8")
    out.base_values = bytes_of(attribution.base_value, "<f8")
    out.label = LABELS[attribution.label]
    out.method = attribution.method
    out.value_function = attribution.value_function
    out.additivity_errors = bytes_of(attribution.additivity_error, "<f8")
    if attribution.standard_error is not None:
        out.standard_errors = bytes_of(attribution.standard_error, "<f8")


def _put_explanation(out: pb.Explanation, given: Explanation) -> None:
    for name in _PLAIN:
        setattr(out, name, getattr(given, name))
    if given.time is not None:
        out.event_time.CopyFrom(timestamp(given.time))
    if given.since is not None:
        out.since_time.CopyFrom(timestamp(given.since))
    if given.semi_factual_score is not None:
        out.semi_factual_score = given.semi_factual_score
    if given.plausibility is not None:
        out.plausibility = given.plausibility
    if given.false_alarms_per_week is not None:
        out.false_alarms_per_week = given.false_alarms_per_week
    out.label = LABELS[given.label]
    out.signal_ranking.extend(map(_reason, given.signal_ranking))
    out.culprits.extend(map(_culprit, given.culprits))
    out.cross_checks.extend(map(_cross_check, given.cross_checks))
    out.cells.extend(map(_cell, given.cells))
    out.player_ranking.extend(map(_player_reason, given.player_ranking))
    if given.cells_label is not None:
        out.cells_label = LABELS[given.cells_label]


_PLAIN = (
    "id",
    "row",
    "row_id",
    "asset",
    "run_count",
    "anomalous",
    "score",
    "p_value",
    "extrapolated",
    "threshold",
    "base_value",
    "method",
    "cleared_score",
    "cleared_p_value",
    "summary",
    "minimum_proven",
    "margin",
)


def _reason(given: SignalReason) -> pb.SignalReason:
    return pb.SignalReason(
        signal=given.signal,
        value=given.value,
        word=given.word,
        expected=given.expected,
        unit=given.unit,
        contribution=given.contribution,
        share=given.share,
        standard_error=given.standard_error,
        ranking_score=given.ranking_score,
    )


def _player(given: Player) -> pb.Player:
    return pb.Player(
        name=given.name,
        signals=given.signals,
        first_lag=given.first_lag,
        last_lag=given.last_lag,
    )


def _player_reason(given: PlayerReason) -> pb.PlayerReason:
    return pb.PlayerReason(
        player=_player(given.player),
        contribution=given.contribution,
        share=given.share,
        standard_error=given.standard_error,
    )


def _culprit(given: Culprit) -> pb.Culprit:
    return pb.Culprit(
        signal=given.signal,
        value=given.value,
        word=given.word,
        normal_value=given.normal_value,
        normal_word=given.normal_word,
        unit=given.unit,
        change_deviations=given.change_deviations,
        still_anomalous_value=given.still_anomalous_value,
        span_rows=given.span_rows,
        span_value=given.span_value,
        span_normal_value=given.span_normal_value,
        normal_path=given.normal_path,
    )


def _cross_check(given: CrossCheck) -> pb.CrossCheck:
    return pb.CrossCheck(
        method=given.method,
        values=given.values,
        signals=given.signals,
        fit_quality=given.fit_quality,
        reliable=given.reliable,
        value_function=given.value_function,
        lows=given.lows,
        highs=given.highs,
    )


def _cell(given: CellReason) -> pb.CellReason:
    return pb.CellReason(
        signal=given.signal,
        lag=given.lag,
        event_time=None if given.time is None else timestamp(given.time),
        value=given.value,
        contribution=given.contribution,
        unit=given.unit,
        word=given.word,
    )
