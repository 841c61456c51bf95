from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest

from clarion.arrays import FloatArray
from clarion.detectors import Quadratic
from clarion.explainers import Attribution, Label, Scorable
from clarion.frames import Frame
from clarion.kernels.quadratic import quadratic_form
from clarion_explainers.quadratic import QuadraticShap


@dataclass(frozen=True)
class Form:
    """Scores with Clarion's kernel, as the built-in detectors do."""

    form: Quadratic

    def coordinates(self, frame: Frame) -> FloatArray:
        return frame.numeric() / 2

    def quadratic(self) -> Quadratic:
        return self.form

    def score(self, frame: Frame) -> FloatArray:
        points = quadratic_form(self.coordinates(frame), self.form.center, self.form.matrix)
        return points + self.form.offset


def scorable(matrix: FloatArray, m: int = 9, offset: float = 0.0, seed: int = 0) -> Scorable:
    d = len(matrix)
    rng = np.random.default_rng(seed)
    detector = Form(Quadratic(rng.normal(size=d), matrix, offset))
    return Scorable(detector.score, Frame.of(rng.normal(size=(m, d)) + 0.5), detector)


def random_matrix(d: int, seed: int = 3) -> FloatArray:
    half = np.random.default_rng(seed).normal(size=(d, d))
    return half @ half.T


def rows(n: int, d: int) -> Frame:
    return Frame.of(3 * np.random.default_rng(1).normal(size=(n, d)))


def explain(case: Scorable, frame: Frame) -> Attribution:
    seeds = np.zeros(len(frame), np.uint64)
    return QuadraticShap().explain(case, frame, evaluations=0, seeds=seeds)


@pytest.mark.parametrize(("d", "m"), [(1, 1), (1, 6), (2, 1), (5, 9), (8, 4)])
def test_equals_enumeration_over_all_coalitions(
    d: int, m: int, marginal_shapley: Callable[[Scorable, Frame], FloatArray]
) -> None:
    case, frame = scorable(random_matrix(d), m, offset=2.5), rows(3, d)
    answer = explain(case, frame)
    expected = marginal_shapley(case, frame)
    np.testing.assert_allclose(answer.contributions, expected, rtol=1e-11, atol=1e-11)
    assert answer.label is Label.EXACT
    assert answer.base_value == pytest.approx(np.full(3, case.score(case.background).mean()))
    assert answer.additivity_error.max() <= 1e-12


def test_a_product_of_two_features_is_shared_between_them() -> None:
    """AND: 2 x0 x1 at (1, 1) against the single background row (0, 0) gives 1 to each."""
    detector = Form(Quadratic(np.zeros(2), np.array([[0.0, 4.0], [4.0, 0.0]])))
    case = Scorable(detector.score, Frame.of([[0.0, 0.0]]), detector)
    np.testing.assert_allclose(explain(case, Frame.of([[1.0, 1.0]])).contributions, [[1.0, 1.0]])


def test_xor_against_every_input_gives_the_features_half_of_the_deviation_each() -> None:
    """XOR of bits is (x0 - x1)²; its mean over the four inputs is 1/2."""
    detector = Form(Quadratic(np.zeros(2), np.array([[4.0, -4.0], [-4.0, 4.0]])))
    bits = Frame.of([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    answer = explain(Scorable(detector.score, bits, detector), bits)
    half = np.array([-0.25, 0.25, 0.25, -0.25])
    np.testing.assert_allclose(answer.contributions, np.stack([half, half], axis=1), atol=1e-15)
    assert answer.base_value.tolist() == [0.5] * 4


def test_a_feature_that_the_score_ignores_gets_exactly_nothing() -> None:
    matrix = random_matrix(4)
    matrix[2] = matrix[:, 2] = 0.0
    assert not explain(scorable(matrix), rows(5, 4)).contributions[:, 2].any()


def test_equal_features_get_equal_shares() -> None:
    matrix = np.full((3, 3), 0.5) + np.diag([2.0, 2.0, 5.0])
    detector = Form(Quadratic(np.array([1.0, 1.0, 0.0]), matrix))
    background = Frame.of([[0.0, 0.0, 1.0], [2.0, 2.0, -1.0]])
    frame = Frame.of([[4.0, 4.0, 1.0]])
    first, second, _ = explain(Scorable(detector.score, background, detector), frame).contributions[
        0
    ]
    assert first == second


def test_adds_up_where_the_matrix_is_nearly_singular_and_rows_are_extreme() -> None:
    """Two features that move as one: entries of 5e5 cancel wherever they do so."""
    matrix = np.array([[5e5, -5e5 + 0.5, 0.0], [-5e5 + 0.5, 5e5, 0.0], [0.0, 0.0, 1.0]])
    case = scorable(matrix)
    tight = Scorable(case.score, Frame.of([[1.0, 1.0, 0.0], [2.0, 2.0, 1.0]]), case.capability)
    frame = Frame.of([[3.0, 3.0, 0.5], [1e9, -1e9, 1e9], [1e9, 1e9, 0.0], [0.0, 0.0, 0.0]])
    assert explain(tight, frame).additivity_error.max() <= 1e-9


def test_a_row_gets_the_same_bits_alone_and_in_a_batch() -> None:
    matrix, frame = random_matrix(11), rows(1000, 11)
    together = explain(scorable(matrix), frame)
    for i in (0, 1, 500, 999):
        alone = explain(scorable(matrix), frame.take(np.array([i])))
        assert alone.contributions.tobytes() == together.contributions[i].tobytes()
        assert alone.additivity_error[0] == together.additivity_error[i]
        assert alone.base_value[0] == together.base_value[i]


def test_detectors_without_a_quadratic_form_are_left_to_others() -> None:
    case = scorable(random_matrix(2))
    assert QuadraticShap().supports(Scorable(case.score, case.background)) is None
