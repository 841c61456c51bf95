"""Enumeration: how far contributions are from Shapley values that are true by definition."""

from __future__ import annotations

import numpy as np

from clarion.arrays import FloatArray
from clarion.evaluation.explanations.subject import Subject
from clarion.testing import games

MOST_PLAYERS = 10
"""With more, there are too many sets of players: each is scored with every background row."""
_MOST_CELLS = 20_000_000
"""Cells scored for one row at most (160 MB): fewer players where the background is large."""
CONDITIONAL = "conditional"
"""Of games of this kind, where absent players depend on those present, only that of a Gaussian is
enumerated: of others it is not known how they depend."""


def enumerable(subject: Subject) -> bool:
    """Return whether the game is small enough."""
    players, rows = subject.scorable.n_players, subject.normal
    return 0 < players <= MOST_PLAYERS and 2**players * rows.size <= _MOST_CELLS


def enumeration_error(subject: Subject, rows: FloatArray) -> float:
    """Return the largest scaled error of contributions and base value over rows ``(n, d)``.

    Scaled as DESIGN 1 scales a sum: by ``max(1, |score|, sum |contribution|)``. NaN for a game that
    is too large, or not one of those that are enumerated.
    """
    answer = subject.explain(rows)
    unknown = CONDITIONAL in answer.value_function and games.GAUSSIAN not in answer.value_function
    if not enumerable(subject) or unknown:
        return float("nan")
    frame, worst = subject.frame(rows), 0.0
    for i in range(len(rows)):
        worth = games.worth(subject.scorable, answer.value_function, frame.take(slice(i, i + 1)))
        truth = np.array([*games.shapley_values(worth), worth[0]])
        got = np.array([*answer.contributions[i], answer.base_value[i]])
        size = max(1.0, abs(float(worth[-1])), float(np.abs(truth[:-1]).sum()))
        worst = max(worst, float(np.abs(got - truth).max()) / size)
    return worst
