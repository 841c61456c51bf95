"""How a stream is judged, and how far its scores can be trusted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from clarion_api.v1 import detection_pb2
from clarion_client.errors import InvalidParameterError
from clarion_client.explanations import record, values_of

FloatArray = NDArray[np.float64]
_RULES = {
    "fixed_rate": detection_pb2.ALARM_RULE_FIXED_RATE,
    "fdr": detection_pb2.ALARM_RULE_FDR,
}
_RECALIBRATIONS = {
    "manual": detection_pb2.RECALIBRATION_MANUAL,
    "propose": detection_pb2.RECALIBRATION_PROPOSE,
    "automatic": detection_pb2.RECALIBRATION_AUTOMATIC,
}


@dataclass(frozen=True, slots=True)
class StreamRules:
    """What makes a row of a stream anomalous, and what is done once it drifts.

    Attributes
    ----------
    alarm_rule
        ``fixed_rate``, by the false-alarm rate; or ``fdr``, which keeps the share of false alarms among
        all alarms.
    fdr
        That share, in (0, 0.5]; None for the server's 0.1. For ``fdr`` only.
    recalibration
        Once drift is confirmed: ``manual`` tells so, ``propose`` also tells what calibrating by the
        stream's last rows would change, ``automatic`` goes on with them.
    """

    alarm_rule: str = "fixed_rate"
    fdr: float | None = None
    recalibration: str = "manual"

    def put(self, opening: detection_pb2.StreamOpening) -> None:
        """Put the rules into the message that opens a stream.

        Raises
        ------
        InvalidParameterError
            An unknown word.
        """
        opening.alarm_rule = _known(_RULES, "alarm_rule", self.alarm_rule)
        opening.recalibration = _known(_RECALIBRATIONS, "recalibration", self.recalibration)
        if self.fdr is not None:
            opening.fdr = self.fdr


@dataclass(frozen=True, slots=True)
class StreamRow:
    """A row of a stream: its number among the scored ones, from 0, and when it was observed, if said."""

    number: int
    event_time: np.datetime64 | None = None


@dataclass(frozen=True, slots=True)
class MovedSignal:
    """A signal that is not where it was.

    Its mean moved by ``shift_deviations``; its deviation is ``spread_ratio`` times what it was; the larger
    of both changes is ``evidence`` standard errors.
    """

    signal: str
    shift_deviations: float
    spread_ratio: float
    evidence: float


@dataclass(frozen=True, slots=True)
class Drift:
    """Whether a stream is still like the calibration rows.

    The fields are those of ``clarion.v1.Drift``, which says what each means.
    """

    log10_martingale: float
    alarmed: bool
    distance: float
    apart: bool
    since: StreamRow | None
    confirmed: bool
    moved_signals: tuple[MovedSignal, ...]
    realised_ratio: float
    off: bool

    @classmethod
    def of(cls, message: detection_pb2.Drift) -> Self:
        """Return the values of a message."""
        values = values_of(cls, message)
        values["since"] = _row(message, "since")
        values["moved_signals"] = tuple(record(MovedSignal, m) for m in message.moved_signals)
        return cls(**values)


@dataclass(frozen=True, slots=True)
class CalibrationProposal:
    """What calibrating a stream by its own last rows would change.

    The fields are those of ``clarion.v1.CalibrationProposal``, which says what each means.
    """

    calibration_id: str
    row_count: int
    excluded_count: int
    frozen_threshold: float
    threshold: float
    frozen_rate: float
    rate: float


@dataclass(frozen=True, slots=True)
class CalibrationSpan:
    """Scores of a frame, from ``first_score`` on, judged by one rolling calibration."""

    first_score: int
    calibration_id: str
    threshold: float


@dataclass(frozen=True, slots=True, eq=False)
class StreamConfidence:
    """How far a stream's scores can be trusted now.

    Attributes
    ----------
    row_count, excluded_count
        Rows scored so far, and how many of them were too strange to learn from.
    frozen_p_values, rolling_p_values
        Shape ``(n,)``: under the model's own calibration, and under the stream's last rows.
    rolling_row_count
        Rows that the rolling p-values rest on.
    levels
        Shape ``(n,)``, for the rule ``fdr``: the largest p-value that is anomalous; else None.
    fdr_memory_rows, forgotten_alarm_count
        For the rule ``fdr``: rows over which false alarms are weighed, and alarms that raise levels no more
        because there were too many.
    drift
        Whether the stream is still like the calibration rows.
    proposal
        What calibrating anew would change; None unless asked for, and drift is confirmed.
    recalibrated, recalibrated_since
        The rolling calibrations that judged rows of this frame, and since when they do; empty and None
        until the stream recalibrated itself.
    """

    row_count: int
    excluded_count: int
    frozen_p_values: FloatArray
    rolling_p_values: FloatArray
    rolling_row_count: int
    levels: FloatArray | None
    fdr_memory_rows: float
    forgotten_alarm_count: int
    drift: Drift
    proposal: CalibrationProposal | None
    recalibrated: tuple[CalibrationSpan, ...]
    recalibrated_since: StreamRow | None

    @classmethod
    def of(cls, message: detection_pb2.ScoreStreamResponse) -> Self | None:
        """Return what a reply tells of its stream; None of a server that tells nothing."""
        if not message.HasField("confidence"):
            return None
        told = message.confidence
        values = values_of(cls, told)
        frozen = told.frozen_p_values or message.scores.p_values
        values["frozen_p_values"] = floats(frozen)
        values["rolling_p_values"] = floats(told.rolling_p_values)
        values["levels"] = floats(told.levels) if told.levels else None
        values["drift"] = Drift.of(told.drift)
        proposed = told.HasField("proposal")
        values["proposal"] = record(CalibrationProposal, told.proposal) if proposed else None
        values["recalibrated"] = tuple(record(CalibrationSpan, m) for m in told.recalibrated)
        values["recalibrated_since"] = _row(told, "recalibrated_since")
        return cls(**values)


def floats(packed: bytes) -> Any:
    """Return little-endian float64 bytes as an array of this machine's order."""
    return np.frombuffer(packed, "<f8").astype(np.float64)


def _row(message: Any, name: str) -> StreamRow | None:
    row: StreamRow | None = None
    if message.HasField(name):
        row = record(StreamRow, getattr(message, name))
    return row


def _known(words: dict[str, Any], name: str, word: str) -> Any:
    if word not in words:
        raise InvalidParameterError(f"{name} must be one of {', '.join(words)}, not {word!r}")
    return words[word]
