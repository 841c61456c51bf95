"""``auto``: the default recipe, unless another is surely better on injected anomalies."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest

from clarion.errors import PreconditionError
from clarion.frames import Frame
from clarion.pipeline.choose import Choice, _Trial
from clarion.pipeline.fit import fit
from clarion.pipeline.run import FittedPipeline
from clarion.pipeline.spec import PipelineSpec, Step
from clarion.plugins import load_plugins
from clarion.recipes import Facts, Line
from clarion.registry import Registries, Registry


@dataclass(frozen=True, slots=True)
class Poor:
    """Sees one signal's histogram in two bins: next to blind."""

    priority: ClassVar[int] = 1

    def line(self, facts: Facts) -> Line | None:
        """Return it always."""
        return Line(Step("hbos", {"bins": 2}))


@dataclass(frozen=True, slots=True)
class Good:
    """Sees the covariance."""

    priority: ClassVar[int] = 2

    def line(self, facts: Facts) -> Line | None:
        """Return it always."""
        return Line(Step("mahalanobis"), (Step("standardize"),))


@dataclass(frozen=True, slots=True)
class Broken:
    """Cannot be fitted."""

    priority: ClassVar[int] = 3

    def line(self, facts: Facts) -> Line | None:
        """Return a line that asks for more neighbours than there are rows."""
        return Line(Step("knn", {"neighbours": 1000, "max_reference_rows": 5}))


def registries(*recipes: type) -> Registries:
    loaded = load_plugins()
    own = Registry("recipes")
    for recipe in recipes:
        own.add(recipe.__name__.lower(), f"{__name__}:{recipe.__name__}")
        own._loaded[recipe.__name__.lower()] = recipe  # this module has no importable name
    return Registries(loaded.detectors, loaded.features, loaded.explainers, loaded.sources, own)


@pytest.fixture
def rows(rng: np.random.Generator) -> Frame:
    return Frame.of(rng.normal(size=(1500, 4)) @ rng.normal(size=(4, 4)))


def fitted(rows: Frame, *recipes: type) -> tuple[FittedPipeline, Choice]:
    done = fit(PipelineSpec(Step("auto")), rows, registries=registries(*recipes))
    assert done.choice is not None
    return done, done.choice


def test_a_sure_winner_takes_the_defaults_place(rows: Frame) -> None:
    done, choice = fitted(rows, Poor, Good)
    assert (choice.default, choice.chosen) == ("poor", "good")
    poor, good = choice.candidates
    assert good.precision > poor.precision
    assert good.gain_low > 0
    assert done.spec.detector.plugin == "mahalanobis"
    assert [step.plugin for step in done.spec.features] == ["standardize"]


def test_the_default_stays_where_nothing_is_surely_better(rows: Frame) -> None:
    @dataclass(frozen=True, slots=True)
    class Twin(Good):
        priority: ClassVar[int] = 9

    done, choice = fitted(rows, Good, Twin)
    assert choice.chosen == choice.default == "good"
    assert choice.candidates[1].gain_low == choice.candidates[1].gain_high == 0
    assert done.spec.detector.plugin == "mahalanobis"


def test_a_candidate_that_cannot_be_fitted_is_passed_over_and_told(rows: Frame) -> None:
    _, choice = fitted(rows, Good, Broken)
    assert choice.chosen == "good"
    assert "neighbours" in choice.candidates[1].note
    assert math.isnan(choice.candidates[1].precision)


@pytest.mark.parametrize("features", [(), (Step("standardize"),)])
def test_rows_scored_each_for_itself_are_judged_as_in_whole_frames(
    rows: Frame, features: tuple[Step, ...]
) -> None:
    """Only the rows that an anomaly changed are scored again: so the choice takes little time."""
    spec = PipelineSpec(Step("knn"), features)
    trial, pipeline = _Trial.of(spec, rows), fit(spec, rows, registries=load_plugins())
    assert len(trial.cases) > 5
    seen: list[int] = []

    class Spy:
        history = 0
        detector = pipeline.detector

        def run(self, frame: Frame, *policy: object, **rate: float) -> object:
            seen.append(len(frame))
            return pipeline.run(frame, *policy, **rate)  # type: ignore[arg-type]

    judged = trial.precisions(Line(Step("knn")), lambda *_: Spy())  # type: ignore[arg-type]
    assert judged.tolist() == trial._whole(pipeline)
    assert sum(seen) < 2 * len(trial.held)


def test_the_same_rows_choose_the_same(rows: Frame) -> None:
    assert fitted(rows, Poor, Good)[1] == fitted(rows, Poor, Good)[1]


def test_no_suiting_recipe_is_an_error(rows: Frame) -> None:
    with pytest.raises(PreconditionError, match="no loaded recipe suits 1500 rows of 4 numeric"):
        fit(PipelineSpec(Step("auto")), rows, registries=registries())


def test_a_choice_survives_as_json(rows: Frame) -> None:
    _, choice = fitted(rows, Good, Broken)
    again = Choice.from_json(choice.to_json())
    assert again.to_json() == choice.to_json()
    assert None in choice.to_json()["candidates"][1].values()


@pytest.mark.parametrize("ordered", [True, False])
@pytest.mark.parametrize("labels", [None, np.zeros(1500, bool)], ids=["unvetted", "vetted"])
def test_the_built_in_recipes_cover_every_kind_of_rows(
    rows: Frame, ordered: bool, labels: np.ndarray | None
) -> None:
    spec = PipelineSpec(Step("auto"), ordered=ordered)
    done = fit(spec, rows, labels, registries=load_plugins())
    assert done.choice is not None
    assert done.choice.chosen in {judged.recipe for judged in done.choice.candidates}
