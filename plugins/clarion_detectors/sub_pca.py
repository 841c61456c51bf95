"""Sub-PCA: how unlike the normal windows the last rows are, as one long vector."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from clarion.arrays import BoolArray
from clarion.detectors import DetectorKind, DetectorTraits
from clarion.features import FitContext
from clarion.frames import Frame
from clarion.parameters import parameter
from clarion_detectors.lag_quadratic import FittedLagQuadratic, LagPoints
from clarion_detectors.pca import Pca


@dataclass(frozen=True, slots=True, kw_only=True)
class SubPca:
    """PCA over windows: squared prediction error plus T² of the last ``window`` rows.

    A quadratic form of signal and lag, so each cell's Shapley value is exact.
    """

    traits: ClassVar[DetectorTraits] = DetectorTraits(
        kind=DetectorKind.SEQUENCE,
        ordered=True,
        paper="Aggarwal (2017), Outlier Analysis, section 3.3; TSB-AD's Sub-PCA",
    )
    fitted: ClassVar[type[FittedLagQuadratic]] = FittedLagQuadratic

    window: int = parameter(
        50, "Rows of a window, the newest among them.", minimum=2, maximum=1000, unit="rows"
    )
    explained_variance: float = parameter(
        0.9,
        "Share of the variance that the principal plane holds.",
        exclusive_minimum=0.0,
        maximum=1.0,
    )
    error_weight: float = parameter(
        1.0,
        "Weight of the squared prediction error; the rest goes to T².",
        minimum=0.0,
        maximum=1.0,
    )

    def fit(
        self, frame: Frame, labels: BoolArray | None, context: FitContext
    ) -> FittedLagQuadratic:
        """Learn the principal plane of the normal windows.

        Raises
        ------
        TooFewRowsError
            Series shorter than the window, or a single window.
        LimitExceededError
            A window of too many cells.
        """
        lagged = LagPoints.of(frame, self.window - 1, 2, "a principal plane of windows")
        plane = Pca(explained_variance=self.explained_variance, error_weight=self.error_weight)
        return lagged.fitted(*plane.form(lagged.points.reshape(len(lagged.points), -1)))
