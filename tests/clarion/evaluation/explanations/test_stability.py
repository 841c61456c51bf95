from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from clarion.arrays import FloatArray
from clarion.evaluation.explanations.stability import rank_correlation, stability
from clarion.evaluation.explanations.subject import Subject
from clarion.explainers import Scorable

ROWS = np.array([[3.0, 2.0, -1.0, 3.0], [-2.0, 4.0, 1.0, -2.0]])


def test_a_slope_is_no_steeper_than_the_model(
    subject: Callable[..., Subject], rng: np.random.Generator
) -> None:
    found = stability(subject(), ROWS, rng)
    assert found.rank_correlation == 1.0
    # Contributions are w (x - mean): the change is at most max |w sd|, about 4, times the step.
    sizes = np.linalg.norm(subject().explain(ROWS).contributions, axis=1)
    assert 0 < found.slope <= 4.5 / sizes.min()


def test_an_answer_drawn_by_lot_is_unstable(
    subject: Callable[..., Subject], rng: np.random.Generator
) -> None:
    lots = np.random.default_rng(1)

    def drawn(scorable: Scorable, rows: FloatArray) -> FloatArray:
        return lots.normal(size=rows.shape)

    found = stability(subject(drawn), ROWS, rng)
    assert found.slope > 50
    assert found.rank_correlation < 0.9


def test_nothing_to_compare_is_not_defined(
    subject: Callable[..., Subject], rng: np.random.Generator
) -> None:
    found = stability(subject(lambda s, rows: np.zeros_like(rows)), ROWS, rng)
    assert math.isnan(found.slope)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [([1, 2, 3], [10, 20, 30], 1.0), ([1, 2, 3], [3, 2, 1], -1.0)],
)
def test_rank_correlation(one: list[float], other: list[float], expected: float) -> None:
    assert rank_correlation(np.array(one), np.array(other)) == pytest.approx(expected)


def test_constant_values_have_no_ranks() -> None:
    assert math.isnan(rank_correlation(np.zeros(3), np.arange(3.0)))
    assert math.isnan(rank_correlation(np.ones(1), np.ones(1)))
