"""What would look normal: the constraints a user gives, and how the answer is printed."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import typer

from clarion.cli import console
from clarion.cli.pipelines import pairs

if TYPE_CHECKING:
    from clarion_client import Culprit, Explanation, SignalConstraint


def constraints(
    immutable: Sequence[str], integer: Sequence[str], ranges: Sequence[str]
) -> tuple[SignalConstraint, ...]:
    """Return the constraints of options such as ``--range SIGNAL=LOW:HIGH``; an end may be empty."""
    from clarion_client import SignalConstraint

    ends = {name: _ends(name, text) for name, text in pairs(ranges).items()}
    names = dict.fromkeys((*immutable, *integer, *ends))
    return tuple(
        SignalConstraint(name, name in immutable, name in integer, *ends.get(name, (None, None)))
        for name in names
    )


def lines(explanation: Explanation) -> Iterator[str]:
    """Yield a line for each culprit, and one for all of them together."""
    for culprit in explanation.culprits:
        yield f"culprit   {_culprit(culprit)}"
    if not explanation.culprits:
        return
    score = f"{explanation.cleared_score:.5g} (p = {explanation.cleared_p_value:.2g})"
    proven = "; no smaller set clears it" if explanation.minimum_proven else ""
    yield f"cleared   the score would be {score}{proven}"
    if explanation.plausibility is not None:
        usual = explanation.plausibility
        yield f"usual     {usual:.2g} of normal rows are as far from others as the cleared one"


def _culprit(culprit: Culprit) -> str:
    unit = culprit.unit
    if culprit.span_normal_value is None:
        now = culprit.word or console.number(culprit.value, unit)
        normal = f", would look normal at {culprit.normal_word}" if culprit.normal_word else ""
        return f"{culprit.signal}: {now}{normal}"
    rows = f" on average of {culprit.span_rows} rows" if culprit.span_rows > 1 else ""
    told = f"{culprit.signal}: {console.number(culprit.span_value, unit) or 'missing'}{rows}"
    told += f", would look normal at {console.number(culprit.span_normal_value, unit)}"
    if culprit.change_deviations is not None:
        told += f" ({culprit.change_deviations:+.3g} sd)"
    still = console.number(culprit.still_anomalous_value, unit)
    return told + (f", still anomalous at {still}" if still else "")


def _ends(name: str, text: str) -> tuple[float | None, float | None]:
    low, colon, high = text.partition(":")
    try:
        ends = tuple(float(end) if end else None for end in (low, high))
    except ValueError:
        ends = (math.nan, math.nan)
    if not colon or any(end is not None and math.isnan(end) for end in ends):
        raise typer.BadParameter(
            f"--range {name}={text} is not of the form SIGNAL=LOW:HIGH, as flow=0:12.5 or flow=0:"
        )
    return ends[0], ends[1]
