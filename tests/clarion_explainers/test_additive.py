from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest

from clarion.arrays import FloatArray
from clarion.errors import SignalMismatchError, UnsupportedPairError
from clarion.explainers import Attribution, Label, Scorable
from clarion.frames import Frame
from clarion_explainers.additive import Additive


@dataclass(frozen=True)
class Sum:
    """Linear where ``power`` is 1."""

    weights: FloatArray
    power: int
    names: tuple[str, ...]

    def terms(self, frame: Frame) -> FloatArray:
        values: FloatArray = frame.aligned_to(self.names).numeric()
        return self.weights * values**self.power

    def score(self, frame: Frame) -> FloatArray:
        scores: FloatArray = self.terms(frame).sum(axis=1)
        return scores


def scorable(d: int = 4, m: int = 7, power: int = 2, seed: int = 0) -> Scorable:
    rng = np.random.default_rng(seed)
    detector = Sum(rng.normal(size=d), power, tuple(f"x{j}" for j in range(d)))
    return Scorable(detector.score, Frame.of(rng.normal(size=(m, d))), detector)


def rows(n: int, d: int = 4) -> Frame:
    return Frame.of(3 * np.random.default_rng(1).normal(size=(n, d)))


def explain(case: Scorable, frame: Frame) -> Attribution:
    return Additive().explain(case, frame, evaluations=0, seeds=np.zeros(len(frame), np.uint64))


@pytest.mark.parametrize(("d", "m"), [(1, 1), (1, 5), (4, 1), (4, 7), (8, 3)])
def test_equals_enumeration_over_all_coalitions(
    d: int, m: int, marginal_shapley: Callable[[Scorable, Frame], FloatArray]
) -> None:
    case, frame = scorable(d, m), rows(3, d)
    answer = explain(case, frame)
    np.testing.assert_allclose(answer.contributions, marginal_shapley(case, frame), atol=1e-12)
    assert answer.label is Label.EXACT
    assert answer.base_value == pytest.approx(np.full(3, case.score(case.background).mean()))
    assert answer.additivity_error.max() <= 1e-12


def test_says_exact_and_what_absent_means() -> None:
    answer = explain(scorable(), rows(1))
    assert (answer.label, answer.method) == (Label.EXACT, "additive")
    assert "background" in answer.value_function


def test_a_linear_score_gives_weight_times_deviation_from_the_background_mean() -> None:
    case, frame = scorable(power=1), rows(2)
    answer = explain(case, frame)
    assert isinstance(case.capability, Sum)
    by_hand = case.capability.weights * (frame.numeric() - case.background.numeric().mean(axis=0))
    np.testing.assert_allclose(answer.contributions, by_hand, atol=1e-13)


def test_a_row_gets_the_same_bits_alone_and_in_a_batch() -> None:
    case, frame = scorable(), rows(50)
    together = explain(case, frame)
    for i in (0, 17, 49):
        row = frame.take(np.array([i]))
        alone = explain(scorable(), row)
        assert alone.contributions.tobytes() == together.contributions[i].tobytes()
        assert alone.base_value[0] == together.base_value[i]


def test_says_what_it_cannot_explain() -> None:
    case, frame = scorable(), rows(1)
    alone = Scorable(case.score, case.background)
    assert Additive().supports(alone) is None
    with pytest.raises(UnsupportedPairError, match="AdditiveTerms"):
        explain(alone, frame)


def test_other_signals_are_refused() -> None:
    frame = Frame.of([[1.0] * 4], ["a", "b", "c", "d"])
    with pytest.raises(SignalMismatchError, match="missing 'x0'"):
        explain(scorable(), frame)
