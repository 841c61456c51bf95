"""What is judged: rows of features that a fitted pipeline explains."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from clarion.arrays import FloatArray, Int64Array
from clarion.explainers import Attribution, Scorable
from clarion.explaining import ladder
from clarion.explaining.values import seeds
from clarion.frames import Frame


@dataclass(frozen=True, slots=True, eq=False)
class Subject:
    """An explainer on a scorable, with what a request would give it.

    Attributes
    ----------
    scorable, rung
        What is explained, and by what.
    evaluations
        Rows that may be scored for each row explained.
    digest
        The model's, from which seeds are drawn.
    """

    scorable: Scorable
    rung: ladder.Rung
    evaluations: int
    digest: str

    def explain(self, rows: FloatArray) -> Attribution:
        """Explain rows of features, shape ``(n, d)``, as a request with these rows would."""
        frame = self.frame(rows)
        drawn = seeds(self.digest, frame)
        return ladder.explain(self.rung, self.scorable, frame, self.evaluations, drawn)

    def score(self, rows: FloatArray) -> FloatArray:
        """Return the scores, shape ``(n,)``, of rows of features ``(n, d)``."""
        return self.scorable.score(self.frame(rows))

    def frame(self, rows: FloatArray) -> Frame:
        """Return rows of features as a frame of the background's signals."""
        some = self.scorable.background.take(np.zeros(len(rows), np.int64))
        return some.with_numeric(rows)

    def of(
        self, score: Callable[[Frame], FloatArray], background: Frame, fitted: object
    ) -> Subject:
        """Return the same explainer on another detector of the same features."""
        other = Scorable(score, background, fitted, self.scorable.players)
        return replace(self, scorable=other)

    @property
    def normal(self) -> FloatArray:
        """The background's rows, shape ``(m, d)``."""
        return self.scorable.background.numeric()

    @property
    def members(self) -> list[Int64Array]:
        """The features of each player."""
        player_of = self.scorable.player_of
        return [np.flatnonzero(player_of == player) for player in range(self.scorable.n_players)]


def spread(rows: FloatArray) -> FloatArray:
    """Return the standard deviation of each feature, shape ``(d,)``; 1 where it never moves."""
    deviation = rows.std(axis=0)
    return np.where(deviation > 0, deviation, 1.0)
