"""Page-Hinkley: a change of the mean from what it has been in the stream so far."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from clarion.arrays import BoolArray, FloatArray
from clarion.detectors import DetectorKind, DetectorTraits
from clarion.features import FitContext
from clarion.frames import Frame
from clarion.inputs import complete, require_rows, robust_scale
from clarion.kernels.charts import page_hinkley
from clarion.parameters import parameter
from clarion_detectors.charts import FittedChart

_REACH = 200
"""Rows that the lineage goes back to; the sums themselves go back to the stream's start."""


@dataclass(frozen=True, slots=True, eq=False)
class FittedPageHinkley(FittedChart):
    """The two-sided Page-Hinkley sums about the stream's own mean, in scales."""

    statistic: ClassVar[str] = "page_hinkley"

    def first(self) -> FloatArray:
        """Return no rows, and sums of zero."""
        return np.zeros((6, len(self.inputs)))

    def reach(self) -> int:
        """Return `_REACH`."""
        return _REACH

    def follow(self, points: FloatArray, memory: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the statistic of each signal, shape ``(n, d)``, and the sums after it."""
        return page_hinkley(points, self.settings["slack"], memory)


@dataclass(frozen=True, slots=True, kw_only=True)
class PageHinkley:
    """One two-sided Page-Hinkley test a signal, their squares added up.

    The level is the stream's own, so a constant offset from the fit is no anomaly; the scale is the
    fit's.
    """

    traits: ClassVar[DetectorTraits] = DetectorTraits(
        kind=DetectorKind.SEQUENCE,
        ordered=True,
        paper="Hinkley (1971), Inference about the change-point from CUSUM tests, Biometrika 58",
    )
    fitted: ClassVar[type[FittedPageHinkley]] = FittedPageHinkley

    slack: float = parameter(
        0.5, "Deviation that adds nothing, in standard deviations.", minimum=0.0, maximum=100.0
    )

    def fit(self, frame: Frame, labels: BoolArray | None, context: FitContext) -> FittedPageHinkley:
        """Learn the in-control standard deviation from normal rows.

        Raises
        ------
        TooFewRowsError
            Fewer than 2 rows.
        """
        values = complete(frame, frame.signals)
        require_rows(len(frame), 2, "a control chart")
        return FittedPageHinkley(frame.signals, {"slack": self.slack}, *robust_scale(values), {})
