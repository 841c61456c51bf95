"""Which explainer answers, at what cost, and whether its answer may be believed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import pytest

from clarion.arrays import FloatArray
from clarion.errors import (
    BudgetExceededError,
    ClarionError,
    MissingExtraError,
    PluginError,
    PluginNotFoundError,
    UnsupportedPairError,
)
from clarion.explainers import Attribution, Label, Role, Scorable, Support
from clarion.explaining import ladder
from clarion.frames import Frame
from clarion.registry import Registries

BACKGROUND = Frame.of([[0.0, 0.0], [2.0, 4.0]])
FRAME = Frame.of([[5.0, 7.0], [1.0, -1.0], [0.0, 0.0]])


def total(frame: Frame) -> FloatArray:
    return np.asarray(frame.numeric().sum(axis=1))


SCORABLE = Scorable(total, BACKGROUND)


@dataclass(frozen=True, slots=True, kw_only=True)
class Good:
    """Right for `total`: a sum explains itself."""

    role: ClassVar[Role] = Role.DECOMPOSITION
    support: ClassVar[Any] = Support(Label.EXACT, 10)

    def supports(self, scorable: Scorable) -> Any:
        return self.support

    def explain(self, scorable: Scorable, frame: Frame, *, evaluations: int, seeds: Any) -> Any:
        values, n = frame.numeric() - BACKGROUND.numeric().mean(axis=0), len(frame)
        return Attribution(values, np.full(n, 3.0), Label.EXACT, "good", "", np.zeros(n))


class Additive(Good):
    support = Support(Label.ADDITIVE, 0)


class Sampled(Good):
    support = Support(Label.SAMPLED, 500)


class Costly(Good):
    support = Support(Label.EXACT, 1000)


class Aside(Good):
    support = Support(Label.EXACT, 0, by_name=True)


class Mute(Good):
    support = None


class Mumbling(Good):
    support = "exactly"


class Raising(Good):
    def supports(self, scorable: Scorable) -> Any:
        raise RuntimeError("no idea")


class Lacking(Good):
    def supports(self, scorable: Scorable) -> Any:
        raise MissingExtraError("shap is not installed; run: pip install 'clarion[explain]'")


@dataclass(frozen=True, slots=True, kw_only=True)
class Demanding(Good):
    depth: int


class CrossCheck(Good):
    role = Role.CROSS_CHECK


def offering(*plugins: type[Any]) -> Registries:
    registries = Registries()
    for plugin in plugins:
        registries.explainers.add(plugin.__name__, f"{__name__}:{plugin.__name__}")
    return registries


def rungs(*plugins: type[Any], role: Role = Role.DECOMPOSITION) -> list[ladder.Rung]:
    return ladder.rungs(SCORABLE, offering(*plugins), role)


def test_the_better_label_comes_first_then_the_cheaper_and_other_questions_last() -> None:
    found = rungs(Aside, Sampled, Additive, Costly, Good, Mute, CrossCheck)
    assert [rung.name for rung in found] == ["Good", "Costly", "Additive", "Sampled", "Aside"]
    assert [rung.name for rung in rungs(Good, CrossCheck, role=Role.CROSS_CHECK)] == ["CrossCheck"]


@pytest.mark.parametrize("faulty", [Raising, Lacking, Mumbling, Demanding])
def test_an_explainer_that_cannot_say_takes_no_other_away(faulty: type[Any]) -> None:
    assert [rung.name for rung in rungs(faulty, Good)] == ["Good"]


def test_an_explainer_that_cannot_be_imported_takes_no_other_away() -> None:
    registries = offering(Good)
    registries.explainers.add("gone", "clarion.no_such_module:Gone")
    assert [r.name for r in ladder.rungs(SCORABLE, registries, Role.DECOMPOSITION)] == ["Good"]


def named(name: str, *plugins: type[Any], role: Role = Role.DECOMPOSITION) -> ladder.Rung:
    return ladder.named(SCORABLE, offering(*plugins), name, role)


def test_an_explainer_asked_for_by_name_is_taken_whatever_its_label() -> None:
    assert named("Sampled", Good, Sampled).support == Sampled.support


@pytest.mark.parametrize(
    ("role", "asked", "able", "field"),
    [
        (Role.DECOMPOSITION, "Mute", "Good, Sampled", "policy.explainer"),
        (Role.DECOMPOSITION, "CrossCheck", "Good, Sampled", "policy.explainer"),
        (Role.CROSS_CHECK, "Good", "CrossCheck", "policy.cross_checks"),
    ],
)
def test_an_explainer_that_cannot_is_refused_beside_those_that_can(
    role: Role, asked: str, able: str, field: str
) -> None:
    with pytest.raises(UnsupportedPairError) as caught:
        named(asked, Good, Sampled, Mute, CrossCheck, role=role)
    error = caught.value
    assert (error.metadata["explainer"], error.metadata["supported"]) == (asked, able)
    assert able in error.message
    assert error.field == field


@pytest.mark.parametrize(
    ("asked", "kind"), [("Nobody", PluginNotFoundError), ("Raising", PluginError)]
)
def test_an_explainer_asked_for_by_name_that_is_not_there_or_broken(
    asked: str, kind: type[ClarionError]
) -> None:
    with pytest.raises(kind, match=asked):
        named(asked, Good, Raising)


def test_the_best_rung_is_the_first_that_fits_the_budget() -> None:
    able = rungs(Costly, Sampled, Additive)
    chosen = [ladder.best(able, evaluations).name for evaluations in (5000, 1000, 999, 0)]
    assert chosen == ["Costly", "Costly", "Additive", "Additive"]


def test_a_budget_too_small_for_all_names_the_cheapest_and_its_cost() -> None:
    with pytest.raises(BudgetExceededError) as caught:
        ladder.best(rungs(Costly, Sampled), 499)
    error = caught.value
    assert (error.metadata["explainer"], error.metadata["needed"]) == ("Sampled", "500")
    assert error.field == "policy.max_evaluations"


def test_a_detector_that_nobody_can_explain() -> None:
    with pytest.raises(UnsupportedPairError):
        ladder.best([], 10_000)


def explained(plugin: type[Any], evaluations: int = 2048) -> Attribution:
    rung = named(plugin.__name__, plugin, role=plugin.role)
    return ladder.explain(rung, SCORABLE, FRAME, evaluations, np.zeros(3, np.uint64))


def test_an_answer_that_adds_up_is_taken_as_it_is() -> None:
    np.testing.assert_array_equal(explained(Good).contributions, [[4, 5], [0, -3], [-1, -2]])


def test_a_rung_beyond_the_budget_is_not_tried() -> None:
    with pytest.raises(BudgetExceededError) as caught:
        explained(Costly, 999)
    assert caught.value.metadata["needed"] == "1000"


ANSWER: Attribution = Good().explain(SCORABLE, FRAME, evaluations=0, seeds=None)
BAD_ANSWERS: dict[str, Callable[[], object]] = {
    "nothing": lambda: None,
    "an array": lambda: ANSWER.contributions,
    "too few rows": lambda: replace(ANSWER, contributions=ANSWER.contributions[:2]),
    "too many features": lambda: replace(ANSWER, contributions=np.zeros((3, 3))),
    "one base value": lambda: replace(ANSWER, base_value=np.array(3.0)),
    "NaN": lambda: replace(ANSWER, contributions=ANSWER.contributions * np.nan),
    "words": lambda: replace(ANSWER, contributions=ANSWER.contributions.astype(str)),
    "sums that miss": lambda: replace(ANSWER, contributions=ANSWER.contributions + 1e-7),
    "additive, missing too": lambda: replace(
        ANSWER, label=Label.ADDITIVE, base_value=ANSWER.base_value + 1e-7
    ),
    "no standard errors": lambda: replace(ANSWER, label=Label.SAMPLED),
    "too few standard errors": lambda: replace(
        ANSWER, label=Label.SAMPLED, standard_error=np.ones(2)
    ),
    "no label": lambda: replace(ANSWER, label="best"),  # type: ignore[arg-type]
}
NEXT: list[Callable[[], object]] = []


class Lying(Good):
    def explain(self, scorable: Scorable, frame: Frame, *, evaluations: int, seeds: Any) -> Any:
        return NEXT.pop()()


@pytest.mark.parametrize("answer", list(BAD_ANSWERS))
def test_an_answer_that_may_not_be_believed_is_refused_by_name(answer: str) -> None:
    NEXT.append(BAD_ANSWERS[answer])
    with pytest.raises(PluginError, match="'Lying'") as caught:
        explained(Lying)
    assert caught.value.metadata == {"plugin": "Lying", "family": "explainers"}


def test_a_sampled_answer_may_miss_the_score_and_says_by_how_much_it_may_err() -> None:
    near = replace(
        ANSWER,
        label=Label.SAMPLED,
        contributions=ANSWER.contributions + 0.1,
        standard_error=np.full((3, 2), 0.2),
    )
    NEXT.append(lambda: near)
    assert explained(Lying) is near


class Checking(Lying):
    role = Role.CROSS_CHECK


@pytest.mark.parametrize("quality", [None, np.ones(2), np.full(3, np.nan)])
def test_a_cross_check_without_the_quality_of_its_fit_is_refused(
    quality: FloatArray | None,
) -> None:
    """A local slope sums to nothing, so R² is all there is to believe it by."""
    NEXT.append(lambda: replace(ANSWER, contributions=np.ones((3, 2)), fit_quality=quality))
    with pytest.raises(PluginError, match="'Checking'"):
        explained(Checking)
    NEXT.append(lambda: replace(ANSWER, contributions=np.ones((3, 2)), fit_quality=np.ones(3)))
    assert explained(Checking).contributions.sum() == 6


@pytest.mark.parametrize(
    ("interval", "why"),
    [
        (np.ones((3, 2)), r"not finite float64 of shape \(3, 2, 2\)"),
        (np.full((3, 2, 2), np.inf), "not finite"),
        (np.full((3, 2, 2), [1.0, 0.9]), "lower end is above"),
    ],
)
def test_intervals_that_are_none_are_refused(interval: FloatArray, why: str) -> None:
    checked = replace(ANSWER, fit_quality=np.ones(3))
    NEXT.append(lambda: replace(checked, interval=interval))
    with pytest.raises(PluginError, match=f"'Checking' returned intervals.*{why}"):
        explained(Checking)
    NEXT.append(lambda: replace(checked, interval=np.ones((3, 2, 2))))
    assert explained(Checking).interval is not None


def by_feature(label: Label, **more: Any) -> Attribution:
    """An answer of three features a row, to a game of two players."""
    values = np.array([[1.0, 2.0, 4.0], [8.0, 16.0, 32.0]])
    return Attribution(values, np.zeros(2), label, "m", "v", np.zeros(2), **more)


GROUPED = Scorable(total, Frame.of(np.zeros((1, 3))), players=np.array([0, 1, 0]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Unaware(Good):
    """Knows no players: gives each feature a value."""

    given: ClassVar[Attribution]

    def explain(self, scorable: Scorable, frame: Frame, *, evaluations: int, seeds: Any) -> Any:
        return self.given


@pytest.mark.parametrize(
    ("label", "becomes"),
    [
        (Label.EXACT, Label.ADDITIVE),
        (Label.ADDITIVE, Label.ADDITIVE),
        (Label.SAMPLED, Label.SAMPLED),
    ],
)
def test_what_knows_no_players_is_summed_and_exact_no_more(label: Label, becomes: Label) -> None:
    errors = np.array([[0.1, 0.2, 0.4], [0.0, 0.0, 0.0]])
    ends = np.stack([-np.ones((2, 3)), 2 * np.ones((2, 3))], axis=2)
    Unaware.given = by_feature(label, standard_error=errors, interval=ends)
    rung = ladder.Rung("Unaware", Unaware(), Support(label, 0))
    frame = Frame.of(Unaware.given.contributions)
    answer = ladder.explain(rung, GROUPED, frame, 0, np.zeros(2, np.uint64))
    assert answer.label is becomes
    assert answer.contributions.tolist() == [[5.0, 2.0], [40.0, 16.0]]
    assert answer.standard_error is not None
    assert answer.standard_error.tolist() == [[0.5, 0.2], [0.0, 0.0]]
    assert answer.interval is not None
    assert answer.interval.tolist() == [[[-2.0, 4.0], [-1.0, 2.0]]] * 2


def test_an_answer_for_neither_features_nor_players_is_refused() -> None:
    Unaware.given = replace(by_feature(Label.EXACT), contributions=np.zeros((2, 4)))
    rung = ladder.Rung("Unaware", Unaware(), Support(Label.EXACT, 0))
    with pytest.raises(PluginError, match="Unaware"):
        ladder.explain(rung, GROUPED, Frame.of(np.zeros((2, 3))), 0, np.zeros(2, np.uint64))
