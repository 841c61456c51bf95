from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clarion.evaluation.nab import PROFILES, Profile, Series, best_nab_score, nab_score

STANDARD = PROFILES["standard"]


def alarms_at(n: int, *rows: int) -> np.ndarray:
    scores = np.zeros(n)
    scores[list(rows)] = 1.0
    return scores


def one_window(*rows: int) -> float:
    """Standard score of alarms at ``rows`` of 1,000, whose rows 500 to 599 are a window."""
    return nab_score([Series(alarms_at(1000, *rows), [(500, 599)])], 0.5, STANDARD)


def test_silence_is_0_and_alarms_at_once_are_100() -> None:
    assert one_window() == 0.0
    assert one_window(500) == pytest.approx(100.0)
    assert one_window(500, 520, 599) == pytest.approx(100.0)  # later ones change nothing


def test_later_alarms_earn_less() -> None:
    # The scaled sigmoid at -1, -0.5 and -0.01 (NAB, sweeper.py): .98661, .84828, .02500
    assert one_window(550) == pytest.approx(50 + 50 * 0.84828 / 0.98661, abs=1e-3)
    assert one_window(599) == pytest.approx(50 + 50 * 0.025 / 0.98661, abs=1e-3)


def test_alarms_outside_cost_more_the_further_behind_a_window() -> None:
    whole = -0.11 / 2 * 100
    assert one_window(400) == pytest.approx(whole)
    assert one_window(998) == pytest.approx(whole)
    assert one_window(599 + 99) == pytest.approx(whole * 0.98661, abs=1e-3)
    assert -0.3 < one_window(600) < 0.0


def test_probation_does_not_count() -> None:
    assert one_window(10, 149) == 0.0
    assert one_window(150) < 0.0
    long = Series(np.zeros(10_000))
    assert (long.probation, Series(np.zeros(1000)).probation) == (750, 150)


def test_profiles_weigh_as_nab_says() -> None:
    corpus = [Series(alarms_at(1000, 400), [(500, 599), (700, 799)])]
    scores = {name: nab_score(corpus, 0.5, profile) for name, profile in PROFILES.items()}
    assert scores["standard"] == pytest.approx(100 * -0.11 / 4)
    assert scores["low_false_positives"] == pytest.approx(100 * -0.22 / 4)
    assert scores["low_false_negatives"] == pytest.approx(100 * -0.11 / 6)


def test_no_window_no_score() -> None:
    assert math.isnan(nab_score([Series(np.zeros(100))], 0.5, STANDARD))
    assert math.isnan(best_nab_score([Series(np.zeros(100))], STANDARD)[0])


@given(st.integers(0, 10_000), st.booleans())
@settings(max_examples=60, deadline=None)
def test_the_best_score_is_the_best_over_all_thresholds(seed: int, ties: bool) -> None:
    rng = np.random.default_rng(seed)
    corpus = []
    for _ in range(rng.integers(1, 4)):
        n = int(rng.integers(20, 60))
        cuts = np.sort(rng.choice(np.arange(4, n), 4, replace=False))
        windows = [(int(cuts[0]), int(cuts[1]) - 1), (int(cuts[2]), int(cuts[3]) - 1)]
        scores = rng.normal(size=n)
        corpus.append(Series(np.round(scores) if ties else scores, windows))
    profile = Profile(1.0, float(rng.choice([0.05, 0.11, 0.5])), 1.0)
    best, threshold = best_nab_score(corpus, profile)
    everywhere = np.unique(np.concatenate([series.scores for series in corpus]))
    scores_at = [nab_score(corpus, float(t), profile) for t in [*everywhere, np.inf]]
    assert best == pytest.approx(max(scores_at))
    assert nab_score(corpus, threshold, profile) == pytest.approx(best)
