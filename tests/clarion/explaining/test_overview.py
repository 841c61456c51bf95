from __future__ import annotations

import numpy as np
import pytest

from clarion.arrays import FloatArray
from clarion.errors import PluginError
from clarion.explainers import Label, Scorable, Support
from clarion.explaining.ladder import Rung
from clarion.explaining.overview import (
    INTERACTION_ROWS,
    MOST_PAIRS,
    MOST_PLAYERS,
    interactions,
    overview,
    strongest_pairs,
)
from clarion.frames import Frame
from clarion.testing.games import marginal_worth
from clarion.testing.references import Bowl
from clarion_explainers.quadratic import QuadraticShap

QUADRATIC = Rung("quadratic", QuadraticShap(), Support(Label.EXACT, 0))


@pytest.fixture
def bowl(rng: np.random.Generator) -> Scorable:
    rows = Frame.of(rng.normal(size=(30, 5)) @ rng.normal(size=(5, 5)))
    fitted = Bowl.fit(rows)
    return Scorable(fitted.score, rows.take(slice(0, 12)), fitted)


def index(worth: FloatArray, players: int) -> FloatArray:
    """Grabisch & Roubens (1999): the index, by its definition, over all coalitions."""
    from math import factorial

    out = np.zeros((players, players))
    for i in range(players):
        for j in range(players):
            for s in range(2**players):
                if i != j and not s >> i & 1 and not s >> j & 1:
                    size = s.bit_count()
                    share = factorial(players - size - 2) * factorial(size) / factorial(players - 1)
                    both, one, other = s | 1 << i | 1 << j, s | 1 << i, s | 1 << j
                    out[i, j] += share * (worth[both] - worth[one] - worth[other] + worth[s])
    return out


@pytest.mark.parametrize("players", [None, (0, 1, 0, 2, 1)])
def test_interactions_are_the_index_by_definition(
    bowl: Scorable, rng: np.random.Generator, players: tuple[int, ...] | None
) -> None:
    grouped = None if players is None else np.array(players)
    scorable = Scorable(bowl.score, bowl.background, bowl.capability, grouped)
    rows = Frame.of(3.0 * rng.normal(size=(3, 5)))
    found = interactions(QUADRATIC, scorable, rows)
    for i in range(len(rows)):
        one = rows.take(slice(i, i + 1))
        worth = marginal_worth(scorable.score, scorable.background, one, grouped)
        assert found[i] == pytest.approx(index(worth, scorable.n_players), abs=1e-9)


def test_interactions_of_many_rows_are_those_of_some(bowl: Scorable) -> None:
    many = bowl.background.take(np.arange(5000) % 12)
    assert len(interactions(QUADRATIC, bowl, many)) == INTERACTION_ROWS


def test_what_is_no_interaction_is_refused(bowl: Scorable) -> None:
    class Wrong(QuadraticShap):
        def interactions(self, scorable: Scorable, frame: Frame) -> FloatArray:
            return np.full((len(frame), 5, 5), np.nan)

    with pytest.raises(PluginError, match="'wrong' returned interactions"):
        interactions(Rung("wrong", Wrong(), Support(Label.EXACT, 0)), bowl, bowl.background)


def test_an_explainer_without_interactions_has_none(bowl: Scorable) -> None:
    plain = Rung("plain", object(), Support(Label.SAMPLED, 10))  # type: ignore[arg-type]
    assert interactions(plain, bowl, bowl.background).shape == (0, 0, 0)


def test_too_many_players_have_no_pairs() -> None:
    wide = Frame.of(np.zeros((3, MOST_PLAYERS + 1)))
    scorable = Scorable(lambda f: np.zeros(len(f)), wide)
    assert interactions(QUADRATIC, scorable, wide).shape == (0, 0, 0)


def test_pairs_stand_by_their_mean_size() -> None:
    one = np.zeros((2, 3, 3))
    one[0, 0, 2] = one[0, 2, 0] = -4.0
    one[1, 0, 1] = one[1, 1, 0] = 1.0
    told = strongest_pairs(one)
    assert [(pair.first, pair.second, pair.size) for pair in told] == [(0, 2, 2.0), (0, 1, 0.5)]
    assert len(strongest_pairs(np.ones((1, 40, 40)))) == MOST_PAIRS
    assert strongest_pairs(np.empty((0, 3, 3))) == ()


def test_means_and_periods_are_those_by_hand(rng: np.random.Generator) -> None:
    contributions = np.array([[1.0, -2.0], [3.0, -2.0], [5.0, 2.0], [7.0, 2.0]])
    told = overview(contributions, contributions, 2)
    assert told.rows == 4
    assert told.sizes.tolist() == [4.0, 2.0]
    assert told.contributions.tolist() == [4.0, 0.0]
    assert [period.rows for period in told.periods] == [(0, 2), (2, 4)]
    assert told.periods[0].sizes.tolist() == [2.0, 2.0]
    # Half of the reference lies below the first period's rows, for the first signal; above the
    # others: the distance of the two distributions is a half.
    assert told.periods[0].drift.tolist() == [0.5, 0.5]


def test_a_signal_that_came_to_matter_drifts_and_others_do_not(rng: np.random.Generator) -> None:
    reference = rng.normal(size=(200, 3))
    rows = rng.normal(size=(600, 3))
    rows[300:, 1] += 2.0
    first, second = overview(rows, reference, 2).periods
    assert second.drift_p_values[1] < 1e-9
    assert min(*first.drift_p_values, second.drift_p_values[0], second.drift_p_values[2]) > 1e-3


def test_periods_are_no_more_than_rows(rng: np.random.Generator) -> None:
    assert len(overview(rng.normal(size=(3, 2)), rng.normal(size=(5, 2)), 10).periods) == 3
    nothing = overview(np.empty((0, 2)), rng.normal(size=(5, 2)), 10)
    assert (nothing.rows, nothing.periods, nothing.sizes.tolist()) == (0, (), [0.0, 0.0])
