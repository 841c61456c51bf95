from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import pytest

from clarion.arrays import FloatArray
from clarion.detectors import FittedDetector, Quadratic
from clarion.errors import UnsupportedPairError
from clarion.explainers import Attribution, Label, Scorable
from clarion.frames import Frame, Signal
from clarion.state import State
from clarion_explainers.additive import Additive
from clarion_explainers.quadratic import QuadraticShap
from clarion_explainers.rescaled_sum import RescaledSum


@dataclass(frozen=True)
class Plain:
    """A fitted detector of three signals without capabilities."""

    @property
    def signals(self) -> tuple[Signal, ...]:
        return tuple(Signal(f"x{j}") for j in range(3))

    def state(self) -> State:
        return State(1)

    @classmethod
    def from_state(cls, state: State) -> Self:
        return cls()

    def score(self, frame: Frame) -> FloatArray:
        return np.asarray(np.abs(frame.numeric()).max(axis=1))


class Squares(Plain):
    def terms(self, frame: Frame) -> FloatArray:
        return np.asarray(frame.numeric() ** 2)

    def score(self, frame: Frame) -> FloatArray:
        return np.asarray(self.terms(frame).sum(axis=1))


class Bowl(Plain):
    def quadratic(self) -> Quadratic:
        return Quadratic(np.zeros(3), np.full((3, 3), 0.5) + np.eye(3))

    def coordinates(self, frame: Frame) -> FloatArray:
        return frame.numeric()

    def score(self, frame: Frame) -> FloatArray:
        u = frame.numeric()
        return np.asarray(0.5 * u.sum(axis=1) ** 2 + (u**2).sum(axis=1))


@dataclass(frozen=True)
class Ensemble:
    """The sum of log(1 + score) of the first member and a third of the others' scores."""

    parts: tuple[FittedDetector, ...]

    def members(self) -> tuple[FittedDetector, ...]:
        return self.parts

    def linked(self, member: int, scores: FloatArray) -> FloatArray:
        return np.asarray(np.log1p(scores) if member == 0 else scores / 3)

    def score(self, frame: Frame) -> FloatArray:
        parts = [self.linked(i, part.score(frame)) for i, part in enumerate(self.parts)]
        return np.asarray(np.sum(parts, axis=0))


def scorable(*parts: FittedDetector) -> Scorable:
    detector = Ensemble(parts)
    background = Frame.of(np.random.default_rng(0).normal(size=(9, 3)))
    return Scorable(detector.score, background, detector)


def rows(n: int) -> Frame:
    return Frame.of(3 * np.random.default_rng(1).normal(size=(n, 3)))


def explain(case: Scorable, frame: Frame) -> Attribution:
    assert RescaledSum().supports(case) is not None
    return RescaledSum().explain(case, frame, evaluations=0, seeds=np.zeros(len(frame), np.uint64))


def test_members_are_scaled_by_the_secant_of_their_links() -> None:
    case, frame, seeds = scorable(Squares(), Bowl()), rows(6), np.zeros(6, np.uint64)
    squares = Scorable(Squares().score, case.background, Squares())
    bowl = Scorable(Bowl().score, case.background, Bowl())
    first = Additive().explain(squares, frame, evaluations=0, seeds=seeds)
    second = QuadraticShap().explain(bowl, frame, evaluations=0, seeds=seeds)
    start, end = squares.mean_score(), squares.score(frame)
    secant = (np.log1p(end) - np.log1p(start)) / (end - start)
    answer = explain(case, frame)
    expected = secant[:, None] * first.contributions + second.contributions / 3
    np.testing.assert_allclose(answer.contributions, expected)
    np.testing.assert_allclose(answer.base_value, np.log1p(start) + bowl.mean_score() / 3)
    assert answer.additivity_error.max() <= 1e-12
    assert answer.label is Label.ADDITIVE


def test_linear_links_give_the_sum_of_shapley_values() -> None:
    """Second and third member have linear links: their ensemble's values are the members' own."""
    frame, zeros = rows(4), np.zeros(4, np.uint64)
    case = scorable(Squares(), Squares(), Bowl())
    lone = scorable(Squares())
    rest = explain(case, frame).contributions - explain(lone, frame).contributions
    squares = Scorable(Squares().score, case.background, Squares())
    bowl = Scorable(Bowl().score, case.background, Bowl())
    expected = Additive().explain(squares, frame, evaluations=0, seeds=zeros).contributions
    expected = (
        expected + QuadraticShap().explain(bowl, frame, evaluations=0, seeds=zeros).contributions
    )
    np.testing.assert_allclose(rest, expected / 3)


@pytest.mark.parametrize("nudge", [0.0, 1e-16, 1e-13, 1e-11, 1e-8])
def test_a_row_that_scores_its_base_value_keeps_its_features_apart(nudge: float) -> None:
    """Against (1, 0, 0), the row (0, 1, 0) scores the same: log(1 + s) has the slope 1/2 there."""
    detector = Ensemble((Squares(),))
    case = Scorable(detector.score, Frame.of([[1.0, 0.0, 0.0]]), detector)
    answer = explain(case, Frame.of([[0.0, 1.0 + nudge, 0.0]]))
    np.testing.assert_allclose(answer.contributions, [[-0.5, 0.5, 0.0]], atol=1e-6)
    assert answer.additivity_error.max() <= 1e-12


class Kinked(Ensemble):
    def linked(self, member: int, scores: FloatArray) -> FloatArray:
        return np.asarray(1e6 * np.maximum(scores - 1, 0))


def test_a_link_with_a_kink_at_the_base_value_still_adds_up() -> None:
    detector = Kinked((Squares(),))
    case = Scorable(detector.score, Frame.of([[1.0, 0.0, 0.0]]), detector)
    answer = explain(case, Frame.of([[0.0, 1.0 + 1e-10, 0.0]]))
    assert answer.additivity_error.max() <= 1e-12


def test_a_row_gets_the_same_bits_alone_and_in_a_batch() -> None:
    frame = rows(20)
    together = explain(scorable(Squares(), Bowl()), frame)
    for i in (0, 19):
        alone = explain(scorable(Squares(), Bowl()), frame.take(np.array([i])))
        assert alone.contributions.tobytes() == together.contributions[i].tobytes()
        assert alone.base_value[0] == together.base_value[i]


def test_a_member_without_a_closed_form_leaves_it_to_others() -> None:
    case = scorable(Squares(), Plain())
    assert RescaledSum().supports(case) is None
    with pytest.raises(UnsupportedPairError, match="Plain"):
        RescaledSum().explain(case, rows(1), evaluations=0, seeds=np.zeros(1, np.uint64))


def test_detectors_without_members_are_refused() -> None:
    alone = Scorable(Bowl().score, scorable().background, Bowl())
    assert RescaledSum().supports(alone) is None
    with pytest.raises(UnsupportedPairError, match="LinkedSum"):
        RescaledSum().explain(alone, rows(1), evaluations=0, seeds=np.zeros(1, np.uint64))


class FirstTwo(Squares):
    @property
    def signals(self) -> tuple[Signal, ...]:
        return (Signal("x1"), Signal("x0"))


class OverParts(Ensemble):
    def score(self, frame: Frame) -> FloatArray:
        part = frame.with_numeric(frame.numeric()[:, [1, 0]], self.parts[0].signals)
        linked = self.linked(0, self.parts[0].score(part))
        return np.asarray(linked + self.linked(1, self.parts[1].score(frame)))


def test_a_member_of_some_signals_leaves_the_others_alone() -> None:
    """The signals of a member may come in another order than those of the whole."""
    detector, frame, zeros = OverParts((FirstTwo(), Bowl())), rows(6), np.zeros(6, np.uint64)
    background = scorable().background
    answer = explain(Scorable(detector.score, background, detector), frame)
    bowl = Scorable(Bowl().score, background, Bowl())
    third = QuadraticShap().explain(bowl, frame, evaluations=0, seeds=zeros).contributions / 3
    start, end = ((f.numeric()[:, :2] ** 2) for f in (background, frame))
    mean, scores = start.sum(axis=1).mean(), end.sum(axis=1)
    secant = (np.log1p(scores) - np.log1p(mean)) / (scores - mean)
    expected = third + np.pad(secant[:, None] * (end - start.mean(axis=0)), ((0, 0), (0, 1)))
    np.testing.assert_allclose(answer.contributions, expected)
    assert answer.additivity_error.max() <= 1e-12


def test_a_player_of_several_features_gets_the_sum_of_theirs() -> None:
    alone, frame = scorable(Squares(), Bowl()), rows(4)
    grouped = replace(alone, players=np.array([1, 0, 1]))
    answer, features = explain(grouped, frame), explain(alone, frame).contributions
    assert answer.label is Label.ADDITIVE
    np.testing.assert_array_equal(answer.contributions[:, 0], features[:, 1])
    np.testing.assert_array_equal(answer.contributions[:, 1], features[:, 0] + features[:, 2])
    assert answer.additivity_error.max() <= 1e-12
