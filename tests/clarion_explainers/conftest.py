"""Shapley values by definition: every coalition counted, nothing shared with the code under test."""

import itertools
import math
from collections.abc import Callable
from functools import partial

import numpy as np
import pytest

from clarion.arrays import FloatArray
from clarion.explainers import Scorable
from clarion.frames import Frame

Game = Callable[[tuple[int, ...]], float]


def shapley(value: Game, d: int) -> FloatArray:
    """Shapley (1953), eq. 12: marginal contributions over all coalitions, weighted by size."""
    worth = {
        coalition: value(coalition)
        for size in range(d + 1)
        for coalition in itertools.combinations(range(d), size)
    }
    phi = np.zeros(d)
    for coalition, before in worth.items():
        s = len(coalition)
        weight = math.factorial(s) * math.factorial(d - s - 1) / math.factorial(d) if s < d else 0
        for j in set(range(d)) - set(coalition):
            phi[j] += weight * (worth[tuple(sorted((*coalition, j)))] - before)
    return phi


@pytest.fixture
def shapley_values() -> Callable[[Game, int], FloatArray]:
    return shapley


@pytest.fixture
def marginal_shapley() -> Callable[[Scorable, Frame], FloatArray]:
    """SHAP values of each row in the marginal game over the background's rows."""

    def values(scorable: Scorable, frame: Frame) -> FloatArray:
        background = scorable.background

        def game(row: FloatArray, coalition: tuple[int, ...]) -> float:
            mixed = np.array(background.numeric())
            mixed[:, coalition] = row[list(coalition)]
            return float(np.mean(scorable.score(background.with_numeric(mixed))))

        d = len(background.signals)
        rows = frame.aligned_to(background.names).numeric()
        return np.array([shapley(partial(game, row), d) for row in rows])

    return values
