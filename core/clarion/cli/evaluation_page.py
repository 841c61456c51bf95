"""The page of an evaluation: its tables, ROC and PR, and the score over time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np

from clarion.arrays import Int64Array
from clarion.cli import evaluation_tables as tables
from clarion.cli import faithfulness_tables as faithfulness
from clarion.cli.confidence_page import confidence_section
from clarion.evaluation import pictures
from clarion.evaluation.page import card, page, row, section, table, tiles
from clarion_client import EvaluationReport, ExplanationReport, ModelVersion, Trace


def evaluation_page(
    report: EvaluationReport, version: ModelVersion, left_out: Sequence[str]
) -> str:
    """Return the whole page; ``left_out`` are the files' columns that the model does not know."""
    sections = [_summary(report, version), _table(report), _curves(report)]
    sections += [_trace(report)] if report.ordered else []
    if report.reliability is not None:
        spans = list(_labelled(report.trace, report.row_count))
        sections.append(confidence_section(report.reliability, spans))
    sections += [_names(report)] if report.figures[0].name_recalls else []
    if report.explanations is not None:
        sections.append(_explanations(report.explanations))
    return page(
        f"Evaluation of {report.model_version}",
        f"{report.row_count:,} labelled rows, {report.anomalous_row_count:,} of them anomalous.",
        [*sections, _method(report, version, left_out)],
    )


def _summary(report: EvaluationReport, version: ModelVersion) -> str:
    model, latency = report.figures[0], report.latency
    numbers = [
        (tables.share(model.roc_auc), "ROC-AUC"),
        (tables.share(model.pr_auc), "PR-AUC (average precision)"),
        (tables.share(model.recall), "TPR: anomalous rows found (recall)"),
        (tables.share(model.false_alarm_rate), "FPR: normal rows that raised an alarm"),
        (tables.share(model.precision), "precision: alarms that were right"),
        (tables.share(model.f1), "F1 at the threshold"),
        (tables.milliseconds(latency.p50_seconds), f"p50 for {latency.batch_row_count:,} rows"),
        (tables.milliseconds(latency.p99_seconds), f"p99 for {latency.batch_row_count:,} rows"),
    ]
    if model.events is not None:
        numbers += [
            (tables.share(model.vus_pr), "VUS-PR"),
            (tables.noticed(model.events), "true events noticed"),
            (tables.events(report).rows[0][3], "rows from an event's first to its first alarm"),
        ]
    steps = (*version.spec.features, version.spec.detector)
    words = (
        f"{' → '.join(str(getattr(step, 'plugin', step)) for step in steps)}, "
        f"fitted on {version.fitted_row_count:,} rows, its threshold from "
        f"{version.calibration.row_count:,} more at a false-alarm rate of "
        f"{report.false_alarm_rate:g}. Judged on rows that its fit must not have seen, which only "
        "who chose them can tell."
    )
    warned = tables.beware(report) if report.identifying_signals else ""
    return section("The model", words, tiles(numbers), card(words=warned) if warned else "")


def _table(report: EvaluationReport) -> str:
    words = (
        "A model that does not beat these adds nothing, and a metric on which they do well means "
        "nothing. The last columns choose a threshold with these very labels: the best F1 is an upper "
        "bound, never a result."
    )
    cards = [card(_as_html(tables.figures(report, wide=True)), heading="Row by row")]
    if report.ordered:
        cards.append(card(_as_html(tables.events(report)), heading="Event by event"))
    return section("Beside trivial baselines", words, *cards)


def _curves(report: EvaluationReport) -> str:
    curve, model = report.curve, report.figures[0]
    anomalous = report.anomalous_row_count / report.row_count
    roc = pictures.curve(
        "ROC",
        "false-alarm rate (FPR)",
        "share of anomalous rows found (TPR)",
        np.append(0.0, curve.false_alarm_rates),
        np.append(0.0, curve.recalls),
        marked=_point(model.false_alarm_rate, model.recall),
        chance=(0.0, 1.0),
    )
    precision = pictures.curve(
        "Precision and recall",
        "recall",
        "precision",
        curve.recalls,
        curve.precisions,
        marked=_point(model.recall, model.precision),
        chance=(anomalous, anomalous),
    )
    words = "The dot is the threshold in use; the dotted line is what a random score gets."
    return section(
        "At all thresholds", words, row(card(roc), card(precision), card(_histogram(report)))
    )


def _histogram(report: EvaluationReport) -> str:
    """Draw the scores of either kind of rows, as the curve tells them: its steps are rows."""
    curve, anomalous = report.curve, report.anomalous_row_count
    kinds = (
        ("normal", "normal rows", curve.false_alarm_rates, report.row_count - anomalous),
        ("anomaly", "anomalous rows", curve.recalls, anomalous),
    )
    groups = []
    for style, words, rates, rows in kinds:
        counts: Int64Array = np.diff(np.rint(rates * rows), prepend=0.0).astype(np.int64)
        groups.append((style, words, np.repeat(curve.thresholds, counts)))
    return pictures.score_histogram("Scores and the threshold", groups, report.threshold)


def _trace(report: EvaluationReport) -> str:
    trace = report.trace
    timed = trace.event_times is not None
    picture = pictures.over_time(
        "highest score",
        _stamps(trace),
        trace.highest_scores,
        trace.alarm_counts > 0,
        threshold=report.threshold,
        spans=list(_labelled(trace, report.row_count)),
        timed=timed,
        marks="alarms",
    )
    along = "time" if timed else "the rows"
    rows = -(-report.row_count // len(trace.first_rows))
    each = "of each row" if rows == 1 else f"of every {rows:,} rows or fewer"
    words = (
        f"The highest score {each}, along {along}; dots are alarms, and shaded stretches hold rows "
        "that the labels call anomalous."
    )
    return section(f"The score over {along}", words, card(picture))


def _names(report: EvaluationReport) -> str:
    words = "Share of the anomalous rows of each name that raised an alarm."
    return section("By name", words, card(_as_html(tables.names(report))))


def _explanations(report: ExplanationReport) -> str:
    words = (
        "What is removed takes its mean given what is left. By segment, a signal's largest value in "
        "it counts. Where nothing is known of sick signals, anomalies injected into normal rows tell."
    )
    cards = [card(table(("", ""), faithfulness.facts(report)), heading="Measured on alarms")]
    for made in (
        faithfulness.removals(report),
        faithfulness.located(report),
        faithfulness.injected(report),
    ):
        cards += [card(_as_html(made))] if made.rows else []
    return section("How far to trust the explanations", words, *cards)


def _method(report: EvaluationReport, version: ModelVersion, left_out: Sequence[str]) -> str:
    words = (
        "No point adjustment: an alarm counts for its own row. An event is an unbroken run of rows "
        "of one asset, and is noticed if there is an alarm in it. VUS-PR is the volume under the PR "
        "surface for windows of up to 100 rows (Paparrizos et al. 2022). always_alarm and random "
        f"know nothing; zscore knows {report.baseline_row_count:,} normal training rows, the "
        "model's background. "
        f"{report.unscored_row_count:,} rows lacked the history to be scored; they count as silent. "
        f"Signals: {', '.join(signal.name for signal in version.signals)}."
    )
    if not report.ordered:
        words += (
            " The rows have neither times nor a known order, so there are no events, no delays and "
            "no VUS: a time column, or --ordered, would bring them."
        )
    if left_out:
        words += f" Columns left out, for the model does not know them: {', '.join(left_out)}."
    return section("How it was judged", words)


def _as_html(made: tables.Table) -> str:
    return table(made.heads, made.rows, range(1, len(made.heads)))


def _point(x: float | None, y: float | None) -> tuple[float, float] | None:
    return None if x is None or y is None else (x, y)


def _stamps(trace: Trace) -> Int64Array:
    return trace.first_rows if trace.event_times is None else trace.event_times.astype(np.int64)


def _labelled(trace: Trace, rows: int) -> Iterator[pictures.Span]:
    """Yield the runs of stretches that hold anomalous rows, each up to the stretch behind it."""
    stamps = _stamps(trace)
    end = stamps[-1:] if trace.event_times is not None else np.array([rows])
    bounds = np.append(stamps, end)
    flags = np.concatenate([[False], trace.anomalous_row_counts > 0, [False]])
    for first, behind in pairwise(np.flatnonzero(np.diff(flags)).tolist()):
        if flags[first + 1]:
            yield pictures.Span(int(bounds[first]), int(bounds[behind]), "labelled anomalous")
