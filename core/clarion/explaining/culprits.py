"""Culprits: the smallest set found of signals whose return to normal clears the alarm.

For a quadratic detector a greedy counterfactual: each step frees the signal whose best value lowers
the score most, the others held (SCIENCE 0 and 5: gain ``(P d)_j^2 / P_jj``, then a downdate of P).
For all others leave-one-out, greedily: signals take the values of the nearest normal background
row. Either way the edited row is scored again by the detector itself: that is the proof. The work is
bounded: more than `MOST_CULPRITS` signals together are no cause, and are not searched for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from clarion.arrays import BoolArray, FloatArray, Int64Array
from clarion.detectors import Quadratic, QuadraticForm
from clarion.explaining.linear_cells import coordinate_slopes
from clarion.frames import Frame

MOST_CULPRITS = 32
"""Signals that a clearing set may have; without an end, a row with all of 300 off takes 40 s."""
SHORTLIST = 2 * MOST_CULPRITS
"""Signals tried again after the first round of leave-one-out: those that lowered the score most."""
_TRIALS = 256
"""Edited rows scored at a time: a whole round of 4,096 signals would take 128 MiB."""

_FAR = 3.0
"""Spreads beyond which a feature is strange, and how strange must not choose the donor: the others
are to be alike, so that few have to change."""


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
    donor
        Background row whose values were taken; -1 where the values were computed.
    """

    signals: tuple[int, ...]
    row: FloatArray
    score: float
    donor: int = -1


@dataclass(frozen=True, eq=False)
class Clearer:
    """Finds what clears the alarms of one model.

    Attributes
    ----------
    score
        The detector's own.
    capability
        The fitted detector, asked for its quadratic form.
    players
        For each raw signal the features that read it.
    background
        Normal rows, shape ``(m, d)``.
    """

    score: Callable[[Frame], FloatArray]
    capability: object
    players: Sequence[Int64Array]
    background: Frame

    def clear(self, features: Frame, threshold: float) -> Clearing:
        """Find what brings one row, shape ``(1, d)``, below ``threshold``."""
        if self._local is not None:
            return self._computed(self._local, features, threshold)
        return self._donated(features, threshold)

    @cached_property
    def _local(self) -> _Local | None:
        if not isinstance(self.capability, QuadraticForm):
            return None
        return _Local(self.capability, self.background)

    def _rescored(self, features: Frame, row: FloatArray) -> float:
        return float(self.score(features.with_numeric(row[None, :]))[0])

    def _computed(self, local: _Local, features: Frame, threshold: float) -> Clearing:
        row, deviation = features.numeric()[0], local.deviation(features)
        for chosen, least in _freed(local.form.matrix, deviation, self.players):
            if least + local.form.offset >= threshold and len(chosen) < MOST_CULPRITS:
                continue  # not worth a proof
            found = self._freeing(local, features, chosen)
            if found.score < threshold:
                return self._needed(local, features, threshold, found)
        return Clearing((), row, self._rescored(features, row))

    def _freeing(self, local: _Local, features: Frame, chosen: Sequence[int]) -> Clearing:
        """Return the row with the chosen players at their best values."""
        free = np.unique(np.concatenate([self.players[player] for player in chosen]))
        edited = features.numeric()[0].copy()
        best = _minimiser(local.form.matrix, local.deviation(features), free)
        edited[free] = local.features_at(free, best)
        return Clearing(tuple(chosen), edited, self._rescored(features, edited))

    def _needed(
        self, local: _Local, features: Frame, threshold: float, found: Clearing
    ) -> Clearing:
        """Leave out every player that the later ones made needless."""
        for player in found.signals[:-1]:
            rest = [other for other in found.signals if other != player]
            fewer = self._freeing(local, features, rest)
            found = fewer if fewer.score < threshold else found
        return found

    @cached_property
    def _usual(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """The background's rows, their scores, and the spread of each feature (1 if constant)."""
        rows = self.background.numeric()
        spread = rows.std(axis=0)
        return rows, self.score(self.background), np.where(spread > 0, spread, 1.0)

    def _donated(self, features: Frame, threshold: float) -> Clearing:
        row, players = features.numeric()[0], self.players
        rows, scores, spread = self._usual
        donor = _nearest(row, rows, spread, scores < threshold)
        if donor < 0:
            return Clearing((), row, self._rescored(features, row))
        usual, edited = rows[donor], row.copy()
        chosen: list[int] = []
        left = [p for p, members in enumerate(players) if (row[members] != usual[members]).any()]
        while left and len(chosen) < MOST_CULPRITS:
            after = self._after_each(features, edited, usual, left)
            best = int(np.argmin(after))
            chosen.append(left[best])
            edited[players[left[best]]] = usual[players[left[best]]]
            if after[best] < threshold:
                return self._pruned(features, threshold, Clearing(tuple(chosen), edited, 0, donor))
            kept = np.sort(np.argsort(after, kind="stable")[:SHORTLIST])
            left = [left[place] for place in kept if place != best]
        return Clearing((), row, self._rescored(features, row))

    def _after_each(
        self, features: Frame, row: FloatArray, usual: FloatArray, left: Sequence[int]
    ) -> FloatArray:
        """Return the scores of ``row`` with one player of ``left`` each taken from ``usual``."""
        scores = []
        for begin in range(0, len(left), _TRIALS):
            block = left[begin : begin + _TRIALS]
            trials = np.repeat(row[None, :], len(block), axis=0)
            for trial, player in zip(trials, block, strict=True):
                trial[self.players[player]] = usual[self.players[player]]
            repeated = features.take(np.zeros(len(block), np.int64))
            scores.append(self.score(repeated.with_numeric(trials)))
        return np.concatenate(scores)

    def _pruned(self, features: Frame, threshold: float, found: Clearing) -> Clearing:
        """Take back every change that the later ones made needless."""
        row, edited, kept = features.numeric()[0], found.row, list(found.signals)
        for player in found.signals[:-1]:
            trial = edited.copy()
            trial[self.players[player]] = row[self.players[player]]
            if self._rescored(features, trial) < threshold:
                edited = trial
                kept.remove(player)
        return Clearing(tuple(kept), edited, self._rescored(features, edited), found.donor)


@dataclass(frozen=True, eq=False)
class _Local:
    """A quadratic form and its coordinates around the background's mean."""

    detector: QuadraticForm
    background: Frame

    @cached_property
    def form(self) -> Quadratic:
        return self.detector.quadratic()

    @cached_property
    def _anchor(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        mean = self.background.numeric().mean(axis=0)
        there = self.background.take(slice(0, 1)).with_numeric(mean[None, :])
        return mean, self.deviation(there), coordinate_slopes(self.detector, self.background)

    def deviation(self, features: Frame) -> FloatArray:
        """Return a row's coordinates less the center, shape ``(d,)``."""
        return np.asarray(self.detector.coordinates(features)[0] - self.form.center)

    def features_at(self, free: Int64Array, deviation: FloatArray) -> FloatArray:
        """Return the features whose coordinates less the center are ``deviation``."""
        mean, there, slopes = self._anchor
        return np.asarray(mean[free] + (deviation - there[free]) / slopes[free])


def _freed(
    matrix: FloatArray, deviation: FloatArray, players: Sequence[Int64Array]
) -> Iterator[tuple[list[int], float]]:
    """Yield growing sets of players, each step the one whose freeing lowers the form most.

    With each comes the least value that the form can take once they are free.
    """
    precision, chosen = matrix.copy(), list[int]()
    left = [player for player, members in enumerate(players) if len(members)]
    while left and len(chosen) < MOST_CULPRITS:
        gains = _gains(precision, precision @ deviation, [players[player] for player in left])
        player = left.pop(int(np.argmax(gains)))
        chosen.append(player)
        precision = _without(precision, players[player])
        yield chosen, float(deviation @ precision @ deviation)


def _gains(
    precision: FloatArray, gradient: FloatArray, players: Sequence[Int64Array]
) -> FloatArray:
    """Return by how much freeing each player lowers the form, shape ``(len(players),)``."""
    if all(len(members) == 1 for members in players):
        one = np.array([members[0] for members in players])
        size = precision[one, one]
        flat = size <= 1e-12 * max(float(precision.diagonal().max()), 1e-300)
        return np.where(flat, 0.0, gradient[one] ** 2 / np.where(flat, 1.0, size))
    return np.array([_gain(precision, gradient, members) for members in players])


def _gain(precision: FloatArray, gradient: FloatArray, members: Int64Array) -> float:
    block = precision[np.ix_(members, members)]
    return float(gradient[members] @ np.linalg.pinv(block, hermitian=True) @ gradient[members])


def _without(precision: FloatArray, members: Int64Array) -> FloatArray:
    """Return the form once ``members`` are free to take their best values (Schur complement)."""
    block = np.linalg.pinv(precision[np.ix_(members, members)], hermitian=True)
    smaller = precision - precision[:, members] @ block @ precision[members, :]
    smaller[members, :] = 0.0
    smaller[:, members] = 0.0
    return np.asarray(smaller)


def _minimiser(matrix: FloatArray, deviation: FloatArray, free: Int64Array) -> FloatArray:
    """Return the deviations of ``free`` that minimise the form, all others held."""
    held = deviation.copy()
    held[free] = 0.0
    pull = matrix[free] @ held
    return np.asarray(-np.linalg.pinv(matrix[np.ix_(free, free)], hermitian=True) @ pull)


def _nearest(row: FloatArray, rows: FloatArray, spread: FloatArray, normal: BoolArray) -> int:
    """Return the normal row nearest in units of ``spread``, each at most `_FAR`; -1 if none is."""
    with np.errstate(over="ignore"):
        distance = np.minimum(np.abs((rows - row) / spread), _FAR) ** 2
    total = np.where(normal, distance.sum(axis=1), np.inf)
    best = int(np.argmin(total))
    return best if normal[best] else -1
