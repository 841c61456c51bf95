from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy import stats

from clarion.errors import ArtifactCorruptError
from clarion.kernels.links import surprise
from clarion.state import State
from clarion_detectors.conformal_link import ConformalLink

SCORES = st.lists(
    st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=60
) | st.lists(st.sampled_from([0.0, 0.5, 1.0, -3.0]), min_size=1, max_size=60)


def test_at_the_calibration_scores_it_is_the_conformal_p_value() -> None:
    scores = np.array([3.0, 1.0, 2.0, 2.0])
    p = np.exp(-ConformalLink.of(scores)(scores))
    # Rows at least as high, and the row itself, of four and two.
    np.testing.assert_allclose(p, np.array([2, 5, 4, 4]) / 6)


def test_p_values_of_fresh_normal_rows_are_uniform(rng: np.random.Generator) -> None:
    link = ConformalLink.of(rng.gamma(2.0, size=4000))
    p = np.exp(-link(rng.gamma(2.0, size=4000)))
    assert stats.kstest(p, "uniform").statistic < 0.04


@pytest.mark.parametrize("shape", [0.0, 0.3])
def test_the_tail_is_a_generalised_pareto_law(rng: np.random.Generator, shape: float) -> None:
    law = stats.genpareto(shape, scale=2.0)
    link = ConformalLink.of(law.rvs(20_000, random_state=rng))
    far = law.isf([1e-5, 1e-6])
    np.testing.assert_allclose(link(far), -law.logsf(far), rtol=0.25)
    assert link.tail_shape == pytest.approx(shape, abs=0.15)


@settings(max_examples=200, deadline=None)
@given(calibration=SCORES, scores=SCORES)
@example(calibration=[-1.7e308, 1.7e308], scores=[0.0])
def test_it_never_decreases_and_stays_finite(calibration: list[float], scores: list[float]) -> None:
    link = ConformalLink.of(np.array(calibration))
    linked = link(np.sort([*scores, *calibration, -1.7e308, 1.7e308]))
    assert np.isfinite(linked).all()
    assert (np.diff(linked) >= 0).all()
    assert linked.min() >= 0


@settings(max_examples=100, deadline=None)
@given(
    calibration=st.lists(st.integers(-1000, 1000), min_size=1, max_size=60),
    score=st.integers(-1500, 1500),
)
def test_it_rises_everywhere_without_a_jump(calibration: list[int], score: int) -> None:
    link = ConformalLink.of(np.array(calibration, np.float64))
    before, at, after = link(np.array([score - 1e-7, score, score + 1e-7]))
    assert before < at < after or at == 0.0  # exp() ends in 0, far below
    assert after - before < 0.5


@pytest.mark.parametrize("spread", [0.1, 1.0, 3.0], ids=["bounded", "usual", "heavy"])
def test_it_rises_strictly_and_continuously_from_the_head_into_the_tail(spread: float) -> None:
    scores = np.exp(spread * np.random.default_rng(7).normal(size=500)).round(3)
    link = ConformalLink.of(scores)
    span = float(scores.max() - scores.min())
    grid = np.r_[
        scores.min() - span, link.knots, scores.max() + span * np.geomspace(1e-6, 100, 200)
    ]
    middles = (link.knots[:-1] + link.knots[1:]) / 2
    assert (np.diff(link(np.sort(np.r_[grid, middles]))) > 0).all()
    step = 1e-9 * np.diff(link.knots).min()
    assert np.abs(link(link.knots + step) - link(link.knots - step)).max() < 1e-6


def test_rounding_makes_no_step_back_at_a_knot() -> None:
    # Both distances from the lower knot round to 1, and low + (high - low) rounds to above high.
    knots, low, high = np.array([-1.0, 1e-17]), 1.5 * 2**-52, 1 + 3 * 2**-52
    assert low + (high - low) > high
    assert surprise(np.array([0.0]), knots, np.array([low, high]), 1.0, 1.0, 0.0)[0] <= high


def test_far_scores_stay_apart() -> None:
    link = ConformalLink.of(np.arange(100.0))
    far = link(np.array([1e3, 1e6, 1e12, 1e18]))
    assert (np.diff(far) > 1).all()


def test_the_state_gives_the_same_bits_back(rng: np.random.Generator) -> None:
    scores = rng.gamma(2.0, size=300)
    link = ConformalLink.of(scores)
    state = link.state()
    assert ConformalLink.from_state(state)(scores).tobytes() == link(scores).tobytes()
    falling = {**state.arrays, "knots": state.arrays["knots"][::-1]}
    with pytest.raises(ArtifactCorruptError, match="increasing"):
        ConformalLink.from_state(State(1, state.parameters, falling))
    with pytest.raises(ArtifactCorruptError, match="increasing"):
        ConformalLink.from_state(State(1, {**state.parameters, "tail_scale": 0.0}, state.arrays))
