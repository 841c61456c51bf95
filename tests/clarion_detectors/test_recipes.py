"""Recipes: which suit which rows, and what the one for sensors sees and says."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from clarion.frames import Frame
from clarion.pipeline.answer import ExplainedRows, ExplanationPolicy
from clarion.pipeline.fit import fit
from clarion.pipeline.run import FittedPipeline
from clarion.pipeline.spec import PipelineSpec, Step
from clarion.plugins import load_plugins
from clarion.recipes import Facts

REGISTRIES = load_plugins()


def suiting(facts: Facts) -> list[str]:
    """Return the names of the recipes that suit, the default first."""
    recipes = [(e.name, REGISTRIES.recipes.build(e.name, {})) for e in REGISTRIES.recipes]
    recipes.sort(key=lambda pair: pair[1].priority)
    return [name for name, recipe in recipes if recipe.line(facts) is not None]


def facts(
    numeric: int, longest: int, *, coded: int = 0, ordered: bool = True, vetted: bool = True
) -> Facts:
    return Facts(longest, numeric, coded, ordered, vetted, 0, longest)


@pytest.mark.parametrize(
    ("rows", "names"),
    [
        (facts(38, 20_000), ["sensors"]),
        (facts(38, 20_000, vetted=False), ["sensors"]),
        (facts(38, 20_000, coded=2), ["sensors", "flows"]),
        (facts(8, 400), ["short_sensors", "vetted", "unvetted"]),
        (facts(501, 400), ["vetted", "unvetted"]),
        (facts(1, 20_000, vetted=False), ["one_signal"]),
        (facts(1, 600, vetted=False), ["one_signal"]),
        (facts(1, 400, vetted=False), ["unvetted"]),
        (facts(38, 20_000, ordered=False), ["vetted", "unvetted"]),
        (facts(38, 20_000, ordered=False, vetted=False), ["unvetted"]),
        (facts(38, 20_000, coded=3, ordered=False), ["flows", "vetted", "unvetted"]),
    ],
)
def test_rows_followed_for_long_are_not_judged_each_for_itself(
    rows: Facts, names: list[str]
) -> None:
    assert suiting(rows) == names


def test_some_recipe_suits_whatever_has_signals() -> None:
    sizes, rows = (0, 1, 2, 50), (1, 199, 200, 499, 500, 999, 1_000, 50_000)
    for numeric, coded, longest, ordered, vetted in product(
        sizes, sizes, rows, (True, False), (True, False)
    ):
        if numeric or coded:
            asked = facts(numeric, longest, coded=coded, ordered=ordered, vetted=vetted)
            assert suiting(asked), asked


@pytest.fixture(scope="module")
def sensors() -> FittedPipeline:
    """Four sensors that follow one slow load, fitted by ``auto``."""
    return fit(PipelineSpec(Step("auto"), ordered=True), plant(1_600, 0), registries=REGISTRIES)


def plant(rows: int, seed: int) -> Frame:
    rng = np.random.default_rng(seed)
    load = np.sin(np.arange(rows) / 40 + seed)[:, None]
    noise = 0.1 * rng.normal(size=(rows, 4))
    return Frame.of(load * [1, -2, 3, 0.5] + noise, ["flow", "level", "power", "speed"])


def test_a_sensor_that_leaves_the_others_is_the_culprit(sensors: FittedPipeline) -> None:
    assert sensors.choice is not None
    assert sensors.choice.chosen == "sensors"
    values = plant(200, 1).numeric().copy()
    values[120:160, 1] += 2.0  # within its own range, but not at this load
    frame = Frame.of(values, ["flow", "level", "power", "speed"])
    answer, _ = sensors.run(frame, ExplanationPolicy(rows=ExplainedRows.ANOMALOUS))
    broken = (answer.source_rows >= 120) & (answer.source_rows < 160)
    assert answer.anomalous[broken].mean() > 0.9
    assert answer.anomalous[answer.source_rows < 120].mean() < 0.1
    assert answer.attribution is not None
    assert answer.attribution.additivity_error.max() <= 1e-9
    of_broken = np.isin(answer.explained, np.flatnonzero(broken))
    largest = np.argmax(answer.attribution.contributions[of_broken], axis=1)
    assert (largest == 1).mean() > 0.9
    named = [e.culprits for e in answer.explanations if 120 <= e.row < 160]
    assert np.mean(["level" in [c.signal for c in culprits] for culprits in named]) > 0.9


def test_what_breaks_is_seen_in_its_first_row(sensors: FittedPipeline) -> None:
    """Statistics of ten rows alone see half of these steps by then."""
    seen = []
    for first in range(100, 180, 10):
        values = plant(200, 1).numeric().copy()
        values[first:, 2] += 1.0
        answer, _ = sensors.run(Frame.of(values, ["flow", "level", "power", "speed"]))
        seen.append(answer.anomalous[answer.source_rows == first].all())
    assert sum(seen) >= 7
