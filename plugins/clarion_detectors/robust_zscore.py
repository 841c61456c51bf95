"""Robust z-score: deviations from the median in units of the median absolute deviation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from clarion.arrays import BoolArray
from clarion.detectors import DetectorTraits
from clarion.features import FitContext
from clarion.frames import Frame
from clarion.inputs import complete, require_rows, robust_scale
from clarion_detectors.squared_deviations import FittedSquaredDeviations

_SIGMA_PER_MAD = 1.4826  # under a normal law: Rousseeuw & Croux (1993), JASA 88(424), p. 1273
_LEAST_SHARE = 0.01
"""A signal that is constant in most rows has a MAD of 0: it counts in 1 % of its full scale."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RobustZscore:
    """Sum of squared robust z-scores: half of the rows may be anomalous and change little."""

    traits: ClassVar[DetectorTraits] = DetectorTraits(
        paper="Iglewicz & Hoaglin (1993), How to Detect and Handle Outliers, eq. 3.8"
    )
    fitted: ClassVar[type[FittedSquaredDeviations]] = FittedSquaredDeviations

    def fit(
        self, frame: Frame, labels: BoolArray | None, context: FitContext
    ) -> FittedSquaredDeviations:
        """Learn median and median absolute deviation of each signal.

        Raises
        ------
        TooFewRowsError
            Fewer than 2 rows.
        """
        values = complete(frame, frame.signals)
        require_rows(len(frame), 2, "a median absolute deviation")
        _, full = robust_scale(values)
        median = np.median(values, axis=0)
        deviation = _SIGMA_PER_MAD * np.median(np.abs(values - median), axis=0)
        scale = np.maximum(deviation, _LEAST_SHARE * full)
        return FittedSquaredDeviations(frame.signals, median, scale)
