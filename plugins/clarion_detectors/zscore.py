"""z-score: how many standard deviations each signal is from its mean, squared and added up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from clarion.arrays import BoolArray
from clarion.detectors import DetectorTraits
from clarion.features import FitContext
from clarion.frames import Frame
from clarion.inputs import complete, require_rows, robust_scale
from clarion_detectors.squared_deviations import FittedSquaredDeviations


@dataclass(frozen=True, slots=True, kw_only=True)
class Zscore:
    """Sum of squared z-scores, the scale of each signal at least 1 % of its range."""

    traits: ClassVar[DetectorTraits] = DetectorTraits(
        paper="Shewhart (1931), Economic Control of Quality of Manufactured Product"
    )
    fitted: ClassVar[type[FittedSquaredDeviations]] = FittedSquaredDeviations

    def fit(
        self, frame: Frame, labels: BoolArray | None, context: FitContext
    ) -> FittedSquaredDeviations:
        """Learn mean and standard deviation of each signal from normal rows.

        Raises
        ------
        TooFewRowsError
            Fewer than 2 rows.
        """
        values = complete(frame, frame.signals)
        require_rows(len(frame), 2, "a standard deviation")
        return FittedSquaredDeviations(frame.signals, *robust_scale(values))
