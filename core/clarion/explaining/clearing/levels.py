"""Clearing windows: a signal's raw path moves to where the other signals let one expect it.

Features of a window set free one by one may be such as no raw window has. Here a signal takes a path that
was seen, its own, that of the nearest normal row or the most ordinary one, shifted as a whole and made
narrower or wider about its mean: by as much as minimises the quadratic score, all chosen signals together.
Means, deviations, slopes and extremes follow both in a line; what does not, the proof tells. Greedy: the
signal and path that lower the form most, then the next.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from clarion.arrays import FloatArray, Int64Array
from clarion.explaining.clearing.donors import nearest
from clarion.explaining.clearing.local import Local
from clarion.explaining.clearing.raw import RawRow, Windows
from clarion.explaining.clearing.task import MOST_CULPRITS, OWN, Clearing, Task

_FLAT = 1e-9
"""Share of a direction's length below which it follows from the others."""


def clear(task: Task, local: Local, raw: RawRow) -> Clearing | None:
    """Return the fewest signals found that clear the row; None if `MOST_CULPRITS` do not.

    Makes features of at most ``2 MOST_CULPRITS`` windows, and scores them.
    """
    levels = _Levels(task, local, raw)
    for chosen in levels.growing():
        found = levels.clearing(chosen)
        if task.clears(found.score):
            return _pruned(levels, chosen, found)
    return None


def _pruned(levels: _Levels, chosen: tuple[int, ...], found: Clearing) -> Clearing:
    for candidate in chosen[:-1]:
        fewer = tuple(other for other in chosen if other != candidate)
        tried = levels.clearing(fewer)
        if levels.task.clears(tried.score):
            chosen, found = fewer, tried
    return found


@dataclass(frozen=True, slots=True, eq=False)
class _Candidates:
    """Paths that signals may take: ``c`` of them.

    ``signals`` and ``donors`` have shape ``(c,)``; ``changes``, the coordinates' change by the path as it
    is, ``(c, d)``; ``directions``, that by a shift of one sd and by its deviations once more, ``(c, 2, d)``.
    """

    signals: Int64Array
    donors: Int64Array
    changes: FloatArray
    directions: FloatArray


@dataclass(frozen=True, eq=False)
class _Levels:
    task: Task
    local: Local
    raw: RawRow

    @cached_property
    def deviation(self) -> FloatArray:
        return self.local.deviation(self.task.features)

    @cached_property
    def signals(self) -> list[int]:
        """The movable signals that are numbers."""
        movable = (s for s in self.task.movable if len(self.task.players[s]))
        return [signal for signal in movable if self.raw.is_number(signal)]

    @cached_property
    def candidates(self) -> _Candidates:
        """Each signal's own path, that of the nearest normal row, and the most ordinary one."""
        bases = [dict.fromkeys(self.signals, OWN), self._ordinary()]
        bases += [dict.fromkeys(self.signals, donor) for donor in nearest(self.task)[:1]]
        rows = self.raw.features(self._windows(bases))
        assert rows is not None  # as many rows as in the window as it was sent
        every = np.arange(rows.shape[1])
        found = np.array([self.local.deviations_at(every, row) for row in rows])
        still, shifted, wider = found.reshape(3, len(bases), -1)
        owner = np.zeros((len(self.signals), len(every)))
        for k, signal in enumerate(self.signals):
            owner[k, self.task.players[signal]] = 1.0
        changes = still - self.deviation
        changes[0] = 0.0  # its own path is what it is
        along = np.stack([shifted - still, wider - still], axis=1)
        return _Candidates(
            np.tile(np.array(self.signals, np.int64), len(bases)),
            np.array([donor for base in bases for donor in base.values()], np.int64),
            (changes[:, None, :] * owner).reshape(-1, len(every)),
            (along[:, None, :, :] * owner[None, :, None, :]).reshape(-1, 2, len(every)),
        )

    def growing(self) -> Iterator[tuple[int, ...]]:
        """Yield growing sets of candidates, each with the one that lowers the form most."""
        chosen: tuple[int, ...] = ()
        own = self.candidates.signals
        while len(chosen) < min(MOST_CULPRITS, len(self.signals)):
            left = np.flatnonzero(~np.isin(own, own[list(chosen)]))
            values = self._values(chosen, left)
            chosen = (*chosen, int(left[int(np.argmin(values))]))
            yield chosen

    def clearing(self, chosen: Sequence[int]) -> Clearing:
        """Return the raw windows with these paths at their best levels and widths, scored."""
        some = self.candidates
        best = self._best(chosen)
        shifts = best[:, 0] * self.raw.spread[some.signals[list(chosen)]]
        times = 1.0 + np.maximum(best[:, 1], -1.0)  # a path upside down has the same sd
        made = Clearing(
            signals=tuple(int(some.signals[c]) for c in chosen),
            row=self.task.row,
            score=np.inf,
            donors=tuple(int(some.donors[c]) for c in chosen),
            proven=len(chosen) == 1,
            moves=tuple(zip(shifts.tolist(), times.tolist(), strict=True)),
        )
        windows = self.raw.edited(made)
        rows = None if windows is None else self.raw.features(windows)
        assert rows is not None  # paths are raw ones
        return made.at(rows[0], float(self.task.scores(rows)[0]))

    def _values(self, chosen: tuple[int, ...], left: Int64Array) -> FloatArray:
        """Return the least value of the form for the chosen candidates with each of ``left``."""
        some, matrix = self.candidates, self.local.form.matrix
        start = self.deviation + some.changes[list(chosen)].sum(axis=0)
        points = start + some.changes[left]
        pulls = points @ matrix
        # Of directions that are orthonormal in the form, each takes off its own part.
        known = _orthonormal(some.directions[list(chosen)].reshape(-1, len(matrix)), matrix)
        value = (points * pulls).sum(axis=1) - np.square(pulls @ known.T).sum(axis=1)
        for along in _pairs(some.directions[left], known, matrix):
            value -= np.square((pulls * along).sum(axis=1))
        return np.asarray(value)

    def _best(self, chosen: Sequence[int]) -> FloatArray:
        """Return shifts, in sd, and widenings that minimise the form together, shape ``(k, 2)``."""
        some, matrix = self.candidates, self.local.form.matrix
        start = self.deviation + some.changes[list(chosen)].sum(axis=0)
        along = some.directions[list(chosen)].reshape(-1, len(matrix))
        size = np.sqrt(np.maximum(((along @ matrix) * along).sum(axis=1), 1e-300))
        unit = along / size[:, None]
        best = -np.linalg.pinv(unit @ matrix @ unit.T, hermitian=True) @ (unit @ matrix @ start)
        return np.asarray((best / size).reshape(-1, 2))

    def _ordinary(self) -> dict[int, int]:
        """Return for each signal the background row whose features of it are nearest to their medians."""
        normal = self.task.normal
        off = np.square((normal.rows - np.median(normal.rows, axis=0)) / normal.spread)
        return {
            signal: int(np.argmin(off[:, self.task.players[signal]].sum(axis=1)))
            for signal in self.signals
        }

    def _windows(self, bases: Sequence[dict[int, int]]) -> Windows:
        """Return each base's window as it is, then each one sd higher, then each twice as wide."""
        values, codes = [], []
        for shift, times in ((0.0, 1.0), (1.0, 1.0), (0.0, 2.0)):
            for base in bases:
                moves = tuple((shift * float(self.raw.spread[s]), times) for s in base)
                donors = tuple(base.values())
                made = Clearing(tuple(base), self.task.row, np.inf, donors, moves=moves)
                windows = self.raw.edited(made)
                assert windows is not None  # paths are raw ones
                values.append(windows.values)
                codes.append(windows.codes)
        return Windows(np.concatenate(values), np.concatenate(codes))


def _orthonormal(directions: FloatArray, matrix: FloatArray) -> FloatArray:
    """Return directions that span the same and are orthonormal in the form, shape ``(k, d)``."""
    known = np.empty((0, len(matrix)))
    for direction in directions:
        known = np.vstack([known, _pairs(direction[None, None, :], known, matrix)[0]])
    return known


def _pairs(directions: FloatArray, known: FloatArray, matrix: FloatArray) -> list[FloatArray]:
    """Return each candidate's directions ``(n, s, d)`` orthonormal in the form, also to ``known``.

    As ``s`` arrays ``(n, d)``; 0 where a direction follows from those before it.
    """
    made: list[FloatArray] = []
    for k in range(directions.shape[1]):
        rest = directions[:, k] - (directions[:, k] @ matrix @ known.T) @ known
        for other in made:
            rest = rest - ((rest @ matrix) * other).sum(axis=1)[:, None] * other
        size = ((rest @ matrix) * rest).sum(axis=1)
        whole = ((directions[:, k] @ matrix) * directions[:, k]).sum(axis=1)
        steep = size > _FLAT * np.maximum(whole, 1e-300)
        scale = np.where(steep, 1.0 / np.sqrt(np.where(steep, size, 1.0)), 0.0)
        made.append(rest * scale[:, None])
    return made
