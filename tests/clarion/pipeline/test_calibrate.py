from __future__ import annotations

import math
import re

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scipy import stats

from clarion.arrays import FloatArray
from clarion.errors import InvalidParameterError, TooFewRowsError, UnreachableRateError
from clarion.pipeline.calibrate import Calibration
from clarion.pipeline.rank_rule import Promise, rows_needed

finite = st.floats(allow_nan=False, allow_infinity=False)
tied = st.integers(-3, 3).map(float)
samples = st.lists(st.one_of(tied, finite), min_size=1, max_size=60)


def calibrated(scores: FloatArray | list[float], rate: float = 0.5) -> Calibration:
    return Calibration.of(np.array(scores, np.float64), rate, Promise.AVERAGE)


def p_by_counting(calibration: list[float], score: float) -> float:
    """Vovk et al. (2005), written as it is said."""
    return (1 + sum(one >= score for one in calibration)) / (len(calibration) + 1)


@given(samples, st.lists(st.one_of(tied, finite), min_size=1, max_size=20))
def test_the_p_value_counts_calibration_scores_at_least_as_high(
    scores: list[float], asked: list[float]
) -> None:
    given_p = calibrated(scores).p_values(np.array(asked + scores))
    assert given_p.tolist() == [p_by_counting(scores, score) for score in asked + scores]


def rates_around(rows: int, rate: float) -> list[float]:
    """Return ``rate``, and the edges next to it at which one more rank comes into reach."""
    edge = max(1, round(rate * (rows + 1))) / (rows + 1)
    near = [rate, edge, math.nextafter(edge, 0), math.nextafter(edge, 1)]
    return [one for one in near if 1 / (rows + 1) <= one < 1]


@given(samples, st.floats(1e-3, 1, exclude_max=True), st.lists(finite, max_size=5))
@example([0.0] * 99, 0.07, [])
@example([0.0] * 99, 0.29, [])
@example([-0.0, 0.0], 0.5, [])
def test_a_score_reaches_the_threshold_exactly_when_its_p_value_reaches_the_rate(
    scores: list[float], rate: float, others: list[float]
) -> None:
    calibration = calibrated(scores)
    around = [math.nextafter(s, side) for s in scores for side in (-math.inf, math.inf)]
    probes = np.array([x for x in scores + others + around if math.isfinite(x)])
    for asked in rates_around(len(scores), rate):
        alarms = probes >= calibration.threshold(asked)
        assert alarms.tolist() == (calibration.p_values(probes) <= asked).tolist()


@given(st.integers(1, 400))
def test_the_smallest_p_is_that_of_a_score_above_all(rows: int) -> None:
    calibration = calibrated(list(np.linspace(0, 1, rows)))
    assert calibration.p_values(np.array([1e300]))[0] == calibration.smallest_p == 1 / (rows + 1)
    assert calibration.threshold(calibration.smallest_p) > calibration.scores.max()


@given(st.floats(1e-6, 0.5))
@example(0.07)
@example(math.nextafter(0.01, 0))
def test_the_rows_needed_are_the_fewest_that_reach_the_rate(rate: float) -> None:
    needed = rows_needed(rate)
    assert 1 / (needed + 1) <= rate
    assert needed == 1 or 1 / needed > rate


def test_an_unreachable_rate_names_the_rows_that_would_reach_it() -> None:
    with pytest.raises(UnreachableRateError) as caught:
        calibrated(list(range(50))).threshold(0.001)
    error = caught.value
    found = re.search(r"at least (\d+) rows", error.message)
    assert found is not None
    assert int(found[1]) == 999
    assert error.field == "false_alarm_rate"
    assert error.metadata["smallest_p_value"] == str(1 / 51)
    assert math.isfinite(calibrated(list(range(999))).threshold(0.001))


@pytest.mark.parametrize("rate", [0.0, -0.1, 1.0, 1.5, math.nan, math.inf, -math.inf])
def test_a_rate_that_is_no_rate_is_refused(rate: float) -> None:
    with pytest.raises(InvalidParameterError) as caught:
        calibrated([1.0, 2.0, 3.0]).threshold(rate)
    assert caught.value.field == "false_alarm_rate"


def test_a_vanishing_rate_is_unreachable_and_nothing_worse() -> None:
    with pytest.raises(UnreachableRateError):
        calibrated([1.0, 2.0]).threshold(5e-324)


def test_too_few_scores_for_the_rate_are_refused() -> None:
    assert calibrated(list(range(99)), 0.01).rows == 99
    with pytest.raises(TooFewRowsError) as caught:
        calibrated(list(range(98)), 0.01)
    assert caught.value.metadata["needed"] == "99"


def test_constant_scores_raise_no_alarm_among_themselves() -> None:
    calibration = calibrated([4.0] * 200)
    assert calibration.p_values(np.array([4.0]))[0] == 1.0
    assert not 4.0 >= calibration.threshold(0.01)  # noqa: SIM300 - reads as the rule does


def test_the_promised_rate_holds_on_average_over_fresh_calibrations() -> None:
    """SCIENCE 4, test (i): for continuous scores P(p <= a) = a where a (n + 1) is whole."""
    rng, rate = np.random.default_rng(41), 0.05
    realised = np.array(
        [
            (calibrated(rng.normal(size=199)).p_values(rng.normal(size=2000)) <= rate).mean()
            for _ in range(300)
        ]
    )
    error = realised.std(ddof=1) / math.sqrt(len(realised))
    assert abs(realised.mean() - rate) < 3 * error


@pytest.mark.parametrize("decimals", [8, 0], ids=["continuous", "with ties"])
def test_randomised_p_values_are_uniform(decimals: int) -> None:
    """SCIENCE 4, test (ii): ties broken at random, each p-value from a calibration of its own."""
    rng = np.random.default_rng(43)
    drawn = []
    for _ in range(1500):
        calibration = calibrated(rng.normal(size=60).round(decimals))
        score = rng.normal(size=1).round(decimals)
        p, above = calibration.p_values(np.array([score[0], np.nextafter(score[0], np.inf)]))
        drawn.append(p - rng.uniform() * (p - above + calibration.smallest_p))
    assert stats.kstest(drawn, "uniform").pvalue > 0.01


def few_levels(rng: np.random.Generator, size: int) -> FloatArray:
    return rng.integers(0, 4, size).astype(np.float64)


@pytest.mark.parametrize("rate", [0.1, 0.3])
def test_ties_keep_the_rate_below_the_promise(rate: float) -> None:
    rng = np.random.default_rng(44)
    realised = [
        (calibrated(few_levels(rng, 99)).p_values(few_levels(rng, 1000)) <= rate).mean()
        for _ in range(100)
    ]
    assert np.mean(realised) <= rate


def test_the_identity_changes_with_the_scores_and_with_the_rate_only() -> None:
    base = calibrated([3.0, 1.0, 2.0], 0.3)
    assert calibrated([1.0, 2.0, 3.0], 0.3).id == base.id
    assert calibrated([1.0, 2.0, 3.0], 0.4).id != base.id
    assert calibrated([1.0, 2.0, 3.5], 0.3).id != base.id


def test_the_state_gives_the_same_calibration_back() -> None:
    before = calibrated(np.random.default_rng(1).normal(size=300), 0.02)
    after = Calibration.from_state(before.state())
    assert after.scores.tobytes() == before.scores.tobytes()
    assert (after.default_rate, after.id) == (0.02, before.id)
