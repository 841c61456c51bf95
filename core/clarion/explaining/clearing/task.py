"""What there is to clear: one anomalous row, the signals that may move, and normal rows to learn from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from clarion.arrays import FloatArray, Int64Array
from clarion.explaining.counterfactual import CellLines
from clarion.frames import Frame

MOST_CULPRITS = 32
"""Signals that a clearing set may have: more together are no cause, and are not searched for."""
MOST_CELLS = 256
"""Cells of a signal that may take computed values: these are solved for together."""
_TRIALS = 256
"""Edited rows scored at a time: a whole round of 4,096 signals would take 128 MiB."""

Edit = tuple[tuple[int, int], ...]
"""Players with the background row whose values each takes."""
COMPUTED, OWN = -1, -2
"""In the place of a background row: the values were computed, or are the row's own, moved."""


@dataclass(frozen=True, slots=True, eq=False)
class Clearing:
    """What clears an alarm.

    Attributes
    ----------
    signals
        Indices of the players changed, in the order found; empty where nothing clears.
    row
        Shape ``(d,)``: the features with those players back to normal.
    score
        The detector's score of ``row``.
    donors
        For each of ``signals`` the background row whose values it took, or `COMPUTED`, or `OWN`.
    proven
        Whether no smaller set clears, among all changes that the search's family allows.
    moves
        For each of ``signals`` by how much its raw path was shifted besides, and how many times its
        deviations from its mean were taken; empty for not at all.
    """

    signals: tuple[int, ...]
    row: FloatArray
    score: float
    donors: tuple[int, ...] = ()
    proven: bool = False
    moves: tuple[tuple[float, float], ...] = ()

    def at(self, row: FloatArray, score: float) -> Clearing:
        """Return the same changes with what came of them."""
        return replace(self, row=row, score=score)


@dataclass(frozen=True, eq=False)
class Normal:
    """The background as features, ``frame`` of ``m`` rows, and their ``scores``, shape ``(m,)``."""

    frame: Frame
    scores: FloatArray

    @cached_property
    def rows(self) -> FloatArray:
        """The features, shape ``(m, d)``."""
        return self.frame.numeric()

    @cached_property
    def spread(self) -> FloatArray:
        """Standard deviation of each feature, shape ``(d,)``; 1 where it is constant."""
        spread = self.rows.std(axis=0)
        return np.asarray(np.where(spread > 0, spread, 1.0))


@dataclass(frozen=True, eq=False)
class Task:
    """One row to be brought below a threshold.

    Attributes
    ----------
    features
        The row, shape ``(1, d)``.
    players
        For each raw signal the features that read it.
    movable
        The players that may change, ascending.
    score
        The detector's own.
    lines
        Which players may take computed values.
    recomputed
        Edits to rows of features by way of raw windows, for features that read several signals:
        copied one by one they may be what no raw row has. None where copying is as good.
    """

    features: Frame
    threshold: float
    players: Sequence[Int64Array]
    movable: tuple[int, ...]
    score: Callable[[Frame], FloatArray]
    normal: Normal
    lines: CellLines
    recomputed: Callable[[Sequence[Edit]], FloatArray] | None = None

    @cached_property
    def row(self) -> FloatArray:
        """The features, shape ``(d,)``."""
        return np.asarray(self.features.numeric()[0])

    @cached_property
    def computable(self) -> list[int]:
        """The movable players whose features lead back to raw cells one by one, and are not too many."""
        able = (player for player in self.movable if self.lines.of[player] is not None)
        return [player for player in able if len(self.players[player]) <= MOST_CELLS]

    @property
    def nothing(self) -> Clearing:
        """What is returned where nothing clears."""
        return Clearing((), self.row, float(self.scores(self.row[None, :])[0]))

    def scores(self, rows: FloatArray) -> FloatArray:
        """Return the scores of edited rows, shape ``(t, d)`` to ``(t,)``."""
        scores = [np.empty(0)]
        for begin in range(0, len(rows), _TRIALS):
            block = rows[begin : begin + _TRIALS]
            no_codes = np.empty((len(block), 0), np.int32)
            scores.append(self.score(Frame(self.features.signals, block, no_codes)))
        return np.concatenate(scores)

    def clears(self, score: float) -> bool:
        """Return whether a score raises no alarm."""
        return score < self.threshold

    def edited(self, edits: Sequence[Edit]) -> FloatArray:
        """Return the row with the values of donors, one for each edit, shape ``(t, d)``."""
        if self.recomputed is not None:
            return self.recomputed(edits)
        rows = np.repeat(self.row[None, :], len(edits), axis=0)
        for row, edit in zip(rows, edits, strict=True):
            for player, donor in edit:
                members = self.players[player]
                row[members] = self.normal.rows[donor, members]
        return rows

    def tried(self, edits: Sequence[Edit]) -> FloatArray:
        """Return the score after each edit, shape ``(t,)``; no more than a block is held at once."""
        blocks = (edits[i : i + _TRIALS] for i in range(0, len(edits), _TRIALS))
        return np.concatenate([np.empty(0), *(self.scores(self.edited(b)) for b in blocks)])

    def pruned(self, edit: Edit) -> Clearing:
        """Return a clearing edit as such, without what its later changes made needless."""
        for change in edit[:-1]:
            fewer = tuple(other for other in edit if other != change)
            if self.clears(float(self.tried([fewer])[0])):
                edit = fewer
        [row] = self.edited([edit])
        signals, donors = tuple(player for player, _ in edit), tuple(donor for _, donor in edit)
        # A row that raises an alarm is not cleared by no change at all: one is the fewest.
        return Clearing(signals, row, float(self.scores(row[None, :])[0]), donors, len(edit) == 1)
