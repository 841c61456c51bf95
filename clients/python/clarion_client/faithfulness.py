"""What judging a model's explanations found; a figure that is not defined is None."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from clarion_api.v1 import evaluation_pb2
from clarion_client.explanations import record, values_of


@dataclass(frozen=True, slots=True)
class Blame:
    """Rows of the frame, both ends among them, in which ``signals`` were sick."""

    first_row: int
    last_row: int
    signals: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class JudgedExplanations:
    """How explanations are to be judged.

    Attributes
    ----------
    explainer
        Name of the one judged; empty for the best label there is.
    blames
        Rows whose sick signals are known.
    """

    explainer: str = ""
    blames: tuple[Blame, ...] = ()


@dataclass(frozen=True, slots=True)
class RemovalFigures:
    """What removing signals in one order does to the score, areas in [0, 1].

    Attributes
    ----------
    deletion_auc
        As the first are removed: lower is better.
    insertion_auc
        As they are put back into a normal row: higher is better.
    """

    order: str
    deletion_auc: float | None
    insertion_auc: float | None


@dataclass(frozen=True, slots=True)
class RankingHits:
    """How well a ranking of signals finds the sick ones: shares in [0, 1].

    Attributes
    ----------
    hit_rate_100, hit_rate_150
        Share of the sick signals among as many first ones, and among one and a half times as many.
    ndcg
        Discounted gain of as many first ones.
    top_1, top_3
        Share of rankings with a sick signal in front, and among the first three.
    """

    hit_rate_100: float | None
    hit_rate_150: float | None
    ndcg: float | None
    top_1: float | None
    top_3: float | None


@dataclass(frozen=True, slots=True)
class LocatedFigures:
    """What one ranking is worth where sick signals are known, by segment and by row."""

    ranking: str
    segment_count: int
    row_count: int
    by_segment: RankingHits
    by_row: RankingHits


@dataclass(frozen=True, slots=True)
class InjectedFigures:
    """What became of one kind of injected anomaly.

    Attributes
    ----------
    hits, random_hits
        Of the signal ranking, and of a random one, by segment.
    noticed_share
        Share of the segments that raised an alarm.
    onset_error_rows
        Median rows from the true start to the first alarm.
    false_culprit_share
        Share of the culprits named there that had nothing done to them.
    """

    kind: str
    segment_count: int
    hits: RankingHits
    random_hits: RankingHits
    noticed_share: float | None
    onset_error_rows: float | None
    false_culprit_share: float | None


@dataclass(frozen=True, slots=True)
class ExplanationReport:
    """How far a model's explanations can be trusted.

    The fields are those of ``clarion.v1.ExplanationReport``, which says what each means.
    """

    method: str
    label: str
    value_function: str
    row_count: int
    additivity_error: float
    enumeration_error: float | None
    removals: tuple[RemovalFigures, ...]
    cleared_share: float | None
    counterfactual_median_size: float | None
    counterfactual_mean_size: float | None
    counterfactual_validity: float | None
    stability_slope: float | None
    stability_rank_correlation: float | None
    randomised_rank_correlation: float | None
    dummy_share: float | None
    effective_signal_count: float | None
    p50_seconds: float
    p99_seconds: float
    located: tuple[LocatedFigures, ...]
    injected: tuple[InjectedFigures, ...]
    notes: tuple[str, ...]

    @classmethod
    def of(cls, message: evaluation_pb2.ExplanationReport) -> Self:
        """Return the report of a message."""
        values = values_of(cls, message)
        values["removals"] = tuple(record(RemovalFigures, m) for m in message.removals)
        values["located"] = tuple(map(_located, message.located))
        values["injected"] = tuple(map(_injected, message.injected))
        values["notes"] = tuple(message.notes)
        return cls(**values)


def _located(message: evaluation_pb2.LocatedFigures) -> LocatedFigures:
    values = values_of(LocatedFigures, message)
    values["by_segment"] = record(RankingHits, message.by_segment)
    values["by_row"] = record(RankingHits, message.by_row)
    return LocatedFigures(**values)


def _injected(message: evaluation_pb2.InjectedFigures) -> InjectedFigures:
    values = values_of(InjectedFigures, message)
    values["hits"] = record(RankingHits, message.hits)
    values["random_hits"] = record(RankingHits, message.random_hits)
    return InjectedFigures(**values)
