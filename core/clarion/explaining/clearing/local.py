"""Quadratic forms around the background, and the way from their coordinates back to features."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from clarion.arrays import FloatArray, Int64Array
from clarion.detectors import FittedDetector, LinkedSum, Quadratic, QuadraticForm
from clarion.explaining.clearing.downdates import held_alone
from clarion.explaining.clearing.task import Normal
from clarion.explaining.linear_cells import coordinate_slopes
from clarion.frames import Frame
from clarion.inputs import narrowed

MOST_JOINT_FEATURES = 512
"""Features of a sum's quadratic members together, at most: their joint center takes ``O(d^3)`` once."""


@dataclass(frozen=True, eq=False)
class Local:
    """A detector's quadratic form, with coordinates that follow their features in lines."""

    detector: QuadraticForm
    background: Frame

    @cached_property
    def form(self) -> Quadratic:
        """Center, matrix and offset."""
        return self.detector.quadratic()

    @cached_property
    def held_alone(self) -> FloatArray:
        """What is left of each squared deviation's weight once all others are free, ``(d,)``."""
        return held_alone(self.form.matrix)

    @cached_property
    def anchor(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Mean features, their coordinates less the center, and the coordinates' slopes, ``(d,)``."""
        mean = self.background.numeric().mean(axis=0)
        there = self.background.take(slice(0, 1)).with_numeric(mean[None, :])
        return mean, self.deviation(there), coordinate_slopes(self.detector, self.background)

    def deviation(self, features: Frame) -> FloatArray:
        """Return a row's coordinates less the center, shape ``(d,)``."""
        return np.asarray(self.detector.coordinates(features)[0] - self.form.center)

    def features_at(self, free: Int64Array, deviation: FloatArray) -> FloatArray:
        """Return the features whose coordinates less the center are ``deviation``."""
        mean, there, slopes = self.anchor
        return mean[free] + _over(deviation - there[free], slopes[free])

    def deviations_at(self, free: Int64Array, features: FloatArray) -> FloatArray:
        """Return the coordinates less the center of ``features``: the way back."""
        mean, there, slopes = self.anchor
        return np.asarray(there[free] + (features - mean[free]) * slopes[free])


@dataclass(frozen=True, eq=False)
class JointForm:
    """The quadratic members of a sum of linked scores as one form, each over its mean on normal rows.

    What lowers it lowers the sum, mostly: it proposes, and the sum itself decides. Coordinates are the
    features' deviations from their means over normal rows, in sd.
    """

    detector: LinkedSum
    normal: Normal

    @cached_property
    def _members(self) -> list[FittedDetector]:
        return [m for m in self.detector.members() if isinstance(m, QuadraticForm)]

    @property
    def useful(self) -> bool:
        """Whether there is such a member, and the features are few enough."""
        return bool(self._members) and self.normal.rows.shape[1] <= MOST_JOINT_FEATURES

    def coordinates(self, frame: Frame) -> FloatArray:
        """Return the deviations, shape ``(n, d)``."""
        return np.asarray((frame.numeric() - self._mean) / self.normal.spread)

    def quadratic(self) -> Quadratic:
        """Return the members' forms of these coordinates, added up."""
        d = len(self._mean)
        matrix, pull = np.zeros((d, d)), np.zeros(d)
        place = {name: j for j, name in enumerate(self.normal.frame.names)}
        for member in self._members:
            own, form, center = self._of(member, [place[s.name] for s in member.signals])
            matrix[np.ix_(own, own)] += form
            pull[own] += form @ center
        return Quadratic(np.linalg.pinv(matrix, hermitian=True) @ pull, matrix)

    @cached_property
    def _mean(self) -> FloatArray:
        return np.asarray(self.normal.rows.mean(axis=0))

    def _of(
        self, member: FittedDetector, own: list[int]
    ) -> tuple[Int64Array, FloatArray, FloatArray]:
        """Return a member's features, and its form of these coordinates with its center."""
        assert isinstance(member, QuadraticForm)
        frame = narrowed(self.normal.frame, member.signals)
        local, columns = Local(member, frame), np.array(own, np.int64)
        _, there, slopes = local.anchor
        scale = slopes * self.normal.spread[columns]
        size = max(float(np.mean(member.score(frame))), 1e-300)
        # u - c = there + scale z, so the form's center is where that is 0.
        return columns, scale[:, None] * local.form.matrix * scale / size, _over(-there, scale)


def _over(values: FloatArray, slopes: FloatArray) -> FloatArray:
    """Return ``values / slopes``; 0 where a coordinate does not move, as beyond a detector's limits."""
    return np.divide(values, slopes, out=np.zeros_like(values), where=slopes != 0.0)
