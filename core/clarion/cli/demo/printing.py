"""The demo's answers on a terminal."""

from __future__ import annotations

from clarion.cli import console, counterfactuals
from clarion.cli.demo.shuttle import ShuttleResult
from clarion.cli.demo.water import WaterResult


def numbers(result: ShuttleResult) -> None:
    """Print what `--json` writes, one number a line."""
    console.facts([(name, f"{value:.6g}") for name, value in result.numbers().items()])


def tables(shuttle: ShuttleResult, water: WaterResult) -> None:
    """Print anomalies with attribution bars, SHAP beside LIME, and the events of the water flow."""
    console.out().print(_anomalies(shuttle))
    strangest = shuttle.examples[0]
    console.out().print(console.cross_checks(strangest))
    for line in counterfactuals.lines(strangest):
        console.out().print(line, markup=False, soft_wrap=True)
    console.out().print(strangest.summary, markup=False)
    console.out().print(_events(water))


def _anomalies(result: ShuttleResult) -> object:
    made = console.table(
        "row", "score", "p-value", "because of", "culprits", "LIME R²",
        right=("row", "score", "p-value", "LIME R²"),
        title="Space shuttle: alarms from the strangest to the one nearest to the threshold",
    )  # fmt: skip
    for explanation in result.examples:
        made.add_row(
            str(explanation.row),
            f"{explanation.score:.4g}",
            f"{explanation.p_value:.2g}",
            console.reasons(explanation),
            ", ".join(culprit.signal for culprit in explanation.culprits),
            f"{explanation.cross_checks[0].fit_quality:.2f}",
        )
    return made


def _events(result: WaterResult) -> object:
    made = console.table(
        "since (UTC)", "until", "hours", "flow l/s", "peak score", "p-value",
        right=("hours", "flow l/s", "peak score", "p-value"),
        title="Water flow: unbroken runs of alarms, when and since when",
    )  # fmt: skip
    for event in result.events:
        made.add_row(
            console.moment(event.first),
            console.moment(event.last),
            str(event.hours),
            f"{event.lowest:.1f} to {event.highest:.1f}",
            f"{event.peak.score:.4g}",
            f"{event.peak.p_value:.2g}",
        )
    return made
