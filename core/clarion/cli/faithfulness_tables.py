"""The tables of judged explanations, as words: the same on the screen and on the page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clarion.cli.evaluation_tables import NOT_DEFINED, Table, milliseconds, share

if TYPE_CHECKING:
    from clarion_client import ExplanationReport, RankingHits

_HITS = ("HitRate@100", "@150", "NDCG", "top 1", "top 3")


def facts(report: ExplanationReport) -> list[tuple[str, str]]:
    """Return what was measured, as names and values."""
    told = [
        ("explainer", f"{report.method}: {report.label}; absent means {report.value_function}"),
        ("judged on", f"{report.row_count:,} alarms"),
        ("additivity error", f"{report.additivity_error:.1e} (scaled)"),
        ("error by enumeration", _tiny(report.enumeration_error)),
        ("alarms cleared", _cleared(report)),
        ("stability", _stability(report)),
        ("under a random model", f"rank correlation {_number(report.randomised_rank_correlation)}"),
        ("a signal that never moves", f"gets {_number(report.dummy_share)} of the contributions"),
        ("effective signals", _number(report.effective_signal_count)),
        (
            "one row takes",
            f"p50 {milliseconds(report.p50_seconds)}, p99 {milliseconds(report.p99_seconds)}",
        ),
    ]
    return [*told, *(("note", note) for note in report.notes)]


def removals(report: ExplanationReport) -> Table:
    """Return what removing signals does, order by order."""
    heads = ("order of signals", "deletion AUC (lower is better)", "insertion AUC (higher is)")
    rows = ((r.order, share(r.deletion_auc), share(r.insertion_auc)) for r in report.removals)
    return Table(heads, tuple(rows))


def located(report: ExplanationReport) -> Table:
    """Return how rankings find blamed signals; empty where none were blamed."""
    rows = []
    for found in report.located:
        counts = f"{found.segment_count:,} segments", f"{found.row_count:,} rows"
        rows.append((found.ranking, counts[0], *_hits(found.by_segment)))
        rows.append((found.ranking, counts[1], *_hits(found.by_row)))
    return Table(("blamed signals, found by", "judged by", *_HITS), tuple(rows))


def injected(report: ExplanationReport) -> Table:
    """Return how rankings find what was injected; empty where nothing was."""
    heads = ("injected", "segments", "noticed", "onset, rows", *_HITS[:2], "random @100")
    rows = tuple(
        (
            found.kind,
            f"{found.segment_count:,}",
            share(found.noticed_share),
            _number(found.onset_error_rows),
            *_hits(found.hits)[:2],
            share(found.random_hits.hit_rate_100),
            share(found.false_culprit_share),
        )
        for found in report.injected
    )
    return Table((*heads, "false culprits"), rows)


def _hits(hits: RankingHits) -> list[str]:
    values = (hits.hit_rate_100, hits.hit_rate_150, hits.ndcg, hits.top_1, hits.top_3)
    return [share(value) for value in values]


def _cleared(report: ExplanationReport) -> str:
    return (
        f"{share(report.cleared_share)} of them, by {_number(report.counterfactual_median_size)} "
        f"signals (median; mean {_number(report.counterfactual_mean_size)}); "
        f"{share(report.counterfactual_validity)} of the sets hold when scored again"
    )


def _stability(report: ExplanationReport) -> str:
    return (
        f"slope {_number(report.stability_slope)} a standard deviation, rank correlation "
        f"{_number(report.stability_rank_correlation)}"
    )


def _number(value: float | None) -> str:
    return NOT_DEFINED if value is None else f"{value:.3g}"


def _tiny(value: float | None) -> str:
    return NOT_DEFINED if value is None else f"{value:.1e} (scaled)"
