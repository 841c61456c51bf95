"""Both lines are read rightly: of a linear score they are the score itself."""

import numpy as np
import pytest

from clarion.explainers import Scorable
from clarion.frames import Frame
from explanations_lime import Fresh, library_line, own_answer, own_line

WEIGHTS = np.array([2.0, -1.0, 0.5])


@pytest.fixture
def case() -> Scorable:
    normal = Frame.of(3 + np.random.default_rng(0).normal(size=(50, 3)) * [1.0, 5.0, 0.2])
    return Scorable(lambda f: 7 + (f.numeric() * WEIGHTS).sum(axis=1), normal)


ROW = np.array([4.0, -3.0, 8.0])


def test_the_own_line_of_a_linear_score_is_the_score(case: Scorable) -> None:
    slopes, intercept = own_line(case, ROW, own_answer(case, ROW, seed=0))
    np.testing.assert_allclose(slopes, WEIGHTS, rtol=1e-9)
    assert intercept == pytest.approx(7)


def test_the_librarys_line_is_too_but_for_its_penalty(case: Scorable) -> None:
    slopes, intercept = library_line(case)(ROW)
    np.testing.assert_allclose(slopes, WEIGHTS, rtol=0.01)
    assert intercept == pytest.approx(7, rel=0.02)


def test_r2_on_fresh_points_tells_right_lines_from_wrong_ones(case: Scorable) -> None:
    fresh = Fresh.around(case, ROW, seed=1)
    assert fresh.quality((WEIGHTS, 7.0)) == pytest.approx(1)
    assert fresh.quality((np.zeros(3), float(fresh.weights @ fresh.scores))) == pytest.approx(0)
    assert fresh.quality((-WEIGHTS, 7.0)) < 0
