"""What scoring answers: arrays for all rows, and a record for each explained one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from clarion_api.v1 import detection_pb2
from clarion_client.confidence import StreamConfidence, floats
from clarion_client.explanations import Explanation, Label, Player, record
from clarion_client.silence import SilentAsset

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Attributions:
    """Contributions of ``k`` players, by default the signals, to the scores of ``m`` explained rows.

    Attributes
    ----------
    signals
        Names of the ``k`` players.
    rows
        Shape ``(m,)``: rows of the frame sent.
    contributions
        Shape ``(m, k)``, in score units; positive pushed the score up.
    base_values
        Shape ``(m,)``: base value + sum of contributions = score.
    label, method, value_function
        How far to trust them; the explainer; what "absent" means in them.
    additivity_errors
        Shape ``(m,)``: |base + sum - score| / max(1, |score|, sum |contribution|).
    standard_errors
        Shape ``(m, k)`` for ``sampled``, else None.
    background_id
        Identity of the background rows.
    players
        What each player is; empty where they are the model's signals.
    """

    signals: tuple[str, ...]
    rows: NDArray[np.int64]
    contributions: FloatArray
    base_values: FloatArray
    label: Label
    method: str
    value_function: str
    additivity_errors: FloatArray
    standard_errors: FloatArray | None
    background_id: str
    players: tuple[Player, ...] = ()

    @classmethod
    def of(cls, message: detection_pb2.Attributions) -> Self:
        """Return the arrays of a message."""
        shape = (len(message.rows), len(message.signal_names))
        errors = message.standard_errors
        return cls(
            tuple(message.signal_names),
            np.array(message.rows, np.int64),
            floats(message.contributions).reshape(shape),
            floats(message.base_values),
            Label.of(message.label),
            message.method,
            message.value_function,
            floats(message.additivity_errors),
            floats(errors).reshape(shape) if errors else None,
            message.background_id,
            tuple(record(Player, m) for m in message.players),
        )


@dataclass(frozen=True, slots=True, eq=False)
class ScoreResult:
    """The scores of one frame, with reasons.

    Attributes
    ----------
    scores, p_values, anomalous
        Shape ``(n,)``, one for each row that has a score. Higher is stranger, compared within one
        version; the probability, under held-out normal rows, of a score at least this high; and
        whether the score reaches ``threshold``.
    source_rows
        Shape ``(n,)``: the row of the frame sent that each score stands for (rows without enough
        history of their asset have none).
    threshold, false_alarm_rate
        The smallest anomalous score, and the rate that set it.
    extrapolated
        Shape ``(n,)``: p-values smaller than held-out rows can show, by a tail fitted to their scores.
    class_thresholds
        The smallest anomalous score of each asset class that is calibrated alone, by class; all other
        rows meet ``threshold``.
    attributions
        By signal, for the explained rows; None where nothing was explained.
    explanations
        A record for each explained row, in row order.
    model_version, model_digest, calibration_id
        What scored.
    sequence
        On a stream, the number of the frame; else 0.
    confidence
        On a stream, how far its scores can be trusted; else None.
    silent_assets
        On a stream, assets that fell silent or came back with this frame.
    forgotten_asset_count, clock_jump_count, doubted_time_count
        On a stream, how often so far an asset was forgotten, the clock was set anew, and a row's time was
        not believed.
    """

    scores: FloatArray
    p_values: FloatArray
    anomalous: NDArray[np.bool_]
    source_rows: NDArray[np.int64]
    threshold: float
    false_alarm_rate: float
    attributions: Attributions | None
    explanations: tuple[Explanation, ...]
    model_version: str
    model_digest: str
    calibration_id: str
    extrapolated: NDArray[np.bool_]
    class_thresholds: Mapping[str, float]
    sequence: int = 0
    confidence: StreamConfidence | None = None
    silent_assets: tuple[SilentAsset, ...] = ()
    forgotten_asset_count: int = 0
    clock_jump_count: int = 0
    doubted_time_count: int = 0

    def __len__(self) -> int:
        return len(self.scores)

    @classmethod
    def of(
        cls,
        message: detection_pb2.ScoreResponse
        | detection_pb2.ScoreStreamResponse
        | detection_pb2.ExplainResponse,
    ) -> Self:
        """Return the arrays and records of a reply."""
        scores = message.scores
        values = floats(scores.values)
        rows = np.array(scores.source_rows, np.int64)
        attributions = message.attributions if message.HasField("attributions") else None
        return cls(
            values,
            floats(scores.p_values),
            np.frombuffer(scores.anomalous, np.uint8).astype(np.bool_),
            rows if len(rows) == len(values) else np.arange(len(values), dtype=np.int64),
            scores.threshold,
            scores.false_alarm_rate,
            None if attributions is None else Attributions.of(attributions),
            tuple(Explanation.of(m) for m in message.explanations),
            scores.model_version,
            scores.model_digest,
            scores.calibration_id,
            np.frombuffer(scores.extrapolated or bytes(len(values)), np.uint8).astype(np.bool_),
            {each.asset_class: each.threshold for each in scores.class_thresholds},
            getattr(message, "sequence", 0),
            StreamConfidence.of(message)
            if isinstance(message, detection_pb2.ScoreStreamResponse)
            else None,
            tuple(map(SilentAsset.of, getattr(message, "silent_assets", ()))),
            getattr(message, "forgotten_asset_count", 0),
            getattr(message, "clock_jump_count", 0),
            getattr(message, "doubted_time_count", 0),
        )
