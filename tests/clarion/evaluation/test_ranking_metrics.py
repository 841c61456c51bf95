from __future__ import annotations

import math

import numpy as np
import pytest

from clarion.evaluation.ranking_metrics import Hits

SCORES = np.array([0.9, 0.1, 0.5, 0.7, 0.3])  # the ranking 0, 3, 2, 4, 1


def sick(*signals: int) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    return np.isin(np.arange(5), signals)


@pytest.mark.parametrize(
    ("truth", "hit_100", "hit_150", "top_1", "top_3"),
    [
        ((0,), 1.0, 1.0, 1.0, 1.0),  # floor(1.5 * 1) is 1
        ((3,), 0.0, 0.0, 0.0, 1.0),
        ((0, 2), 0.5, 1.0, 1.0, 1.0),  # among the first 2: signal 0; among the first 3: both
        ((1, 4), 0.0, 0.0, 0.0, 0.0),
        ((3, 2, 4), 2 / 3, 1.0, 0.0, 1.0),  # floor(1.5 * 3) is 4
    ],
)
def test_shares_found_are_those_counted_by_hand(
    truth: tuple[int, ...], hit_100: float, hit_150: float, top_1: float, top_3: float
) -> None:
    found = Hits.of(SCORES, sick(*truth))
    assert (found.hit_100, found.hit_150) == pytest.approx((hit_100, hit_150))
    assert (found.top_1, found.top_3) == (top_1, top_3)


def test_gain_is_discounted_by_the_place() -> None:
    # Signals 3 and 2 are in the second and third place; two places count.
    assert Hits.of(SCORES, sick(3, 2)).ndcg == pytest.approx(
        (1 / math.log2(3)) / (1 / math.log2(2) + 1 / math.log2(3))
    )
    assert Hits.of(SCORES, sick(0, 3)).ndcg == pytest.approx(1.0)


def test_ties_keep_the_order_of_the_signals() -> None:
    flat = np.zeros(5)
    assert Hits.of(flat, sick(0)).top_1 == 1.0
    assert Hits.of(flat, sick(4)).top_3 == 0.0


def test_the_mean_is_over_rankings_and_undefined_for_none() -> None:
    both = Hits.mean([Hits.of(SCORES, sick(0)), Hits.of(SCORES, sick(3))])
    assert (both.hit_100, both.top_3) == (0.5, 1.0)
    assert math.isnan(Hits.mean([]).ndcg)
