"""Pairs of random orders in which players take the explained row's values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from clarion.arrays import BoolArray, FloatArray, Int64Array


@dataclass(frozen=True, slots=True, eq=False)
class Orders:
    """A pair is an order of the players and its reverse, both from one background row.

    Attributes
    ----------
    rank
        Shape ``(pairs, k)``: each player's place in the order, from 0.
    visited
        Background rows that pairs start from, each once, in the order of their first visit.
    start
        Shape ``(pairs,)``: the place in ``visited`` of the row that each pair starts from.
    """

    rank: Int64Array
    visited: Int64Array
    start: Int64Array

    @classmethod
    def draw(cls, pairs: int, players: int, rows: int, seed: np.uint64) -> Self:
        """Draw ``pairs`` (at least 8) orders of ``players``, and background rows without repeats.

        See `visits`.
        """
        rng = np.random.default_rng(int(seed))
        visited, start = visits(pairs, rows, rng)
        rank = rng.permuted(np.tile(np.arange(players), (pairs, 1)), axis=1)
        return cls(rank, visited, start)

    def __len__(self) -> int:
        """Steps between start and end, over all walks: ``2 pairs (k - 1)``."""
        return 2 * len(self.rank) * (int(self.rank.shape[1]) - 1)

    def steps(self, part: slice) -> tuple[Int64Array, BoolArray]:
        """Return, of each step in ``part``, its background row and which players are present.

        Shapes ``(steps,)`` and ``(steps, k)``; a pair's order comes before its reverse.
        """
        last = self.rank.shape[1] - 1
        pair, place = np.divmod(np.arange(len(self))[part], 2 * last)
        backward, size = np.divmod(place, last)
        rank = np.where(backward[:, None] == 1, last - self.rank[pair], self.rank[pair])
        return self.visited[self.start[pair]], rank <= size[:, None]

    def contributions(self, walks: FloatArray) -> FloatArray:
        """Return each pair's mean contributions ``(pairs, k)`` from the scores along its walks.

        ``walks`` has the shape ``(pairs, 2, k + 1)``, from the background's score to the row's.
        """
        gains: NDArray[np.float64] = np.diff(walks, axis=2)
        forward = np.take_along_axis(gains[:, 0], self.rank, axis=1)
        backward = np.take_along_axis(gains[:, 1], self.rank.shape[1] - 1 - self.rank, axis=1)
        return np.asarray((forward + backward) / 2)


def visits(pairs: int, rows: int, rng: np.random.Generator) -> tuple[Int64Array, Int64Array]:
    """Return the rows visited by ``pairs`` (at least 8), and the place of each pair's row in them.

    An eighth of the pairs, or more where there are fewer rows, visit a row again: they tell what
    else is left to chance from what the rows do.
    """
    visited = rng.permutation(rows)[: pairs - max(4, pairs // 8)]
    return visited, np.arange(pairs) % len(visited)


def enough_to_visit(rows: int) -> int:
    """Return the fewest pairs whose `visits` are to all of so many rows."""
    return rows + max(4, (rows - 1) // 7)
