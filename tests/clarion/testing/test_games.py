"""Shapley values by enumeration, against games solved by hand."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clarion.arrays import FloatArray
from clarion.detectors import Forest
from clarion.frames import Frame
from clarion.testing.games import marginal_worth, path_worth, shapley_values

# The sets are {}, {0}, {1}, {0, 1}.
AND = [0.0, 0.0, 0.0, 1.0]
OR = [0.0, 1.0, 1.0, 1.0]
XOR = [0.0, 1.0, 1.0, 0.0]


@pytest.mark.parametrize(
    ("worth", "expected"),
    [
        ([3.0], []),
        ([1.0, 4.0], [3.0]),
        (AND, [0.5, 0.5]),
        (OR, [0.5, 0.5]),
        (XOR, [0.0, 0.0]),
        ([0.0, 2.0, 5.0, 7.0], [2.0, 5.0]),
        # One glove on the left (player 0), two on the right: Shapley's textbook market.
        ([0, 0, 0, 1, 0, 1, 0, 1], [2 / 3, 1 / 6, 1 / 6]),
    ],
)
def test_games_solved_by_hand(worth: list[float], expected: list[float]) -> None:
    np.testing.assert_allclose(shapley_values(np.array(worth, float)), expected, atol=1e-15)


@given(st.lists(st.floats(-100, 100), min_size=8, max_size=8))
def test_the_mean_over_all_orders(worth: list[float]) -> None:
    mean = np.zeros(3)
    for order in itertools.permutations(range(3)):
        present = 0
        for player in order:
            mean[player] += worth[present | 2**player] - worth[present]
            present |= 2**player
    np.testing.assert_allclose(shapley_values(np.array(worth)), mean / math.factorial(3), atol=1e-9)


def test_marginal_worth_mixes_the_row_with_each_background_row() -> None:
    def score(frame: Frame) -> FloatArray:
        return frame.numeric()[:, 0] * frame.numeric()[:, 1]

    background, row = Frame.of([[1.0, 2.0], [3.0, 4.0]]), Frame.of([[10.0, 100.0]])
    worth = marginal_worth(score, background, row)
    assert worth.tolist() == [(2 + 12) / 2, (20 + 40) / 2, (100 + 300) / 2, 1000.0]


STUMPS = Forest(
    roots=np.array([0, 5]),
    left=np.array([1, -1, 3, -1, -1, 6, -1, -1]),
    right=np.array([2, -1, 4, -1, -1, 7, -1, -1]),
    feature=np.array([0, -1, 1, -1, -1, 1, -1, -1]),
    threshold=np.array([0.0, 0, 0.0, 0, 0, 5.0, 0, 0]),
    value=np.array([0, 1.0, 0, 2.0, 3.0, 0, 4.0, 8.0]),
    cover=np.array([8.0, 2, 6, 3, 3, 4, 1, 3]),
    scale=10.0,
    offset=0.5,
)
"""if x0 <= 0: 1, else 2 or 3 by x1 <= 0; and 4 or 8 by x1 <= 5."""


def test_absent_features_take_both_branches_by_cover() -> None:
    worth = path_worth(STUMPS, np.array([1.0, 9.0]))
    second = 0.25 * 4 + 0.75 * 8
    means = [
        (0.25 * 1 + 0.75 * 2.5 + second) / 2,
        (2.5 + second) / 2,
        (0.25 * 1 + 0.75 * 3 + 8) / 2,
        (3 + 8) / 2,
    ]
    np.testing.assert_allclose(worth, [0.5 + 10 * mean for mean in means], rtol=1e-15)
