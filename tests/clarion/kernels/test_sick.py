from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from clarion.arrays import FloatArray
from clarion.kernels.sick import conditional

SICK = 6.63


@pytest.fixture
def covariance() -> FloatArray:
    weights = np.random.default_rng(4).normal(size=(5, 2))
    return np.asarray(weights @ weights.T + 0.3 * np.eye(5))


def inverse(matrix: FloatArray) -> FloatArray:
    return np.asarray(np.linalg.inv(matrix))


def off(row: FloatArray, covariance: FloatArray, sick: tuple[int, ...]) -> FloatArray:
    """Each number's distance from its regression on the healthy others, in its deviations."""
    found = np.empty(len(row))
    for j in range(len(row)):
        rest = [k for k in range(len(row)) if k != j and k not in sick]
        slopes = np.linalg.solve(covariance[np.ix_(rest, rest)], covariance[rest, j])
        variance = covariance[j, j] - slopes @ covariance[rest, j]
        found[j] = abs(row[j] - slopes @ row[rest]) / math.sqrt(variance)
    return found


def lowered(row: FloatArray, covariance: FloatArray, sick: tuple[int, ...]) -> float:
    """By how much the squared Mahalanobis distance falls once ``sick`` are left out."""
    rest = [k for k in range(len(row)) if k not in sick]
    without = row[rest] @ np.linalg.solve(covariance[np.ix_(rest, rest)], row[rest])
    return float(row @ np.linalg.solve(covariance, row) - without)


def test_where_none_is_sick_each_is_held_against_all_others(covariance: FloatArray) -> None:
    row = np.random.default_rng(5).normal(size=5)
    found = conditional(row[None], inverse(covariance), math.inf)[0]
    np.testing.assert_allclose(found, off(row, covariance, ()))


def test_one_that_is_far_off_foretells_nothing(covariance: FloatArray) -> None:
    row = np.linalg.cholesky(covariance) @ np.random.default_rng(6).normal(size=5)
    row[3] += 60.0
    found = conditional(row[None], inverse(covariance), SICK)[0]
    np.testing.assert_allclose(found[3], off(row, covariance, (3,))[3], rtol=0.03)
    assert np.argmax(found) == 3
    assert np.delete(found, 3).max() < 4.0


def test_it_is_the_mean_over_all_sets_where_each_is_met(covariance: FloatArray) -> None:
    """Of two signals the sets are none, either, and never both."""
    covariance = covariance[:2, :2]
    row = np.array([1.5, -1.0])
    sets: list[tuple[int, ...]] = [(), (0,), (1,)]
    weights = [math.exp((lowered(row, covariance, s) - SICK * len(s)) / 2) for s in sets]
    surprises = [off(row, covariance, s) for s in sets]
    expected = np.average(surprises, axis=0, weights=weights)
    found = conditional(row[None], inverse(covariance), SICK)[0]
    np.testing.assert_allclose(found, expected)


def test_a_missing_number_is_as_if_its_signal_were_not_there(covariance: FloatArray) -> None:
    row = np.random.default_rng(7).normal(size=5) * 3
    row[1] = math.nan
    rest = [0, 2, 3, 4]
    without = inverse(covariance[np.ix_(rest, rest)])
    found = conditional(row[None], inverse(covariance), SICK)[0]
    assert math.isnan(found[1])
    np.testing.assert_allclose(found[rest], conditional(row[None, rest], without, SICK)[0])


def test_a_row_of_nothing_has_no_surprise(covariance: FloatArray) -> None:
    precision = inverse(covariance)
    assert np.isnan(conditional(np.full((1, 5), math.nan), precision, SICK)).all()
    np.testing.assert_array_equal(conditional(np.zeros((1, 5)), precision, SICK), 0.0)


def test_two_sick_signals_that_hide_each_other_are_found() -> None:
    """Both moved against what ties them; the first alone does not explain it."""
    weights = np.random.default_rng(8).normal(size=(8, 2))
    covariance = weights @ weights.T + 0.1 * np.eye(8)
    precision, rng = inverse(covariance), np.random.default_rng(9)
    for bad in itertools.combinations(range(8), 2):
        row = np.linalg.cholesky(covariance) @ rng.normal(size=8)
        row[list(bad)] += [4.0, -4.0]
        found = conditional(row[None], precision, SICK)[0]
        assert set(np.argsort(-found)[:2]) == set(bad)


def test_rows_give_the_same_bytes_in_any_batch(covariance: FloatArray) -> None:
    rows, precision = np.random.default_rng(10).normal(size=(20, 5)) * 4, inverse(covariance)
    whole = conditional(rows, precision, SICK)
    assert b"".join(conditional(row[None], precision, SICK).tobytes() for row in rows) == (
        whole.tobytes()
    )
