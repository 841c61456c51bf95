"""``clarion explain``: constraints are understood, and what would look normal is printed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import typer

from clarion.cli.counterfactuals import constraints, lines
from clarion_client import Culprit, SignalConstraint


def test_options_become_one_constraint_a_signal() -> None:
    made = constraints(["mode"], ["count", "valve"], ["valve=0:12.5", "flow=-1:", "level=:3"])
    assert made == (
        SignalConstraint("mode", immutable=True),
        SignalConstraint("count", integer=True),
        SignalConstraint("valve", integer=True, minimum=0.0, maximum=12.5),
        SignalConstraint("flow", minimum=-1.0),
        SignalConstraint("level", maximum=3.0),
    )


@pytest.mark.parametrize("text", ["flow", "flow=3", "flow=a:b", "flow=nan:1", "=1:2"])
def test_a_range_that_is_none_is_told_with_its_cure(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="form"):
        constraints([], [], [text])


def test_an_explanation_within_constraints(cli: Any, history: Path, today: Path) -> None:
    read = ("--time", "when", "--drop", "fault")
    assert cli("fit", "kept", history, *read, "--detector", "mahalanobis").code == 0
    explain = ("explain", "kept", today, "--row", "40", "--time", "when", "--drop", "fault")
    free = cli(*explain).out
    assert "culprit   heat: " in free
    assert "still anomalous at" in free
    assert "no smaller set clears it" in free
    kept = cli(*explain, "--immutable", "heat", "--integer", "flow", "--range", "noise=0:1")
    assert kept.code == 0
    assert "culprit   heat" not in kept.out
    wrong = cli(*explain, "--immutable", "torque")
    assert wrong.code != 0
    assert "torque" in wrong.err


def test_words_and_spans_are_printed_as_such() -> None:
    word = Culprit("mode", None, "stop", None, "run", "")
    span = replace(
        Culprit("flow", 3.0, "", None, "", "A"),
        span_rows=4,
        span_value=2.5,
        span_normal_value=1.0,
        change_deviations=-3.0,
    )
    told = list(lines(_explanation(word, span)))
    assert told[0] == "culprit   mode: stop, would look normal at run"
    assert "flow: 2.5 A on average of 4 rows, would look normal at 1 A (-3 sd)" in told[1]
    assert not list(lines(_explanation()))


def _explanation(*culprits: Culprit) -> Any:
    from clarion_api.v1 import detection_pb2
    from clarion_client import Explanation

    return replace(Explanation.of(detection_pb2.Explanation()), culprits=culprits)
