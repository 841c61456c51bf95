"""AR: how far each signal is from what its own last values foretell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from clarion.arrays import BoolArray
from clarion.detectors import DetectorKind, DetectorTraits
from clarion.features import FitContext
from clarion.frames import Frame
from clarion.parameters import parameter
from clarion_detectors.lag_quadratic import FittedLagQuadratic, LagPoints

_SMALLEST_SD = 1e-3
"""A signal foretold to less than 0.1 % of its scale counts as foretold to so much."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ar:
    """Sum over the signals of the squared one-step forecast error, in units of its variance.

    Each signal is foretold from its own last values by least squares: the score is a quadratic form
    of signal and lag, so each cell's Shapley value is exact.
    """

    traits: ClassVar[DetectorTraits] = DetectorTraits(
        kind=DetectorKind.SEQUENCE,
        ordered=True,
        paper="Box & Jenkins (1970), Time Series Analysis, chapter 3",
    )
    fitted: ClassVar[type[FittedLagQuadratic]] = FittedLagQuadratic

    lags: int = parameter(10, "Earlier rows that foretell a row.", minimum=1, maximum=500)

    def fit(
        self, frame: Frame, labels: BoolArray | None, context: FitContext
    ) -> FittedLagQuadratic:
        """Learn each signal's coefficients from normal rows.

        Raises
        ------
        TooFewRowsError
            Series shorter than the window, or no more windows than coefficients.
        LimitExceededError
            A window of too many cells.
        """
        lagged = LagPoints.of(frame, self.lags, self.lags + 2, "an autoregression")
        d = len(frame.signals)
        form = np.zeros(((self.lags + 1) * d, (self.lags + 1) * d))
        location = np.zeros(len(form))
        for j in range(d):
            series = lagged.points[:, :, j]
            design = np.column_stack([np.ones(len(series)), series[:, :-1]])
            coefficients, *_ = np.linalg.lstsq(design, series[:, -1], rcond=None)
            spread = max(float((series[:, -1] - design @ coefficients).std()), _SMALLEST_SD)
            weights = np.append(-coefficients[1:], 1.0) / spread
            cells = np.arange(self.lags + 1) * d + j
            form[np.ix_(cells, cells)] = np.outer(weights, weights)
            location[cells[-1]] = coefficients[0]
        return lagged.fitted(location, form)
