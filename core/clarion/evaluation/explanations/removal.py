"""Deletion and insertion: the score as signals are made normal, or put back, in a given order.

A good order brings the score down after few deletions, and up after few insertions: Petsiuk et al.
(2018), RISE, BMVC, section 3.3. What is removed takes its mean given what is left, under a Gaussian
fitted to the background: values that never go together are anomalies themselves, and removing by
means or zeros would measure those (SCIENCE 2).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from clarion.arrays import BoolArray, FloatArray, Int64Array
from clarion.evaluation.explanations.subject import Subject

MOST_STEPS = 32
"""Points of a curve: with more signals, several are removed at a time."""
_RIDGE = 1e-6
"""Share of the mean variance added to the covariance, which need not be of full rank."""


@dataclass(frozen=True, slots=True, eq=False)
class Imputer:
    """A Gaussian of normal rows: mean ``(d,)`` and covariance ``(d, d)``."""

    mean: FloatArray
    covariance: FloatArray

    @classmethod
    def of(cls, rows: FloatArray) -> Self:
        """Fit to normal rows, shape ``(m, d)``."""
        covariance = np.atleast_2d(np.cov(rows, rowvar=False, bias=True))
        size = float(np.trace(covariance)) / len(covariance)
        return cls(rows.mean(axis=0), covariance + _RIDGE * (size or 1.0) * np.eye(len(covariance)))

    def filled(self, row: FloatArray, absent: BoolArray) -> FloatArray:
        """Return ``row`` (d,) with its ``absent`` features at their mean given the others."""
        known = ~absent
        out = np.where(absent, self.mean, row)
        if absent.any() and known.any():
            among = self.covariance[np.ix_(known, known)]
            pull = np.linalg.solve(among, row[known] - self.mean[known])
            out[absent] += self.covariance[np.ix_(absent, known)] @ pull
        return out


@dataclass(frozen=True, slots=True)
class Removal:
    """Areas under the curves of one order, means over rows, in [0, 1].

    Attributes
    ----------
    deletion
        Lower is better.
    insertion
        Higher is better.
    """

    deletion: float
    insertion: float


def removal(subject: Subject, rows: FloatArray, orders: Int64Array) -> Removal:
    """Judge the orders in which signals are called important.

    Parameters
    ----------
    rows
        Shape ``(n, d)``; those that score no higher than a wholly normal row are left out.
    orders
        Shape ``(n, k)``: each row's players, the most important first.

    Returns
    -------
    NaN for both where no row is left.
    """
    imputer, members = Imputer.of(subject.normal), subject.members
    counts = _counts(len(members))
    areas = []
    for row, order in zip(rows, orders, strict=True):
        deleted = [_absent(members, order[:count], len(row)) for count in counts]
        kept = [_absent(members, order[count:], len(row)) for count in counts]
        filled = np.array([imputer.filled(row, absent) for absent in (*deleted, *kept)])
        scores = subject.score(filled).reshape(2, len(counts))
        normal, full = scores[0, -1], scores[0, 0]
        if full > normal:
            shares = np.clip((scores - normal) / (full - normal), 0.0, 1.0)
            areas.append(np.trapezoid(shares, counts / counts[-1], axis=1))
    if not areas:
        return Removal(float("nan"), float("nan"))
    deletion, insertion = np.mean(areas, axis=0)
    return Removal(float(deletion), float(insertion))


def _counts(players: int) -> Int64Array:
    """Return how many players are removed at each point of a curve: from none to all."""
    return np.unique(np.linspace(0, players, min(players, MOST_STEPS) + 1).round()).astype(np.int64)


def _absent(members: Sequence[Int64Array], players: Int64Array, features: int) -> BoolArray:
    absent = np.zeros(features, np.bool_)
    for player in players:
        absent[members[player]] = True
    return absent
