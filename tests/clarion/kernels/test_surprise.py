from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clarion.kernels.surprise import CLIP, KNEE, departures, jumps, moments, squashed

NAN = math.nan


def column(*values: float) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    return np.array(values)[:, None]


@pytest.mark.parametrize(
    ("deviation", "expected"),
    [
        (0.0, 0.0),
        (KNEE, KNEE),
        (-1.5, -1.5),
        (math.e * KNEE, 2 * KNEE),
        (-math.e * KNEE, -2 * KNEE),
    ],
)
def test_a_departure_is_itself_up_to_the_knee_and_then_its_logarithm(
    deviation: float, expected: float
) -> None:
    assert squashed(deviation) == pytest.approx(expected)


@given(st.floats(-1e308, 1e308), st.floats(-1e308, 1e308))
def test_squashing_keeps_the_order_and_is_finite(one: float, other: float) -> None:
    low, high = sorted((one, other))
    assert -3000 < squashed(low) <= squashed(high) < 3000


def test_departures_are_in_scales_and_a_first_move_is_what_it_is_said_to_be() -> None:
    values = np.array([[3.0, 7.0], [-1.0, 7.0 + 1e-12], [NAN, 8.0], [1.0, NAN], [1.0, 6.0]])
    found = departures(values, np.array([1.0, 7.0]), np.array([2.0, 0.0]), 9.0)
    expected = [[1.0, 0.0], [-1.0, 0.0], [NAN, 9.0], [0.0, NAN], [0.0, -9.0]]
    np.testing.assert_array_equal(found, expected)


def test_moments_leave_out_what_is_missing_and_do_not_overflow() -> None:
    values = np.array(
        [[1.0, 1e308, NAN], [3.0, -1e308, NAN], [NAN, 1e308, NAN], [2.0, -1e308, NAN]]
    )
    mean, deviation = moments(values, np.array([3.0, 1e308, 1.0]))
    np.testing.assert_allclose(mean * [3.0, 1.0, 1.0], [2.0, 0.0, 0.0], atol=1e-15)
    np.testing.assert_allclose(deviation * [3.0, 1.0, 1.0], [math.sqrt(2 / 3), 1.0, 0.0])


def test_the_largest_jump_off_two_means_by_hand() -> None:
    # Of span 1 the mean is the last number; of span 3 it moves by half of each jump.
    spans, scales = np.array([1.0, 3.0]), np.array([[1.0], [0.5]])
    found, after, squares = jumps(column(2.0, 3.0, 3.0, 2.0), np.zeros((3, 1)), spans, scales)
    # Means before each number: 2 and 2, 3 and 2.5, 3 and 2.75. The first stands for itself.
    np.testing.assert_allclose(found[:, 0], [2.0, 2.0, 1.0, 1.5])
    np.testing.assert_allclose(after[:, 0], [2.0, 2.375, 4.0])
    np.testing.assert_allclose(squares[:, 0], [1 + 0 + 1, 1 + 0.25 + 0.5625])


def test_a_mean_of_few_numbers_is_their_plain_mean() -> None:
    values = column(1.0, 2.0, 6.0)
    _, after, _ = jumps(values, np.zeros((2, 1)), np.array([100.0]), np.array([[10.0]]))
    assert after[0, 0] == pytest.approx(3.0)


def test_an_anomaly_moves_a_mean_by_no_more_than_the_clip() -> None:
    values = column(0.0, 1000.0)
    found, after, _ = jumps(values, np.zeros((2, 1)), np.array([1.0]), np.array([[2.0]]))
    assert found[1, 0] == 500.0
    assert after[0, 0] == CLIP * 2.0


def test_a_missing_number_changes_nothing() -> None:
    spans, scales = np.array([1.0, 8.0]), np.ones((2, 1))
    found, after, _ = jumps(column(1.0, NAN, 4.0), np.zeros((3, 1)), spans, scales)
    plain, plainly, _ = jumps(column(1.0, 4.0), np.zeros((3, 1)), spans, scales)
    np.testing.assert_array_equal(found[[0, 2]], plain)
    assert math.isnan(found[1, 0])
    np.testing.assert_array_equal(after, plainly)


@given(st.integers(0, 30))
def test_rows_cut_anywhere_give_the_same_bytes(cut: int) -> None:
    rng = np.random.default_rng(3)
    points, spans = rng.standard_cauchy((30, 3)), np.array([1.0, 8.0, 64.0])
    scales = rng.uniform(0.5, 2, (3, 3))
    whole, after, _ = jumps(points, np.zeros((4, 3)), spans, scales)
    first, memory, _ = jumps(points[:cut], np.zeros((4, 3)), spans, scales)
    second, last, _ = jumps(points[cut:], memory, spans, scales)
    assert np.concatenate([first, second]).tobytes() == whole.tobytes()
    assert last.tobytes() == after.tobytes()
