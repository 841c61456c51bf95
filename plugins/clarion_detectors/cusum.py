"""CUSUM: small, lasting shifts of the mean, found by adding up what exceeds a slack."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from clarion.arrays import BoolArray, FloatArray
from clarion.detectors import DetectorKind, DetectorTraits
from clarion.features import FitContext
from clarion.frames import Frame
from clarion.inputs import complete, require_rows, robust_scale
from clarion.kernels.charts import cusum
from clarion.parameters import parameter
from clarion_detectors.charts import FittedChart

_REACH = 200
"""Rows that the lineage goes back to; the sums themselves go back to when they were last zero."""


@dataclass(frozen=True, slots=True, eq=False)
class FittedCusum(FittedChart):
    """Page's two-sided sums of the deviations beyond the slack, in scales."""

    statistic: ClassVar[str] = "cusum"

    def first(self) -> FloatArray:
        """Return sums of zero."""
        return np.zeros((2, len(self.inputs)))

    def reach(self) -> int:
        """Return `_REACH`."""
        return _REACH

    def follow(self, points: FloatArray, memory: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the larger sum of each signal, shape ``(n, d)``, and both last sums."""
        return cusum(points, self.settings["slack"], memory)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cusum:
    """One two-sided CUSUM chart a signal, their squares added up."""

    traits: ClassVar[DetectorTraits] = DetectorTraits(
        kind=DetectorKind.SEQUENCE,
        ordered=True,
        paper="Page (1954), Continuous Inspection Schemes, Biometrika 41",
    )
    fitted: ClassVar[type[FittedCusum]] = FittedCusum

    slack: float = parameter(
        0.5, "Deviation that adds nothing, in standard deviations.", minimum=0.0, maximum=100.0
    )

    def fit(self, frame: Frame, labels: BoolArray | None, context: FitContext) -> FittedCusum:
        """Learn the in-control mean and standard deviation from normal rows.

        Raises
        ------
        TooFewRowsError
            Fewer than 2 rows.
        """
        values = complete(frame, frame.signals)
        require_rows(len(frame), 2, "a control chart")
        return FittedCusum(frame.signals, {"slack": self.slack}, *robust_scale(values), {})
