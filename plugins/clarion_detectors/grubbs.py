"""Grubbs: whether the newest row is an outlier among the last rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from clarion.arrays import BoolArray, FloatArray
from clarion.detectors import DetectorKind, DetectorTraits
from clarion.features import FitContext
from clarion.frames import Frame
from clarion.inputs import complete, require_rows, robust_scale
from clarion.kernels.charts import grubbs
from clarion.parameters import parameter
from clarion_detectors.charts import FittedChart, window_rows


@dataclass(frozen=True, slots=True, eq=False)
class FittedGrubbs(FittedChart):
    """Grubbs' statistic of the newest row in a trailing window, in standard deviations."""

    statistic: ClassVar[str] = "grubbs"

    def first(self) -> FloatArray:
        """Return no rows."""
        return np.empty((0, len(self.inputs)))

    def reach(self) -> int:
        """Return the rows of the window."""
        return int(self.settings["window"])

    def follow(self, points: FloatArray, memory: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the statistics of each row that has its window, shape ``(m, d)``."""
        known, kept = window_rows(points, memory, self.reach())
        if len(known) < self.reach():
            return np.empty((0, points.shape[1])), kept
        return grubbs(known, self.reach()), kept


@dataclass(frozen=True, slots=True, kw_only=True)
class Grubbs:
    """Grubbs' test statistic of each signal among its last rows, their squares added up.

    The level and spread are those of the window: slow changes are no anomalies.
    """

    traits: ClassVar[DetectorTraits] = DetectorTraits(
        kind=DetectorKind.SEQUENCE,
        ordered=True,
        paper="Grubbs (1969), Procedures for Detecting Outlying Observations, Technometrics 11(1)",
    )
    fitted: ClassVar[type[FittedGrubbs]] = FittedGrubbs

    window: int = parameter(
        30, "Rows of the window, the newest among them.", minimum=3, maximum=10_000, unit="rows"
    )

    def fit(self, frame: Frame, labels: BoolArray | None, context: FitContext) -> FittedGrubbs:
        """Learn the scale of each signal from normal rows.

        Raises
        ------
        TooFewRowsError
            Fewer rows than the window has.
        """
        values = complete(frame, frame.signals)
        require_rows(len(frame), self.window, f"a window of {self.window} rows")
        return FittedGrubbs(frame.signals, {"window": self.window}, *robust_scale(values), {})
