"""KS window: whether the last rows have another distribution than the normal ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from clarion.arrays import BoolArray, FloatArray
from clarion.detectors import DetectorKind, DetectorTraits
from clarion.features import FitContext
from clarion.frames import Frame
from clarion.inputs import complete, require_rows, robust_scale, sampled_rows, scaled
from clarion.kernels.charts import kolmogorov_smirnov
from clarion.parameters import parameter
from clarion_detectors.charts import FittedChart, window_rows


@dataclass(frozen=True, slots=True, eq=False)
class FittedKsWindow(FittedChart):
    """The two-sample Kolmogorov-Smirnov distance of a trailing window from the reference."""

    statistic: ClassVar[str] = "ks"

    def first(self) -> FloatArray:
        """Return no rows."""
        return np.empty((0, len(self.inputs)))

    def reach(self) -> int:
        """Return the rows of the window."""
        return int(self.settings["window"])

    def follow(self, points: FloatArray, memory: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the distances of each row that has its window, shape ``(m, d)``."""
        known, kept = window_rows(points, memory, self.reach())
        if len(known) < self.reach():
            return np.empty((0, points.shape[1])), kept
        return kolmogorov_smirnov(known, self.reach(), self.extra["reference"]), kept


@dataclass(frozen=True, slots=True, kw_only=True)
class KsWindow:
    """A Kolmogorov-Smirnov test of each signal's last rows, their squared distances added up.

    Finds changes of level, spread and shape alike, once they fill a good part of the window.
    """

    traits: ClassVar[DetectorTraits] = DetectorTraits(
        kind=DetectorKind.SEQUENCE,
        ordered=True,
        paper="Smirnov (1948), Annals of Mathematical Statistics 19(2)",
    )
    fitted: ClassVar[type[FittedKsWindow]] = FittedKsWindow

    window: int = parameter(
        50, "Rows of the window, the newest among them.", minimum=5, maximum=10_000, unit="rows"
    )
    max_reference_rows: int = parameter(
        2_000,
        "Normal rows kept for comparison, at most; drawn at random.",
        minimum=5,
        maximum=100_000,
    )

    def fit(self, frame: Frame, labels: BoolArray | None, context: FitContext) -> FittedKsWindow:
        """Keep the distribution of each signal in normal rows.

        Raises
        ------
        TooFewRowsError
            Fewer rows than the window has.
        """
        values = complete(frame, frame.signals)
        require_rows(len(frame), self.window, f"a window of {self.window} rows")
        center, scale = robust_scale(values)
        kept = sampled_rows(len(frame), self.max_reference_rows, context.rng)
        reference = np.sort(np.ascontiguousarray(scaled(values[kept], center, scale).T), axis=1)
        settings = {"window": self.window}
        return FittedKsWindow(frame.signals, settings, center, scale, {"reference": reference})
