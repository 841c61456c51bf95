"""What judging explanations found, onto the wire; and what signals are blamed, off it."""

from __future__ import annotations

from collections.abc import Iterable

from clarion.errors import InvalidParameterError
from clarion.evaluation.explanations.injected import InjectedFigures
from clarion.evaluation.explanations.located import Blame, Located, check_blames
from clarion.evaluation.explanations.report import ExplanationReport
from clarion.evaluation.ranking_metrics import Hits
from clarion.pipeline.run import FittedPipeline
from clarion.server.convert.numbers import defined
from clarion_api.v1 import evaluation_pb2 as pb
from clarion_api.v1 import models_pb2


def blames_from_proto(
    messages: Iterable[models_pb2.Blame], pipeline: FittedPipeline, rows: int
) -> tuple[Blame, ...]:
    """Return who is blamed in which of so many ``rows``.

    Raises
    ------
    InvalidParameterError
        Rows outside the frame or in the wrong order, a signal that the model does not know, or one
        named twice; the field is named.
    """
    blames = []
    for place, message in enumerate(messages):
        if len(set(message.signals)) < len(message.signals):
            raise InvalidParameterError("a signal is named twice", field=f"blames[{place}].signals")
        blames.append(Blame(message.first_row, message.last_row + 1, tuple(message.signals)))
    check_blames(blames, [signal.name for signal in pipeline.signals], rows)
    return tuple(blames)


def explanations_to_proto(report: ExplanationReport) -> pb.ExplanationReport:
    """Return the message of a report."""
    cleared, steady, sane = report.counterfactuals, report.stability, report.sanity
    return pb.ExplanationReport(
        method=report.method,
        label=report.label,
        value_function=report.value_function,
        row_count=report.rows,
        additivity_error=report.additivity_error,
        enumeration_error=defined(report.enumeration_error),
        removals=[
            pb.RemovalFigures(
                order=order.name,
                deletion_auc=defined(order.removal.deletion),
                insertion_auc=defined(order.removal.insertion),
            )
            for order in report.orders
        ],
        cleared_share=defined(cleared.found_share),
        counterfactual_median_size=defined(cleared.median_size),
        counterfactual_mean_size=defined(cleared.mean_size),
        counterfactual_validity=defined(cleared.validity),
        stability_slope=defined(steady.slope),
        stability_rank_correlation=defined(steady.rank_correlation),
        randomised_rank_correlation=defined(sane.randomised_rank_correlation),
        dummy_share=defined(sane.dummy_share),
        effective_signal_count=defined(report.effective_signals),
        p50_seconds=report.seconds_p50,
        p99_seconds=report.seconds_p99,
        located=[_located(figures) for figures in report.located],
        injected=[_injected(figures) for figures in report.injected],
        notes=report.notes,
    )


def _located(figures: Located) -> pb.LocatedFigures:
    return pb.LocatedFigures(
        ranking=figures.name,
        segment_count=figures.segments,
        row_count=figures.rows,
        by_segment=_hits(figures.by_segment),
        by_row=_hits(figures.by_row),
    )


def _injected(figures: InjectedFigures) -> pb.InjectedFigures:
    return pb.InjectedFigures(
        kind=figures.kind,
        segment_count=figures.segments,
        hits=_hits(figures.hits),
        random_hits=_hits(figures.random_hits),
        noticed_share=defined(figures.noticed_share),
        onset_error_rows=defined(figures.onset_error_rows),
        false_culprit_share=defined(figures.false_culprit_share),
    )


def _hits(hits: Hits) -> pb.RankingHits:
    return pb.RankingHits(
        hit_rate_100=defined(hits.hit_100),
        hit_rate_150=defined(hits.hit_150),
        ndcg=defined(hits.ndcg),
        top_1=defined(hits.top_1),
        top_3=defined(hits.top_3),
    )
