"""Relations: what the other signals of a row foretell about each, where rows have no order."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from clarion.arrays import FloatArray, frozen
from clarion.errors import ArtifactCorruptError
from clarion.kernels.shrunk_gaussian import shrunk_gaussian
from clarion.kernels.sick import conditional
from clarion.state import State

MOST_SIGNALS = 256
"""Signals related to each other: they take 1 MiB. Of more, each is judged on its own."""
MOST_ROWS = 8192
"""Rows that relations are learnt from, evenly spread: more hardly change them."""
SICK = 6.63
"""Squared deviations from its forecast that make a signal sick: 1 % of normal ones have as many."""


@dataclass(frozen=True, eq=False)
class Relations:
    """Normal rows as one Gaussian.

    Attributes
    ----------
    middle
        Shape ``(d,)``.
    precision
        Shape ``(d, d)``: the inverse of its covariance.
    spread
        Shape ``(d,)``, >= 1: root mean square surprise of rows that were not learnt from. A
        forecast that does not hold there is worth less.
    """

    middle: FloatArray
    precision: FloatArray
    spread: FloatArray

    @classmethod
    def learn(cls, points: FloatArray) -> Relations | None:
        """Learn from departures of normal rows, (n, d), NaN where missing; None of too many signals."""
        n, d = points.shape
        if not 0 < d <= MOST_SIGNALS:
            return None
        known = points[:: math.ceil(n / MOST_ROWS)]
        middle, precision = _gaussian(known)
        return cls(middle, precision, _spread(known))

    def surprises(self, points: FloatArray) -> FloatArray:
        """Return how strange each number is, (n, d) >= 0: against its forecast or in itself."""
        off = conditional(points - self.middle, self.precision, SICK)
        return np.asarray(np.maximum(off / self.spread, np.abs(points)))

    def state(self) -> State:
        """Return all of it."""
        arrays = {
            "middle": self.middle,
            "precision": self.precision,
            "spread": self.spread,
        }
        return State(1, {}, arrays)

    @classmethod
    def from_state(cls, state: State, signals: int) -> Relations:
        """Return the relations that `state` describes, between so many ``signals``.

        Raises
        ------
        ArtifactCorruptError
            It describes none.
        """
        flat = (signals,)
        found = cls(
            state.require(1).array("middle", flat),
            state.array("precision", (signals, signals)),
            state.array("spread", flat),
        )
        if any((values <= 0).any() for values in (found.precision.diagonal(), found.spread)):
            raise ArtifactCorruptError("the stored relations have a variance that is not positive")
        return found


def _gaussian(points: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return mean and inverse covariance, shrunk, of rows, a missing number at its mean."""
    present = ~np.isnan(points)
    mean = np.where(present, points, 0.0).sum(axis=0) / np.maximum(present.sum(axis=0), 1)
    filled = np.where(present, points, mean)
    middle, deviation, correlation = shrunk_gaussian(filled)
    never = np.ptp(filled, axis=0) == 0  # foretells nothing; its first move counts as it is
    correlation[never], correlation[:, never] = 0.0, 0.0
    correlation[never, never] = 1.0
    precision = np.linalg.inv(correlation) / np.outer(deviation, deviation)
    return frozen(middle), frozen(precision)


def _spread(points: FloatArray) -> FloatArray:
    """Return the surprise, root mean square, of every other row under a fit of the rest; >= 1."""
    judged = points[1::2]
    if not len(judged):
        return np.ones(points.shape[1])
    middle, precision = _gaussian(points[::2])
    off = conditional(judged - middle, precision, math.inf)
    count = np.maximum((~np.isnan(off)).sum(axis=0), 1)
    return frozen(np.maximum(np.sqrt(np.nansum(off**2, axis=0) / count), 1.0))
