"""A quadratic form around the background, and the way from its coordinates back to features."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from clarion.arrays import FloatArray, Int64Array
from clarion.detectors import Quadratic, QuadraticForm
from clarion.explaining.clear_downdates import held_alone
from clarion.explaining.linear_cells import coordinate_slopes
from clarion.frames import Frame


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

    def deviations_at(self, free: Int64Array, features: FloatArray) -> FloatArray:
        """Return the coordinates less the center of ``features``: the way back."""
        mean, there, slopes = self._anchor
        return np.asarray(there[free] + (features - mean[free]) * slopes[free])
