"""What the reasons of many rows have in common."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from clarion_api.v1 import detection_pb2
from clarion_client.explanations import record, values_of
from clarion_client.results import ScoreResult


@dataclass(frozen=True, slots=True)
class PlayerSize:
    """How much one player (a signal, unless others were asked for) matters, in score units."""

    player: str
    mean_size: float
    mean_contribution: float


@dataclass(frozen=True, slots=True)
class ExplanationPeriod:
    """Explained rows that follow each other.

    Attributes
    ----------
    mean_sizes
        Mean |contribution| of each player, in score units.
    drifts, drift_p_values
        Kolmogorov-Smirnov distance of each player's contributions to those of the background, in
        [0, 1], and the probability of one as large if nothing has changed.
    """

    first_row: int
    last_row: int
    row_count: int
    start_time: np.datetime64 | None
    mean_sizes: tuple[float, ...]
    drifts: tuple[float, ...]
    drift_p_values: tuple[float, ...]

    @classmethod
    def of(cls, message: detection_pb2.ExplanationPeriod) -> Self:
        """Return the period of a message."""
        values = values_of(cls, message)
        for name in ("mean_sizes", "drifts", "drift_p_values"):
            values[name] = tuple(values[name])
        return cls(**values)


@dataclass(frozen=True, slots=True)
class PlayerPair:
    """Two players that act together: their mean |interaction|, in score units."""

    first: str
    second: str
    mean_size: float


@dataclass(frozen=True, slots=True)
class Overview:
    """What the reasons of ``row_count`` rows have in common; players in the answer's order."""

    row_count: int
    players: tuple[PlayerSize, ...]
    periods: tuple[ExplanationPeriod, ...]
    pairs: tuple[PlayerPair, ...]


@dataclass(frozen=True, slots=True)
class BulkExplanation:
    """The answer that `Client.explain` would give, and what its rows have in common."""

    explained: ScoreResult
    overview: Overview

    @classmethod
    def of(cls, message: detection_pb2.BulkExplainResponse) -> Self:
        """Return the arrays and records of a response."""
        told = message.overview
        overview = Overview(
            told.row_count,
            tuple(record(PlayerSize, m) for m in told.players),
            tuple(map(ExplanationPeriod.of, told.periods)),
            tuple(record(PlayerPair, m) for m in told.pairs),
        )
        return cls(ScoreResult.of(message.explained), overview)
