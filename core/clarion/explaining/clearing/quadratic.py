"""Clearing a quadratic score: free the signals whose best values lower it most (SCIENCE 0 and 5).

A freed signal takes the value that minimises the form, all others held: its conditional mean where
the form is an inverse covariance. Greedy steps with downdates of the form come first, then swaps that
look for one signal fewer, and where signals are few all smaller sets are looked at: `proven`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from clarion.arrays import Int64Array
from clarion.explaining.clearing.downdates import Freed
from clarion.explaining.clearing.local import Local
from clarion.explaining.clearing.task import COMPUTED, MOST_CULPRITS, Clearing, Task

PROVEN_SIGNALS, PROVEN_SIZE = 40, 3
"""Of at most 40 signals all sets of 3 are looked at, 9,880 of them, beside those that must be in any."""
MOST_FREE = 512
"""Features that are free together, at most: with long memories, of fewer signals than elsewhere."""
SWAPPED_SIGNALS = 128
"""Swaps are tried among at most so many signals: each looks at all others."""


def clear(task: Task, local: Local) -> Clearing | None:
    """Return the fewest signals found that clear the row; None if `MOST_CULPRITS` do not.

    Raw values are rounded and kept in range before each proof, and the other freed signals make up
    for it. Scores at most ``MOST_CULPRITS (MOST_CULPRITS + 3)`` rows.
    """
    search = _Search(task, local)
    found = search.greedy()
    if found is None:
        return None
    found = search.proven(search.pruned(found))
    return found if found.proven else search.proven(search.swapped(found))


def growing(task: Task, local: Local) -> Iterator[Clearing]:
    """Yield greedy sets, each one signal larger, at most `MOST_CULPRITS`; one row scored for each."""
    search = _Search(task, local)
    for chosen, _ in search.sets():
        yield search.freeing(chosen)


def pruned(task: Task, local: Local, found: Clearing) -> Clearing:
    """Return a clearing of ``task`` without the signals that it does not need."""
    return _Search(task, local).pruned(found)


@dataclass(frozen=True, eq=False)
class _Search:
    task: Task
    local: Local

    @cached_property
    def start(self) -> Freed:
        return Freed.start(self.local.form.matrix, self.local.deviation(self.task.features))

    @cached_property
    def players(self) -> list[int]:
        """Those that may be freed."""
        return [p for p in self.task.computable if len(self.task.players[p])]

    def sets(self) -> Iterator[tuple[tuple[int, ...], Freed]]:
        """Yield growing sets, each with the player whose freeing lowers the form most."""
        freed, left, chosen = self.start, list(self.players), tuple[int, ...]()
        while left and len(chosen) < MOST_CULPRITS:
            player, freed = self._best(freed, left)
            left.remove(player)
            chosen = (*chosen, player)
            if len(freed.free) > MOST_FREE:
                return
            yield chosen, freed

    def greedy(self) -> Clearing | None:
        for chosen, freed in self.sets():
            if self._clears(freed):
                found = self.freeing(chosen)
                if self.task.clears(found.score):
                    return found
        return None

    def pruned(self, found: Clearing) -> Clearing:
        """Leave out every player that the later ones made needless."""
        for player in found.signals[:-1]:
            rest = tuple(other for other in found.signals if other != player)
            if self._clears(self._freed(rest)):
                fewer = self.freeing(rest)
                found = fewer if self.task.clears(fewer.score) else found
        return found

    def swapped(self, found: Clearing) -> Clearing:
        """Return a smaller set that clears, if swaps one by one lead to any."""
        while len(found.signals) > 1 and len(self.players) <= SWAPPED_SIGNALS:
            fewer = self._one_fewer(found.signals)
            if fewer is None:
                break
            found = fewer
        return found

    def proven(self, found: Clearing) -> Clearing:
        """Look at all smaller sets where these are few; return the smallest, proven if it is."""
        alone = self._alone
        while alone is not None and not found.proven:
            size = len(found.signals) - 1
            necessary = [p for p in alone if self._is_necessary(alone[p])]
            rest = [p for p in alone if p not in necessary]
            beside = size - len(necessary)
            if beside < 0 or len(rest) < beside:
                return replace(found, proven=True)
            if beside > PROVEN_SIZE:
                return found
            smaller, promising = self._smaller(necessary, rest, beside)
            if smaller is None:
                # Sets that only rounding or a range keeps from clearing leave the question open.
                return found if promising else replace(found, proven=True)
            found = smaller
        return found

    def freeing(self, chosen: Sequence[int]) -> Clearing:
        """Return the row with the chosen players at their best values that raw cells can have."""
        task, free, row = self.task, self._features(chosen), self.task.row.copy()
        deviation, pinned = self.start.deviation.copy(), np.zeros(len(free), np.bool_)
        while not pinned.all():
            best = free[~pinned]
            deviation[best] = Freed(self.start.matrix, deviation, best).best()
            row[best] = self.local.features_at(best, deviation[best])
            settled = task.lines.settled(chosen, task.players, row)[free]
            moved = (settled != row[free]) & ~pinned
            row[free] = settled
            if not moved.any():
                break
            # What was rounded or kept in range stays so; the others make up for it.
            pinned |= moved
            deviation[free[pinned]] = self.local.deviations_at(free[pinned], settled[pinned])
        score = float(task.scores(row[None, :])[0])
        donors = (COMPUTED,) * len(chosen)
        return Clearing(tuple(chosen), row, score, donors, len(chosen) == 1)

    def _features(self, players: Sequence[int]) -> Int64Array:
        return np.unique(np.concatenate([self.task.players[player] for player in players]))

    def _clears(self, freed: Freed) -> bool:
        return self.task.clears(freed.value + self.local.form.offset)

    def _best(self, freed: Freed, left: Sequence[int]) -> tuple[int, Freed]:
        """Return the player whose freeing lowers the form most, and the form with it free."""
        members = [self.task.players[player] for player in left]
        best = int(np.argmax(freed.gains(members)))
        return left[best], freed.then(members[best])

    def _freed(self, players: Sequence[int]) -> Freed:
        return self.start.then(*(self.task.players[player] for player in players))

    def _one_fewer(self, signals: tuple[int, ...]) -> Clearing | None:
        """Leave out the signal that matters least, and swap the others until that clears."""
        chosen = min(_without_one(signals), key=lambda kept: self._freed(kept).value)
        freed = self._freed(chosen)
        for _ in range(2 * len(chosen)):
            if self._clears(freed):
                fewer = self.freeing(chosen)
                return fewer if self.task.clears(fewer.score) else None
            swaps = [self._swap(kept, chosen) for kept in _without_one(chosen)]
            better, lower = min(swaps, key=lambda swap: swap[1].value)
            if lower.value >= freed.value:
                return None
            chosen, freed = better, lower
        return None

    def _swap(
        self, kept: tuple[int, ...], chosen: tuple[int, ...]
    ) -> tuple[tuple[int, ...], Freed]:
        left = [player for player in self.players if player not in kept]
        player, freed = self._best(self._freed(kept), left)
        return (*kept, player), freed

    @cached_property
    def _alone(self) -> dict[int, int] | None:
        """Each player's one feature; None where there are too many, or not one each."""
        own = {player: self.task.players[player] for player in self.task.movable}
        own = {player: members for player, members in own.items() if len(members)}
        single = all(len(members) == 1 for members in own.values())
        shared = len({int(members[0]) for members in own.values()}) < len(own)
        if (
            len(self.task.row) > PROVEN_SIGNALS
            or not single
            or shared
            or set(own) - set(self.players)
        ):
            return None
        return {player: int(members[0]) for player, members in own.items()}

    def _is_necessary(self, feature: int) -> bool:
        """Return whether the row raises an alarm even with all other features free."""
        least = self.start.deviation[feature] ** 2 * self.local.held_alone[feature]
        return not self.task.clears(float(least) + self.local.form.offset)

    def _smaller(
        self, necessary: Sequence[int], rest: Sequence[int], beside: int
    ) -> tuple[Clearing | None, bool]:
        """Return a set of the necessary and so many others that clears, and whether any might."""
        assert self._alone is not None
        freed = self._freed(necessary)
        owner = {self._alone[player]: player for player in rest}
        sets, values = freed.best_sets(np.array(list(owner), np.int64), beside)
        might = np.flatnonzero(values + self.local.form.offset < self.task.threshold)
        for k in might[np.argsort(values[might], kind="stable")][:MOST_CULPRITS]:
            players = [*necessary, *(owner[int(feature)] for feature in sets[k])]
            found = self.freeing(players)
            if self.task.clears(found.score):
                return found, True
        return None, bool(len(might))


def _without_one(signals: tuple[int, ...]) -> list[tuple[int, ...]]:
    return [tuple(other for other in signals if other != signal) for signal in signals]
