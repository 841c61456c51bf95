"""Why a score is what it is: one plain record a row, field by field as on the wire."""

from __future__ import annotations

from dataclasses import dataclass, fields
from enum import StrEnum
from functools import cache
from typing import Any, Self

import numpy as np
from google.protobuf.timestamp_pb2 import Timestamp

from clarion_api.v1 import detection_pb2

_LABELS: dict[int, str] = {
    detection_pb2.LABEL_EXACT: "exact",
    detection_pb2.LABEL_ADDITIVE: "additive",
    detection_pb2.LABEL_SAMPLED: "sampled",
}


class Label(StrEnum):
    """How far to trust contributions, best first."""

    EXACT = "exact"
    """Shapley values of the returned score."""
    ADDITIVE = "additive"
    """Base value + contributions = score, but not its Shapley values."""
    SAMPLED = "sampled"
    """Estimates, with standard errors."""
    NONE = "none"
    """Nothing was explained."""

    @classmethod
    def of(cls, number: int) -> Self:
        """Return the label of a number on the wire."""
        return cls(_LABELS.get(number, "none"))


@dataclass(frozen=True, slots=True)
class SignalReason:
    """One signal's part in a score.

    Attributes
    ----------
    value, expected
        Its value in this row, and its mean over the background, in ``unit``; None where not a number.
    word
        Its word in this row, for a categorical signal.
    contribution, share
        Signed, in score units; and as a share of the sum of all |contribution|, in [0, 1].
    standard_error
        Of the contribution, for ``sampled``; else None.
    ranking_score
        How far the signal departs from its own normal behaviour, whatever the detector made of it:
        in standard deviations, >= 0; compares between the rows of one model.
    """

    signal: str
    value: float | None
    word: str
    expected: float | None
    unit: str
    contribution: float
    share: float
    standard_error: float | None
    ranking_score: float


@dataclass(frozen=True, slots=True)
class Player:
    """One or more signals, in all their rows or in a block of them.

    ``first_lag`` and ``last_lag`` are the block's rows before the explained one, both included; None
    for all rows.
    """

    name: str
    signals: tuple[str, ...]
    first_lag: int | None
    last_lag: int | None


@dataclass(frozen=True, slots=True)
class PlayerReason:
    """One player's part in a score, in the terms of `SignalReason`."""

    player: Player
    contribution: float
    share: float
    standard_error: float | None

    @classmethod
    def of(cls, message: detection_pb2.PlayerReason) -> Self:
        """Return the reason of a message."""
        values = values_of(cls, message)
        return cls(**{**values, "player": record(Player, message.player)})


@dataclass(frozen=True, slots=True)
class Culprit:
    """A signal whose return to ``normal_value`` (or ``normal_word``) helps to clear the alarm.

    Attributes
    ----------
    change_deviations
        The change over the span, in sd of the background; None for words and constant signals.
    still_anomalous_value
        The mean over the span at which, all other culprits moved as far, it is still anomalous.
    span_rows, span_value, span_normal_value
        How many of the asset's rows change, the explained one last, 0 where they are not known; and
        means over them, as seen and as normal.
    normal_path
        What would look normal in each of them, oldest first; for the full view.
    """

    signal: str
    value: float | None
    word: str
    normal_value: float | None
    normal_word: str
    unit: str
    change_deviations: float | None = None
    still_anomalous_value: float | None = None
    span_rows: int = 0
    span_value: float | None = None
    span_normal_value: float | None = None
    normal_path: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class CrossCheck:
    """A local linear look at the score: slopes, which sum to nothing; unreliable below R² 0.5.

    ``lows`` and ``highs`` are the ends of the values' 95 % intervals; empty where none were given.
    """

    method: str
    signals: tuple[str, ...]
    values: tuple[float, ...]
    fit_quality: float
    reliable: bool
    value_function: str
    lows: tuple[float, ...] = ()
    highs: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class CellReason:
    """One raw cell's part in a score, ``lag`` rows of the asset before the explained one.

    ``value`` is in ``unit``, None where missing or not a number; ``word`` that of a coded signal.
    """

    signal: str
    lag: int
    event_time: np.datetime64 | None
    value: float | None
    contribution: float
    unit: str = ""
    word: str = ""


@dataclass(frozen=True, slots=True)
class Explanation:
    """Everything about one explained row.

    Attributes
    ----------
    id
        Identity of the anomaly: the same row scored again by the same version has the same id.
    row, row_id, asset, event_time
        Which row, of what, when (UTC); empty or None where the frame did not say.
    since_time, run_count
        When the unbroken run of anomalous rows of that asset began, and how many rows it has.
    base_value, signal_ranking
        What contributions add to, and every signal by falling contribution.
    player_ranking
        The same of other players, if asked for; then ``signal_ranking`` is empty.
    cells, cells_label
        Raw cells by falling size, and how far to trust them; for the full view.
    culprits, cleared_score, cleared_p_value
        The smallest set found whose return to normal clears the alarm, and the row re-scored so.
    minimum_proven
        Whether no smaller set clears it.
    semi_factual_score
        The score at the farthest point of the way there that is still anomalous.
    plausibility
        How usual the cleared row is, a share of background rows; None without culprits.
    margin
        The threshold less the score: how far a normal row is from an alarm.
    extrapolated
        Whether the p-value is smaller than held-out rows can show, by a tail fitted to their scores.
    false_alarms_per_week
        Expected of one asset at this threshold; None for models without order or times.
    summary
        One paragraph for people.
    """

    id: str
    row: int
    row_id: str
    asset: str
    event_time: np.datetime64 | None
    since_time: np.datetime64 | None
    run_count: int
    anomalous: bool
    score: float
    p_value: float
    threshold: float
    base_value: float
    label: Label
    method: str
    signal_ranking: tuple[SignalReason, ...]
    culprits: tuple[Culprit, ...]
    cleared_score: float
    cleared_p_value: float
    cross_checks: tuple[CrossCheck, ...]
    cells: tuple[CellReason, ...]
    summary: str
    model_version: str
    calibration_id: str
    background_id: str
    player_ranking: tuple[PlayerReason, ...] = ()
    cells_label: Label = Label.NONE
    minimum_proven: bool = False
    semi_factual_score: float | None = None
    plausibility: float | None = None
    margin: float = 0.0
    extrapolated: bool = False
    false_alarms_per_week: float | None = None

    @classmethod
    def of(cls, message: detection_pb2.Explanation) -> Self:
        """Return the record of a message."""
        values = values_of(cls, message)
        values["label"] = Label.of(message.label)
        values["signal_ranking"] = tuple(record(SignalReason, m) for m in message.signal_ranking)
        values["culprits"] = tuple(record(Culprit, m) for m in message.culprits)
        values["cross_checks"] = tuple(record(CrossCheck, m) for m in message.cross_checks)
        values["cells"] = tuple(record(CellReason, m) for m in message.cells)
        values["cells_label"] = Label.of(message.cells_label)
        values["player_ranking"] = tuple(PlayerReason.of(m) for m in message.player_ranking)
        return cls(**values)


def record(kind: Any, message: Any) -> Any:
    """Return a flat dataclass filled from the fields of a message."""
    values = values_of(kind, message)
    for name, value in values.items():
        if not isinstance(value, (str, float, int, np.datetime64)) and value is not None:
            values[name] = tuple(value)
    return kind(**values)


def values_of(kind: Any, message: Any) -> dict[str, Any]:
    """Return the message's fields that ``kind`` has; an unset optional one is None."""
    out = {}
    of: Any = type(message)
    for name, optional in _plan(kind, of):
        value = getattr(message, name)
        if optional and not message.HasField(name):
            value = None
        out[name] = moment(value) if isinstance(value, Timestamp) else value
    return out


@cache
def _plan(kind: Any, message: Any) -> tuple[tuple[str, bool], ...]:
    described = message.DESCRIPTOR.fields_by_name
    return tuple((field.name, described[field.name].has_presence) for field in fields(kind))


def moment(stamp: Timestamp) -> np.datetime64:
    """Return a timestamp as UTC with nanoseconds."""
    return np.datetime64(stamp.seconds * 1_000_000_000 + stamp.nanos, "ns")
