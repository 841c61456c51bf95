"""Which signals moved: a stream's last raw rows against the background's."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

from clarion.arrays import FloatArray, frozen
from clarion.explaining.background import Background
from clarion.explaining.ranking import SignalRanking
from clarion.explaining.rarity import rarity
from clarion.kernels.surprise import departures

RECENT_ROWS = 256
"""Raw rows kept of a stream, at most, to say which signals moved."""
_MAX_CELLS = 262_144
"""Raw cells kept at most (2 MiB): fewer rows of very wide models."""
_CHANCE = 1e-3
"""Probability that any signal at all is told where none moved, with rows that are independent."""
_FAR = 8.0
"""Deviations beyond which single rows count no more: one outlier moves no signal."""
_FEWEST = 30
"""Numbers that a signal needs to be told."""
_MOST = 20
"""Signals told, at most: those with the strongest evidence."""


@dataclass(frozen=True, slots=True)
class MovedSignal:
    """A numeric signal that is not where it was.

    Attributes
    ----------
    shift
        How far its mean moved, in standard deviations of normal rows; beyond 4 of them single rows
        count less (see `clarion.kernels.surprise`), beyond 8 no more.
    spread
        Its standard deviation, as a multiple of that of background rows; 0 where these never moved.
    evidence
        The larger of both changes in standard errors, > 0.
    """

    signal: str
    shift: float
    spread: float
    evidence: float


@dataclass(frozen=True, slots=True, eq=False)
class SignalReference:
    """What the numeric raw signals do when all is well.

    Attributes
    ----------
    names
        The ``d`` numeric signals, in the model's order.
    center, scale
        Shape ``(d,)``: as `SignalRanking` has them.
    never
        How far away a signal is that never moved before.
    moments
        Shape ``(4, d)``: mean and deviation of departures, and of their squares, over background rows.
    rows
        How many background rows there are.
    """

    names: tuple[str, ...]
    center: FloatArray
    scale: FloatArray
    never: float
    moments: FloatArray
    rows: int

    @classmethod
    def of(cls, ranking: SignalRanking, background: Background) -> SignalReference:
        """Gather it from a model's parts."""
        last = background.last
        never = rarity(0, ranking.rare.rows)
        values = frozen(last.values.astype(np.float64))
        points = departures(values, ranking.center, ranking.scale, never).clip(-_FAR, _FAR)
        mean, deviation = _moments(points)
        second, spread = _moments(points**2)
        names = tuple(signal.name for signal in last.of_kind(numeric=True))
        moments = np.stack([mean, deviation, second, spread])
        return cls(names, ranking.center, ranking.scale, never, moments, len(last))

    @property
    def recent_rows(self) -> int:
        """Raw rows to keep of a stream."""
        return min(RECENT_ROWS, max(2, _MAX_CELLS // max(len(self.names), 1)))

    def moved(self, recent: FloatArray) -> tuple[MovedSignal, ...]:
        """Return the signals that moved, by falling evidence, at most 20; none where chance explains all.

        Means of departures, and of their squares, are compared with the background's. Rows that follow
        each other are alike: they count as ``(1 - r) / (1 + r)`` rows each, with r their correlation.

        Parameters
        ----------
        recent
            Raw values of a stream's last rows, shape ``(m, d)``, in each signal's unit; NaN if missing.
        """
        if len(recent) < 2 or not self.names:
            return ()
        points = departures(frozen(recent), self.center, self.scale, self.never).clip(-_FAR, _FAR)
        shifted = _errors(points, self.moments[0], self.moments[1], self.rows)
        spread = _errors(points**2, self.moments[2], self.moments[3], self.rows)
        evidence = np.maximum(shifted, spread)
        bound = float(stats.norm.isf(_CHANCE / (4 * len(self.names))))
        mean, deviation = _moments(points)
        order = np.argsort(-evidence, kind="stable")[:_MOST]
        before = self.moments[1]
        return tuple(
            MovedSignal(
                self.names[j],
                float(mean[j] - self.moments[0, j]),
                float(deviation[j] / before[j]) if before[j] > 0 else 0.0,
                float(evidence[j]),
            )
            for j in order.tolist()
            if evidence[j] > bound
        )


def _moments(points: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return mean and deviation of each column's numbers; 0 where there are none."""
    known = ~np.isnan(points)
    count = np.maximum(known.sum(axis=0), 1)
    mean = np.where(known, points, 0.0).sum(axis=0) / count
    away = np.where(known, points - mean, 0.0)
    return np.asarray(mean), np.asarray(np.sqrt((away**2).sum(axis=0) / count))


def _errors(points: FloatArray, mean: FloatArray, deviation: FloatArray, rows: int) -> FloatArray:
    """Return how many standard errors each column's mean is from ``mean``; 0 where none is known."""
    own, spread = _moments(points)
    known = ~np.isnan(points)
    away = np.where(known, points - own, 0.0)
    variance = np.maximum((away**2).sum(axis=0), 1e-12)  # less is rounding
    follows = ((away[1:] * away[:-1]).sum(axis=0) / variance).clip(0.0, 0.99)
    count = np.maximum(known.sum(axis=0) * (1 - follows) / (1 + follows), 1.0)
    error = np.sqrt(np.maximum(deviation, spread) ** 2 / count + deviation**2 / rows)
    # A signal that never moved, and now stands still elsewhere, has moved without doubt.
    error = np.maximum(error, 1e-3)
    return np.asarray(np.where(known.sum(axis=0) >= _FEWEST, np.abs(own - mean) / error, 0.0))
