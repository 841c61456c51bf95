from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from clarion.evaluation.explanations.removal import MOST_STEPS, Imputer, removal
from clarion.evaluation.explanations.subject import Subject
from clarion.explainers import Scorable, Support
from clarion.explaining.ladder import Rung
from clarion.frames import Frame

HIGH = np.array([[3.0, 2.0, -1.0, 0.0]])
BEST = np.array([[0, 1, 2, 3]])


def test_what_is_absent_takes_its_mean_given_the_rest(rng: np.random.Generator) -> None:
    first = rng.normal(size=4000)
    rows = np.column_stack([first, 5.0 + 2.0 * first, rng.normal(size=4000)])
    imputer = Imputer.of(rows)
    filled = imputer.filled(np.array([1.5, -99.0, 0.3]), np.array([False, True, False]))
    assert filled[[0, 2]].tolist() == [1.5, 0.3]
    assert filled[1] == pytest.approx(8.0, abs=1e-3)
    nothing_left = imputer.filled(np.array([9.0, 9.0, 9.0]), np.ones(3, bool))
    assert nothing_left == pytest.approx(rows.mean(axis=0))


def test_the_order_of_contributions_beats_its_reverse(subject: Callable[..., Subject]) -> None:
    best, worst = (removal(subject(), HIGH, order) for order in (BEST, BEST[:, ::-1]))
    assert best.deletion < worst.deletion - 0.2
    assert best.insertion > worst.insertion + 0.2


def test_areas_of_a_sum_of_independent_signals_are_those_by_hand() -> None:
    rows = np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])  # mean 0, uncorrelated
    background = Frame.of(rows, ["a", "b"])
    scorable = Scorable(lambda f: np.asarray(f.numeric() @ [3.0, 1.0]), background)
    alone = Subject(scorable, Rung("none", None, Support("exact", 0)), 0, "")  # type: ignore[arg-type]
    # From 4 to 1 to 0 as signals go: the trapezoids of 1, 1/4, 0 over steps of a half.
    found = removal(alone, np.array([[1.0, 1.0]]), np.array([[0, 1]]))
    assert found.deletion == pytest.approx((1 + 1 / 4) / 4 + (1 / 4) / 4, abs=1e-5)
    assert found.insertion == pytest.approx((3 / 4) / 4 + (3 / 4 + 1) / 4, abs=1e-5)


def test_players_are_removed_with_all_their_features(subject: Callable[..., Subject]) -> None:
    grouped = subject(players=(0, 1, 1, 0))
    found = removal(grouped, HIGH, np.array([[0, 1]]))
    assert 0 < found.deletion < found.insertion < 1


def test_rows_that_score_as_low_as_a_normal_one_are_left_out(
    subject: Callable[..., Subject],
) -> None:
    found = removal(subject(), -HIGH, BEST)
    assert math.isnan(found.deletion)
    assert math.isnan(found.insertion)


def test_many_signals_are_removed_several_at_a_time(rng: np.random.Generator) -> None:
    scored = []

    def score(frame: Frame) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        scored.append(len(frame))
        return np.asarray(frame.numeric().sum(axis=1))

    background = Frame.of(rng.normal(size=(300, 100)), [f"s{i}" for i in range(100)])
    wide = Subject(Scorable(score, background), Rung("none", None, Support("exact", 0)), 0, "")  # type: ignore[arg-type]
    removal(wide, np.full((1, 100), 4.0), np.arange(100)[None, :])
    assert scored == [2 * (MOST_STEPS + 1)]
