"""The demo's page: numbers, curves, attribution bars, SHAP beside LIME, and flow over time."""

from __future__ import annotations

import numpy as np

from clarion.cli import console
from clarion.cli.demo import data
from clarion.cli.demo.shuttle import ShuttleResult, shares
from clarion.cli.demo.water import Event, WaterResult
from clarion.cli.explanation_pictures import waterfall
from clarion.evaluation import pictures
from clarion.evaluation.metrics import Ranking
from clarion.evaluation.page import card, page, row, section, table, tiles
from clarion_client import Explanation


def report(shuttle: ShuttleResult, water: WaterResult) -> str:
    """Return the whole page."""
    versions = f"{shuttle.version.name} and {water.version.name}"
    return page(
        "Clarion demo: every anomaly with its reasons",
        f"Recorded data, fitted and streamed through a real server as {versions}.",
        [_shuttle(shuttle), _examples(shuttle), _water(water), _events(water), _provenance()],
    )


def _shuttle(result: ShuttleResult) -> str:
    scored, truth, numbers = result.scored, result.truth, result.numbers()
    ranking = Ranking.of(scored.scores, truth)
    spread = pictures.score_histogram(
        "Scores and the threshold",
        [
            ("normal", "normal rows", scored.scores[~truth]),
            ("anomaly", "anomalies", scored.scores[truth]),
        ],
        scored.threshold,
    )
    spec = result.version.spec
    words = (
        f"Fitted on the normal rows of the first quarter ({result.version.fitted_row_count:,} rows; "
        f"{result.version.calibration.row_count:,} more were held out to calibrate), then the other "
        f"{len(scored.rows):,} rows were streamed. Detector: {_name(spec.detector)}, explained by "
        f"{result.version.explainer}. The rows have no order in time, so only the ranking, the "
        "explanations and the speed are claimed."
    )
    return section(
        "Space shuttle telemetry, 9 sensors",
        words,
        tiles(
            [
                (f"{numbers['rows']:,.0f}", "rows streamed"),
                (f"{numbers['rows_per_second']:,.0f}", "rows a second, explanations included"),
                (f"{numbers['roc_auc']:.4f}", "ROC-AUC against the labels"),
                (f"{numbers['pr_auc']:.4f}", "PR-AUC (average precision)"),
                (f"{numbers['anomalies']:,.0f}", "alarms"),
                (
                    f"{numbers['explained'] / max(numbers['anomalies'], 1):.0%}",
                    "of the alarms explained",
                ),
                (f"{numbers['exact_share']:.0%}", "of the explanations exact SHAP values"),
                (f"{numbers['max_additivity_error']:.1e}", "largest additivity error"),
                (f"{numbers['promised_false_alarm_rate']:.2%}", "false alarms promised"),
                (f"{numbers['realised_false_alarm_rate']:.2%}", "false alarms of the normal rows"),
            ]
        ),
        row(
            card(
                pictures.curve(
                    "ROC",
                    "false-alarm rate",
                    "share of anomalies found",
                    ranking.false_alarm_rate,
                    ranking.recall,
                )
            ),
            card(
                pictures.curve(
                    "Precision and recall", "recall", "precision", ranking.recall, ranking.precision
                )
            ),
            card(spread),
        ),
    )


def _examples(result: ShuttleResult) -> str:
    cards = [_example(explanation) for explanation in result.examples]
    words = (
        f"{len(cards)} alarms, from the strangest to the one nearest to the threshold. Left: what "
        "each sensor added to the score, with its value and what the background rows have in its "
        "place; the bars lead from the base value to the score. Right: the same beside LIME, a "
        "local slope with the R² of its fit; below 0.5 it says of itself not to be trusted."
    )
    return section("Why: SHAP, and LIME beside it", words, *cards)


def _example(explanation: Explanation) -> str:
    heading = (
        f"Row {explanation.row}: score {explanation.score:.4g}, p = {explanation.p_value:.2g}, "
        f"culprits {', '.join(culprit.signal for culprit in explanation.culprits) or 'none'}"
    )
    pictures_of_it = row(waterfall(explanation), _beside(explanation))
    return card(pictures_of_it, heading=heading, words=explanation.summary)


def _beside(explanation: Explanation) -> str:
    names, contributions, local = shares(explanation)
    check = explanation.cross_checks[0]
    trust = "" if check.reliable else ", unreliable"
    columns = [
        (f"SHAP ({explanation.label})", list(contributions)),
        (f"LIME (R² {check.fit_quality:.2f}{trust})", list(local)),
    ]
    title = f"SHAP values and LIME slopes of row {explanation.row}"
    return pictures.side_by_side(title, names, columns)


def _water(result: WaterResult) -> str:
    spans = [pictures.Span(*result.fitted, "weeks of the fit")]
    scored = result.scored
    words = (
        f"One signal, one value an hour, scored in time. Features: {_name(result.version.spec.features[0])}; "
        f"detector: {_name(result.version.spec.detector)}, fitted on three quiet weeks of April. The file "
        "has no labels: river's documentation names four segments, three low ones and one small peak."
    )
    flow = pictures.over_time(
        "flow in l/s", result.stamps, result.flow, scored.anomalous, spans=spans
    )
    score = pictures.over_time(
        "score",
        result.stamps,
        scored.scores,
        scored.anomalous,
        threshold=scored.threshold,
        spans=spans,
    )
    return section("Water flow, hour by hour", words, card(flow), card(score))


def _events(result: WaterResult) -> str:
    rows = [
        (
            console.moment(event.first),
            console.moment(event.last),
            str(event.hours),
            f"{event.lowest:.1f}",
            f"{event.highest:.1f}",
            f"{event.peak.score:.4g}",
            f"{event.peak.p_value:.2g}",
        )
        for event in result.events
    ]
    heads = ("since (UTC)", "until", "hours", "lowest l/s", "highest l/s", "peak score", "p-value")
    cards = [_cells(event) for event in sorted(result.events, key=lambda e: -e.hours)[:4]]
    words = "Unbroken runs of alarms, as the answers tell them (since when, and for how many rows)."
    paired = [row(*cards[i : i + 2]) for i in range(0, len(cards), 2)]
    return section("When, and since when", words, card(table(heads, rows, range(2, 7))), *paired)


def _cells(event: Event) -> str:
    """Return the strangest hour of an event, its contributions hour by hour of the window."""
    cells = sorted(event.peak.cells, key=lambda cell: cell.lag)
    picture = pictures.attribution_bars(
        f"What each hour of the window added to the score at {console.moment(event.peak.event_time)}",
        [f"{cell.lag} h before" if cell.lag else "this hour" for cell in cells],
        [cell.contribution for cell in cells],
        [console.number(cell.value, "l/s") for cell in cells],
    )
    return card(picture, heading=console.moment(event.peak.event_time), words=event.peak.summary)


def _provenance() -> str:
    words = f"{data.SHUTTLE_SOURCE}. {data.WATER_SOURCE}. No network and no script is needed to read this page."
    return section("Where the data come from", words)


def _name(step: object) -> str:
    plugin = getattr(step, "plugin", str(step))
    given = getattr(step, "parameters", {})
    said = {name: value for name, value in given.items() if value is not None}
    told = ", ".join(f"{name} = {_plain(value)}" for name, value in said.items())
    return f"{plugin} ({told})" if told else plugin


def _plain(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return f"{value:g}" if isinstance(value, float) else str(np.asarray(value))
