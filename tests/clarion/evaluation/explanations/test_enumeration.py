from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from clarion.arrays import FloatArray
from clarion.evaluation.explanations.enumeration import (
    MOST_PLAYERS,
    enumerable,
    enumeration_error,
)
from clarion.evaluation.explanations.subject import Subject
from clarion.explainers import Attribution, Role, Scorable
from clarion.explaining import ladder
from clarion.features import FitContext
from clarion.frames import Frame
from clarion.plugins import load_plugins

ROWS = np.array([[3.0, 2.0, -1.0, 3.0], [0.5, 0.0, 0.0, -2.0]])


def swapped(scorable: Scorable, rows: FloatArray) -> FloatArray:
    """Adds up as it should, but credits the wrong signals."""
    return np.asarray((rows - scorable.background.numeric().mean(axis=0)) * [4.0, 2.0, -1.0, 0.0])[
        :, ::-1
    ]


def test_what_is_right_by_hand_is_right_by_enumeration(subject: Callable[..., Subject]) -> None:
    assert enumeration_error(subject(), ROWS) < 1e-12
    assert enumeration_error(subject(players=(0, 1, 0, 1)), ROWS) < 1e-12


def test_contributions_that_add_up_but_are_not_shapley_values_are_told(
    subject: Callable[..., Subject],
) -> None:
    assert enumeration_error(subject(swapped), ROWS) > 0.1


def test_the_error_is_that_of_the_worst_row(subject: Callable[..., Subject]) -> None:
    def wrong_once(scorable: Scorable, rows: FloatArray) -> FloatArray:
        right = np.asarray((rows - scorable.background.numeric().mean(axis=0)) * [4, 2, -1, 0])
        right[1, :2] += [0.25, -0.25]
        return right

    made = subject(wrong_once)
    truth = np.abs(subject().explain(ROWS).contributions[1]).sum()
    size = max(1.0, abs(float(ROWS[1] @ [4.0, 2.0, -1.0, 0.0])), truth)
    assert enumeration_error(made, ROWS) == pytest.approx(0.25 / size)


def test_too_many_players_are_not_enumerated(rng: np.random.Generator) -> None:
    for players, small in ((MOST_PLAYERS, True), (MOST_PLAYERS + 1, False)):
        names = [f"s{i}" for i in range(players)]
        background = Frame.of(rng.normal(size=(5, players)), names)
        scorable = Scorable(lambda f: np.asarray(f.numeric().sum(axis=1)), background)
        assert enumerable(Subject(scorable, None, 0, "")) is small  # type: ignore[arg-type]


class Answered(Subject):
    """A subject whose explainer says of its game what a test tells it."""

    __slots__ = ("told",)
    told: str

    def explain(self, rows: FloatArray) -> Attribution:
        return replace(super().explain(rows), value_function=self.told)


def answered(subject: Subject, value_function: str) -> Subject:
    made = Answered(subject.scorable, subject.rung, subject.evaluations, subject.digest)
    object.__setattr__(made, "told", value_function)
    return made


def test_a_conditional_game_of_who_knows_what_is_not_enumerated(
    subject: Callable[..., Subject],
) -> None:
    assert math.isnan(enumeration_error(answered(subject(), "conditional (a copula)"), ROWS))


def test_the_conditional_game_of_a_gaussian_is_enumerated() -> None:
    """Exact values of it are right; marginal ones said to be of it are not."""
    normal = Frame.of(np.random.default_rng(0).normal(size=(300, 4)) @ np.tri(4))
    registries = load_plugins()
    context = FitContext(np.random.default_rng(0), registries)
    fitted = registries.detectors.build("mahalanobis", {}).fit(normal, None, context)
    case = Scorable(fitted.score, normal.take(slice(0, 40)), fitted)
    conditional, marginal = (
        Subject(case, ladder.named(case, registries, name, Role.DECOMPOSITION), 0, "")
        for name in ("conditional_quadratic", "quadratic")
    )
    assert enumeration_error(conditional, ROWS) < 1e-12
    said = conditional.explain(ROWS).value_function
    assert enumeration_error(answered(marginal, said), ROWS) > 0.01
