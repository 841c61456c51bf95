"""Clearing a forest's score: step over the splits that make a row strange (SCIENCE 5).

A forest's score changes at its splits only, so that values just on either side of them are all there is
to try. Greedy: the signal and the value that lower the score most, then the next; needless changes are
taken back, and each value is moved as near to what was seen as still clears.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from clarion.arrays import FloatArray
from clarion.detectors import Forest, TreeEnsemble
from clarion.explaining.clearing.task import COMPUTED, MOST_CULPRITS, Clearing, Task

SIDES = 24
"""Values tried for a signal, at most: of more, evenly spaced ones in their order."""
STEPPED = 12
"""Signals tried in each step: those that the background's medians lower most."""


@dataclass(frozen=True, eq=False)
class Splits:
    """The values on either side of a forest's splits."""

    detector: TreeEnsemble

    @cached_property
    def _forest(self) -> Forest:
        return self.detector.forest()

    @cached_property
    def _sides(self) -> dict[int, FloatArray]:
        return {}

    def sides(self, feature: int) -> FloatArray:
        """Return values just below and above the splits of a feature, ascending, at most `SIDES`."""
        if feature not in self._sides:
            inner = (self._forest.left >= 0) & (self._forest.feature == feature)
            self._sides[feature] = _spaced(_either_side(np.unique(self._forest.threshold[inner])))
        return self._sides[feature]


def clear(task: Task, splits: Splits) -> Clearing | None:
    """Return the fewest signals found that clear the row; None if `MOST_CULPRITS` do not.

    Scores at most ``d + MOST_CULPRITS STEPPED SIDES`` rows, and those to prune.
    """
    search = _Search(task, splits)
    chosen: dict[int, float] = {}
    players = search.shortlist()
    for _ in range(min(MOST_CULPRITS, len(players))):
        step = search.best_step(chosen, [player for player in players if player not in chosen])
        if step is None:
            return None
        player, value, score = step
        chosen[player] = value
        if task.clears(score):
            return search.clearing(search.drawn_back(search.pruned(chosen)))
    return None


@dataclass(frozen=True, eq=False)
class _Search:
    task: Task
    splits: Splits

    def shortlist(self) -> list[int]:
        """Return the players that the background's medians lower most, of those with one feature."""
        task = self.task
        single = [player for player in task.computable if len(task.players[player]) == 1]
        if not single:
            return []
        usual = np.median(task.normal.rows, axis=0)
        trials = [{player: float(usual[task.players[player][0]])} for player in single]
        after = task.scores(np.array([self.row(trial) for trial in trials]))
        kept = np.sort(np.argsort(after, kind="stable")[:STEPPED])
        return [single[int(place)] for place in kept]

    def row(self, values: dict[int, float]) -> FloatArray:
        """Return the task's row with those players' features at ``values``."""
        row = self.task.row.copy()
        for player, value in values.items():
            row[self.task.players[player]] = value
        return row

    def best_step(
        self, chosen: dict[int, float], players: Sequence[int]
    ) -> tuple[int, float, float] | None:
        """Return the player and value that lower the score most, and that score."""
        each = [self.values(player) for player in players]
        values = np.concatenate([np.empty(0), *each])
        if not len(values):
            return None
        owner = np.repeat(np.array(players), [len(own) for own in each])
        members = np.array([int(self.task.players[player][0]) for player in owner])
        rows = np.repeat(self.row(chosen)[None, :], len(values), axis=0)
        rows[np.arange(len(values)), members] = values
        scores = self.task.scores(rows)
        best = int(np.argmin(scores))
        return int(owner[best]), float(values[best]), float(scores[best])

    def values(self, player: int) -> FloatArray:
        """Return the values to try for a player, such as its raw cell can have."""
        [member] = self.task.players[player]
        return self.task.lines.allowed(player, self.splits.sides(int(member)))

    def pruned(self, chosen: dict[int, float]) -> dict[int, float]:
        """Take back every change that the later ones made needless."""
        for player in list(chosen)[:-1]:
            fewer = {other: value for other, value in chosen.items() if other != player}
            if self._clears(fewer):
                chosen = fewer
        return chosen

    def drawn_back(self, chosen: dict[int, float]) -> dict[int, float]:
        """Move each value as near to what was seen as still clears."""
        for player in chosen:
            seen = float(self.task.row[self.task.players[player][0]])
            sides = self.values(player)
            nearer = sides[np.abs(sides - seen) < abs(chosen[player] - seen)]
            if len(nearer):
                nearer = nearer[np.argsort(np.abs(nearer - seen), kind="stable")]
                rows = np.array([self.row({**chosen, player: float(v)}) for v in nearer])
                able = np.flatnonzero(self.task.scores(rows) < self.task.threshold)
                if len(able):
                    chosen = {**chosen, player: float(nearer[able[0]])}
        return chosen

    def clearing(self, chosen: dict[int, float]) -> Clearing:
        """Return the changes as a clearing."""
        row, signals = self.row(chosen), tuple(chosen)
        [score] = self.task.scores(row[None, :])
        return Clearing(signals, row, float(score), (COMPUTED,) * len(signals), len(signals) == 1)

    def _clears(self, chosen: dict[int, float]) -> bool:
        return self.task.clears(float(self.task.scores(self.row(chosen)[None, :])[0]))


def _either_side(thresholds: FloatArray) -> FloatArray:
    """Return the float32 next to each threshold that goes left, and the one that goes right."""
    nearest = thresholds.astype(np.float32)
    low = np.where(nearest <= thresholds, nearest, np.nextafter(nearest, np.float32(-np.inf)))
    high = np.nextafter(low, np.float32(np.inf))
    both = np.unique(np.concatenate([low, high]).astype(np.float64))
    return both[np.isfinite(both)]


def _spaced(values: FloatArray) -> FloatArray:
    if len(values) <= SIDES:
        return values
    return values[np.linspace(0, len(values) - 1, SIDES).round().astype(np.int64)]
