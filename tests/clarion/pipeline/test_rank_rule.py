from __future__ import annotations

import math
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from clarion.arrays import FloatArray
from clarion.errors import TooFewRowsError, UnreachableRateError
from clarion.pipeline.calibrate import Calibration
from clarion.pipeline.rank_rule import Promise, rank, rows_needed, smallest_rate


def quantile(k: int, rows: int) -> float:
    return float(stats.beta.ppf(0.95, k, rows + 1 - k))


@pytest.mark.parametrize(("rows", "kept"), [(298, 0), (299, 1), (1000, 5), (5000, 39)])
def test_the_ranks_are_those_of_the_science_notes(rows: int, kept: int) -> None:
    assert rank(0.01, rows, Promise.CERTAIN) == kept


@given(st.integers(1, 30_000), st.floats(1e-4, 0.5))
def test_the_rank_is_the_largest_whose_95_percent_quantile_keeps_the_rate(
    rows: int, rate: float
) -> None:
    kept = rank(rate, rows, Promise.CERTAIN)
    assert kept == 0 or quantile(kept, rows) <= rate * (1 + 1e-9)
    assert quantile(kept + 1, rows) > rate * (1 - 1e-9)


@given(st.floats(1e-5, 0.5))
def test_the_rows_needed_are_the_fewest_that_keep_the_rate(rate: float) -> None:
    needed = rows_needed(rate, Promise.CERTAIN)
    assert rank(rate, needed, Promise.CERTAIN) >= 1
    assert needed == 1 or rank(rate, needed - 1, Promise.CERTAIN) == 0


@given(st.integers(1, 30_000))
def test_the_smallest_rate_is_reached_and_none_much_below(rows: int) -> None:
    for promise in Promise:
        least = smallest_rate(rows, promise)
        assert rank(least, rows, promise) == 1
        assert rank(least * (1 - 1e-9), rows, promise) == 0


def test_the_promise_is_broken_by_at_most_8_percent_of_300_calibrations() -> None:
    """SCIENCE 4, test (iii): the realised rate is known, so no noise of a test sample hides it."""
    rng, rate = np.random.default_rng(45), 0.01
    broken = dict.fromkeys(Promise, 0)
    for _ in range(300):
        scores = rng.standard_t(4, 1000)
        for promise in Promise:
            threshold = Calibration.of(scores, rate, promise).threshold(rate)
            broken[promise] += stats.t.sf(threshold, 4) > rate
    assert broken[Promise.CERTAIN] <= 0.08 * 300
    assert broken[Promise.AVERAGE] > 0.3 * 300  # what the plain rank leaves to chance


@pytest.mark.parametrize(
    ("rows", "asked", "made"),
    [
        (99, None, Promise.AVERAGE),
        (298, None, Promise.AVERAGE),
        (299, None, Promise.CERTAIN),
        (299, Promise.AVERAGE, Promise.AVERAGE),
        (299, Promise.CERTAIN, Promise.CERTAIN),
    ],
)
def test_certainty_is_promised_where_rows_suffice(
    rows: int, asked: Promise | None, made: Promise
) -> None:
    assert Calibration.of(np.arange(float(rows)), 0.01, asked).promise is made


def test_certainty_asked_for_with_too_few_rows_names_how_many_are_needed() -> None:
    with pytest.raises(TooFewRowsError) as caught:
        Calibration.of(np.arange(298.0), 0.01, Promise.CERTAIN)
    assert caught.value.metadata["needed"] == "299"
    assert "95 %" in caught.value.message


def test_a_rate_that_is_reachable_but_not_certain_says_both_cures() -> None:
    calibration = Calibration.of(np.arange(400.0), 0.01)
    with pytest.raises(UnreachableRateError) as caught:
        calibration.threshold(0.005)
    found = re.search(r"at least (\d+) rows", caught.value.message)
    assert found is not None
    assert int(found[1]) == 598
    assert "promise 'average'" in caught.value.message
    assert float(caught.value.metadata["smallest_rate"]) == calibration.smallest_rate
    assert math.isfinite(calibration.threshold(calibration.smallest_rate))


def levels(scores: FloatArray) -> list[float]:
    calibration = Calibration.of(scores, 0.05)
    return [calibration.threshold(rate) for rate in (0.05, 0.1, 0.3)]


def test_the_certain_threshold_is_never_below_that_of_the_average() -> None:
    scores = np.random.default_rng(46).integers(0, 9, 400).astype(np.float64)
    for sample in (scores, np.full(400, 3.0), np.arange(400.0)):
        certain, average = (
            Calibration.of(sample, 0.05, promise).threshold(0.05)
            for promise in (Promise.CERTAIN, Promise.AVERAGE)
        )
        assert certain >= average
    assert levels(scores) == sorted(levels(scores), reverse=True)
