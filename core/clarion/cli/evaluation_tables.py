"""The tables of an evaluation, as words: the same on the screen and on the page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from clarion_client import EvaluationReport, EventFigures, Figures

NOT_DEFINED = "-"
_WHO = "model (baselines)"
_UNITS = (("d", 86400.0), ("h", 3600.0), ("min", 60.0), ("s", 1.0))


@dataclass(frozen=True, slots=True)
class Table:
    """A table of words; all columns but the first stand to the right."""

    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def figures(report: EvaluationReport, *, wide: bool = False) -> Table:
    """Return the figures row by row, the model's first; ``wide`` adds recall at fixed rates."""
    heads = [_WHO, "TPR (recall)", "FPR", "precision", "F1", "ROC-AUC", "PR-AUC"]
    heads += ["VUS-PR"] if report.ordered else []
    heads += ["TPR at 1 % FPR", "at 5 % FPR"] if wide else []
    rows = []
    for row in report.figures:
        values = [row.recall, row.false_alarm_rate, row.precision, row.f1, row.roc_auc, row.pr_auc]
        values += [row.vus_pr] if report.ordered else []
        values += [row.recall_at_1_percent, row.recall_at_5_percent] if wide else []
        values.append(row.best_f1_upper_bound)
        rows.append((title(row), *map(share, values)))
    return Table((*heads, "best F1 (upper bound)"), tuple(rows))


def events(report: EvaluationReport) -> Table:
    """Return the figures event by event; empty where rows have no order in time."""
    timed = report.trace.event_times is not None
    heads = [_WHO, "event recall", "precision", "delay, rows"]
    heads += ["delay", "alarms/asset-day", "false events/asset-day"] if timed else []
    rows = tuple(
        (title(row), *_event_cells(row.events, timed=timed))
        for row in report.figures
        if row.events is not None
    )
    return Table(tuple(heads), rows)


def names(report: EvaluationReport) -> Table:
    """Return the recall of each name of an anomaly; empty where there are no names."""
    heads = ("recall by name", "rows", *(title(row) for row in report.figures))
    each = zip(*(row.name_recalls for row in report.figures), strict=True)
    rows = tuple(
        (same[0].name or "(no name)", f"{same[0].row_count:,}", *(share(r.recall) for r in same))
        for same in each
    )
    return Table(heads, rows)


def facts(report: EvaluationReport) -> list[tuple[str, str]]:
    """Return what was judged and how, as names and values."""
    rows, found, latency = report.row_count, report.anomalous_row_count, report.latency
    p50, p99 = milliseconds(latency.p50_seconds), milliseconds(latency.p99_seconds)
    told = [
        ("version", report.model_version),
        ("judged on", f"{rows:,} rows, {found:,} ({found / rows:.2%}) labelled anomalous"),
        ("threshold", f"{report.threshold:.6g}, from held-out training rows alone"),
        ("false-alarm rate", f"{report.false_alarm_rate:g}, which set the threshold"),
        (f"{latency.batch_row_count:,} rows take", f"p50 {p50}, p99 {p99}"),
    ]
    if report.unscored_row_count:
        told.append(("not scored", f"{report.unscored_row_count:,} rows lack the history"))
    if report.identifying_signals:
        told.append(("beware", beware(report)))
    return told


def beware(report: EvaluationReport) -> str:
    """Return what to think of a model that was fitted on identifiers."""
    return (
        f"fitted on what looks like addresses, ports or identifiers "
        f"({', '.join(report.identifying_signals)}): these figures promise nothing elsewhere"
    )


def title(row: Figures) -> str:
    """Return what a row is called; a model may have the name of a baseline."""
    return f"({row.name})" if row.baseline else row.name


def share(value: float | None) -> str:
    """Return a share with four digits."""
    return NOT_DEFINED if value is None else f"{value:.4f}"


def milliseconds(seconds: float) -> str:
    """Return a latency."""
    return f"{1e3 * seconds:.3g} ms"


def noticed(found: EventFigures) -> str:
    """Return how many of the true events were noticed."""
    return (
        f"{round((found.recall or 0.0) * found.true_event_count):,} of {found.true_event_count:,}"
    )


def duration(seconds: float | None) -> str:
    """Return seconds in the largest unit that leaves at least one of it."""
    if seconds is None:
        return NOT_DEFINED
    unit, size = next(((u, s) for u, s in _UNITS if seconds >= s), _UNITS[-1])
    return f"{seconds / size:.3g} {unit}"


def _event_cells(found: EventFigures, *, timed: bool) -> list[str]:
    delay = NOT_DEFINED if found.delay_rows is None else f"{found.delay_rows:g}"
    cells = [f"{share(found.recall)} ({noticed(found)})"]
    cells += [share(found.precision), delay]
    if timed:
        rates = (found.alarms_per_asset_day, found.false_events_per_asset_day)
        cells += [
            duration(found.delay_seconds),
            *(NOT_DEFINED if rate is None else f"{rate:.3g}" for rate in rates),
        ]
    return cells
