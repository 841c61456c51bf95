from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from clarion.arrays import FloatArray
from clarion.errors import TooFewRowsError, UnreachableRateError
from clarion.pipeline.calibrate import Calibration
from clarion.pipeline.rank_rule import Promise
from clarion.pipeline.tail import Tail


def drawn(n: int = 2000, seed: int = 0) -> FloatArray:
    return np.abs(np.random.default_rng(seed).standard_t(4, n))


def realised(rate: float, law: stats.rv_continuous, *args: float) -> FloatArray:
    """Return what share of ``law`` exceeds 200 thresholds for ``rate``, of 2000 rows each."""
    rng, out = np.random.default_rng(47), []
    for _ in range(200):
        calibration = Calibration.of(law.rvs(*args, size=2000, random_state=rng), 0.01)
        out.append(law.sf(calibration.threshold(rate, extrapolate=True), *args))
    return np.array(out)


@pytest.mark.parametrize("shape", [0.0, 0.25])
def test_extrapolated_rates_are_of_the_right_size(shape: float) -> None:
    """SCIENCE 4 measured 1.9e-4 on average, .2-5.8e-4, where 1e-4 was asked of 2000 rows."""
    rates = realised(1e-4, stats.genpareto, shape)
    assert 0.5e-4 < np.median(rates) < 2e-4
    assert rates.mean() < 3e-4


def test_a_law_with_an_end_is_never_called_impossible() -> None:
    assert np.quantile(realised(1.5e-4, stats.uniform), 0.9) < 1.5e-4
    p = Calibration.of(np.linspace(0, 1, 2000), 0.01).p_values(np.array([1.5, 1e9, 1e308]))
    assert (p == 1 / 10_000).all()


def test_p_values_fall_with_the_score_and_never_below_one_in_five_n() -> None:
    calibration = Calibration.of(drawn(), 0.01)
    scores = np.sort(np.r_[calibration.scores, np.geomspace(0.1, 1e300, 4000)])
    p = calibration.p_values(scores)
    assert (np.diff(p) <= 0).all()
    assert p.min() == 1 / 10_000
    flagged = calibration.extrapolated(p)
    np.testing.assert_array_equal(flagged, p < 1 / 2001)
    assert not flagged[scores <= calibration.scores[-1]].any()
    assert flagged[-1]


@pytest.mark.parametrize("rate", [4e-4, 2.5e-4, 1e-4])
def test_a_score_reaches_an_extrapolated_threshold_when_its_p_value_reaches_the_rate(
    rate: float,
) -> None:
    calibration = Calibration.of(drawn(), 0.01)
    threshold = calibration.threshold(rate, extrapolate=True)
    assert threshold > calibration.scores[-1]
    near = threshold * np.array([1 - 1e-9, 1, 1 + 1e-9])
    reached = calibration.p_values(near) <= rate
    assert reached[1:].all()
    assert not reached[0] or near[0] <= calibration.scores[-1]


def test_extrapolation_must_be_asked_for_and_ends_at_one_in_five_n() -> None:
    calibration = Calibration.of(drawn(), 0.01)
    with pytest.raises(UnreachableRateError, match="allow an extrapolated threshold"):
        calibration.threshold(1e-4)
    with pytest.raises(UnreachableRateError) as caught:
        calibration.threshold(9.9e-5, extrapolate=True)
    assert "extrapolated" not in caught.value.message
    assert calibration.levels(1e-4, extrapolate=True).pooled.extrapolated
    assert not calibration.levels(0.01, extrapolate=True).pooled.extrapolated


def test_between_certainty_and_the_smallest_p_value_it_is_the_plain_rank() -> None:
    calibration = Calibration.of(drawn(), 0.01)
    assert calibration.smallest_p < 1e-3 < calibration.smallest_rate
    level = calibration.levels(1e-3, extrapolate=True).pooled
    average = Calibration.of(drawn(), 0.01, Promise.AVERAGE)
    assert level.threshold == average.threshold(1e-3)
    assert level.extrapolated
    assert level.expected_rate == 2 / 2001


def test_a_default_rate_out_of_reach_is_taken_where_the_spec_allows_it() -> None:
    with pytest.raises(TooFewRowsError, match="9999"):
        Calibration.of(drawn(), 1e-4)
    allowed = Calibration.of(drawn(), 1e-4, allow_extrapolated=True)
    assert allowed.threshold(1e-4) == Calibration.of(drawn(), 0.01).threshold(
        1e-4, extrapolate=True
    )
    with pytest.raises(TooFewRowsError) as caught:
        Calibration.of(drawn(1999), 1e-4, allow_extrapolated=True)
    assert caught.value.metadata["needed"] == "2000"


@pytest.mark.parametrize(
    "scores", [drawn(999), np.full(2000, 3.0), np.repeat([0.0, 1.0], [1000, 1000])]
)
def test_without_rows_or_spread_there_is_no_tail(scores: FloatArray) -> None:
    calibration = Calibration.of(scores, 0.01)
    assert calibration.pooled.tail is None
    assert calibration.p_values(np.array([1e300]))[0] == calibration.smallest_p
    with pytest.raises(UnreachableRateError):
        calibration.threshold(2e-4, extrapolate=True)


@pytest.mark.parametrize("scale", [1e-300, 1e305])
def test_scores_of_any_size_give_finite_p_values(scale: float) -> None:
    calibration = Calibration.of(drawn() * scale, 0.01)
    p = calibration.p_values(np.array([-1.7e308, 0.0, 1.7e308]))
    assert ((p > 0) & (p <= 1)).all()
    assert math.isfinite(calibration.threshold(0.01))


def test_the_rows_that_a_tail_needs_are_those_at_which_it_reaches() -> None:
    for rate in (1e-3, 1e-4, 3e-5):
        tail = Tail.of(np.sort(drawn(Tail.rows_needed(rate))))
        assert tail is not None
        assert tail.smallest_p <= rate


@pytest.mark.parametrize("promise", Promise)
def test_a_vanishing_rate_is_out_of_reach_and_nothing_worse(promise: Promise) -> None:
    calibration = Calibration.of(drawn(), 0.01, promise)
    with pytest.raises(UnreachableRateError):
        calibration.threshold(5e-324, extrapolate=True)
    with pytest.raises(TooFewRowsError):
        Calibration.of(drawn(), 5e-324, promise, allow_extrapolated=True)
