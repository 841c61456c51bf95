"""Reliability: what is promised is found kept, what is off is found off, and bounds are scipy's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import stats

from clarion.arrays import FloatArray
from clarion.errors import InvalidParameterError
from clarion.evaluation.reliability import (
    MOST_POINTS,
    MOST_RATES,
    MOST_STRETCHES,
    Promised,
    Reliability,
    Timeline,
    binomial_bounds,
    realised_law,
)
from clarion.pipeline.martingale import EPOCH

HELD = 1999
PROMISE = Promised(0.01, 0.01, HELD)


def judged(p: FloatArray, rate: float = 0.01, **changes: Any) -> Reliability:
    given: dict[str, Any] = {
        "alarms": p <= rate,
        "labels": np.zeros(len(p), bool),
        "promised": Promised(rate, rate, HELD),
        "ordered": True,
    }
    return Reliability.of(p, **(given | changes))


@pytest.mark.parametrize(
    ("alarms", "rows"), [(0, 50), (1, 7), (3, 300), (50, 50), (1, 1), (17, 20_000)]
)
def test_bounds_are_those_of_the_exact_binomial_test(alarms: int, rows: int) -> None:
    low, high = binomial_bounds(np.array([rows]), np.array([alarms]))
    expected = stats.binomtest(alarms, rows).proportion_ci(0.95, method="exact")
    assert (low[0], high[0]) == pytest.approx((expected.low, expected.high), rel=1e-9)


def test_no_rows_have_no_bounds() -> None:
    low, high = binomial_bounds(np.array([0, 4]), np.array([0, 1]))
    np.testing.assert_array_equal(np.isnan([low, high]), [[True, False]] * 2)


def test_the_band_holds_what_calibrations_realise() -> None:
    """The share of uniform scores above the k-th largest of n, over many calibrations."""
    rng, ranks = np.random.default_rng(0), np.array([1, 10, 50])
    held = np.sort(rng.random((4000, 99)), axis=1)
    realised = 1.0 - held[:, 99 - ranks]
    low, high = realised_law(ranks, 99)
    inside = ((realised >= low) & (realised <= high)).mean(axis=0)
    np.testing.assert_allclose(inside, 0.95, atol=4 * np.sqrt(0.95 * 0.05 / 4000))
    np.testing.assert_array_equal(realised_law(np.array([0]), 99), [[0.0], [0.0]])


@pytest.mark.parametrize("seed", range(5))
def test_uniform_p_values_are_reliable_at_all_rates(seed: int) -> None:
    found = judged(np.random.default_rng(seed).random(20_000))
    curve = found.curve
    assert curve.promised[0] == 1 / (HELD + 1)
    assert curve.promised[-1] == 0.5
    assert (np.diff(curve.promised) > 0).all()
    assert 10 < len(curve.promised) <= MOST_RATES
    within = (curve.rates.low <= curve.band_high) & (curve.rates.high >= curve.band_low)
    assert within.all()
    assert found.kept is True
    assert found.ratio == pytest.approx(found.realised_rate / 0.01)
    assert 0.7 < found.ratio < 1.4


def test_a_calibration_off_by_three_is_not_kept_and_one_with_fewer_alarms_is() -> None:
    uniform = np.random.default_rng(1).random(20_000)
    loud, quiet = judged(uniform / 3), judged(np.minimum(3 * uniform, 1.0))
    assert loud.kept is False
    assert loud.ratio == pytest.approx(3, rel=0.15)
    above = loud.curve.rates.low > loud.curve.band_high
    assert above[loud.curve.promised >= 0.01].all()
    assert quiet.kept is True
    assert quiet.ratio == pytest.approx(1 / 3, rel=0.3)


def test_the_luck_of_few_held_out_rows_is_allowed_and_of_many_is_not() -> None:
    p = np.random.default_rng(2).random(50_000) / 1.6
    alarms = p <= 0.01
    few, many = (judged(p, promised=Promised(0.01, 0.01, n)) for n in (199, 199_999))
    assert few.rates.low[0] > 0.01  # surely more than 1 %, yet one in some calibrations is
    assert (few.kept, many.kept) == (True, False)
    # A threshold that few are expected to reach promises no less than its rate.
    assert judged(p, alarms=alarms, promised=Promised(0.02, 1e-4, 199_999)).kept is True
    # Beyond all held-out scores nothing but the rate is allowed.
    assert Promised(1e-5, 1e-5, 199).allowed == 1e-5


def test_a_point_of_the_curve_counts_the_ties_with_its_p_value() -> None:
    curve = judged(np.repeat([1.0, 7.0, 300.0], [3, 2, 5]) / (HELD + 1.0)).curve
    places = np.searchsorted(curve.promised, [1 / (HELD + 1), 7 / (HELD + 1), 0.5])
    np.testing.assert_array_equal(curve.rates.alarms[places], [3, 5, 10])
    np.testing.assert_array_equal(curve.rates.rows, 10)


def test_stretches_hold_all_normal_rows_and_say_where_it_went_wrong() -> None:
    rng = np.random.default_rng(3)
    p, labels = rng.random(6000), np.arange(6000) % 3 == 0
    p[4560:] /= 20.0
    p[labels] = 1e-3
    found = judged(p, labels=labels)
    rates, first = found.over_time.rates, found.over_time.first_rows
    assert len(first) == MOST_STRETCHES
    assert not labels[first].any()
    assert rates.rows.sum() == found.rates.rows[0] == 4000
    assert rates.alarms.sum() == found.rates.alarms[0] == ((p <= 0.01) & ~labels).sum()
    late = first >= 4560
    assert (rates.low[late] > 0.01).all()
    assert (rates.low[~late] <= 0.01).all()


@pytest.mark.parametrize(("rows", "count"), [(1, 1), (20, 1), (21, 2), (990, 50)])
def test_short_runs_are_cut_into_fewer_stretches(rows: int, count: int) -> None:
    assert len(judged(np.full(rows, 0.5)).over_time.first_rows) == count


def test_drift_is_told_soon_after_rows_become_stranger_and_not_before() -> None:
    rng = np.random.default_rng(4)
    p = np.concatenate([rng.random(3000), rng.random(1500) / 2.0])
    found = judged(p)
    assert found.drift.alarm_row is not None
    assert 3000 <= found.drift.alarm_row < 3500
    drift = found.drift
    assert len(drift.first_rows) == len(drift.log10_capital) == MOST_POINTS
    assert drift.log10_capital[drift.first_rows < 2990].max() < 2.0 <= drift.log10_capital.max()
    assert judged(rng.random(4500)).drift.alarm_row is None


def test_anomalies_alarm_the_stream_but_not_the_normal_rows() -> None:
    rng = np.random.default_rng(5)
    p, labels = rng.random(3000), np.zeros(3000, bool)
    labels[1000:1100] = True
    p[labels] = 1 / (HELD + 1)
    found = judged(p, labels=labels)
    assert found.drift.alarm_row is not None
    assert 1000 <= found.drift.alarm_row < 1100
    assert found.normal_drift.alarm_row is None
    assert not labels[found.normal_drift.first_rows].any()


def test_each_epoch_tells_its_own_first_alarm() -> None:
    p = np.random.default_rng(6).random(2 * EPOCH + 10) / 2.0
    rows = 3 * np.arange(len(p))
    found = Timeline.of(rows, p, HELD)
    assert len(found.alarm_rows) == 2
    first, second = found.alarm_rows
    assert (first % 3, second % 3) == (0, 0)
    assert 0 < first < 3 * 500
    assert 3 * EPOCH < second < 3 * (EPOCH + 500)


def test_rows_without_a_score_or_an_order_are_not_judged() -> None:
    p = np.random.default_rng(7).random(500)
    p[:100] = np.nan
    found = judged(p)
    assert found.rates.rows[0] == 400
    assert found.over_time.first_rows[0] == found.drift.first_rows[0] == 100
    loose = judged(p, ordered=False)
    assert loose.rates.rows[0] == 400
    assert len(loose.curve.promised)
    for empty in (loose.over_time, loose.drift, loose.normal_drift):
        assert len(empty.first_rows) == 0
    assert loose.drift.alarm_row is None


def test_without_normal_rows_nothing_is_defined() -> None:
    found = judged(np.full(5, 0.2), labels=np.ones(5, bool))
    assert np.isnan([found.realised_rate, found.ratio, found.rates.low[0]]).all()
    assert found.kept is None
    assert len(found.curve.promised) == len(found.over_time.first_rows) == 0
    told = found.to_json()
    assert (told["normal_rows"], told["realised_rate"], told["ratio"]) == (0, None, None)
    with pytest.raises(InvalidParameterError, match="one label a row"):
        judged(np.empty(0))


def test_one_held_out_row_promises_one_half_and_nothing_else() -> None:
    found = judged(np.array([0.5, 1.0]), promised=Promised(0.5, 0.5, 1))
    np.testing.assert_array_equal(found.curve.promised, [0.5])
    np.testing.assert_array_equal(found.curve.rates.alarms, [1])
