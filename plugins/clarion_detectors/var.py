"""VAR: how far the signals are from what all signals' last values foretell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from clarion.arrays import BoolArray, FloatArray
from clarion.detectors import DetectorKind, DetectorTraits
from clarion.features import FitContext
from clarion.frames import Frame
from clarion.parameters import parameter
from clarion_detectors.lag_quadratic import FittedLagQuadratic, LagPoints

_SMALLEST_EIGENVALUE = 1e-6
"""Errors that vary by less than 0.1 % of the scale in some direction count as varying by so much."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Var:
    """Squared Mahalanobis distance of the one-step forecast error, by ridge regression.

    A quadratic form of signal and lag, so each cell's Shapley value is exact.
    """

    traits: ClassVar[DetectorTraits] = DetectorTraits(
        kind=DetectorKind.SEQUENCE,
        ordered=True,
        paper="Lütkepohl (2005), New Introduction to Multiple Time Series Analysis, section 3.2",
    )
    fitted: ClassVar[type[FittedLagQuadratic]] = FittedLagQuadratic

    lags: int = parameter(5, "Earlier rows that foretell a row.", minimum=1, maximum=500)
    penalty: float = parameter(
        1e-3, "Weight of the squared coefficients, for each row fitted.", minimum=0.0
    )

    def fit(
        self, frame: Frame, labels: BoolArray | None, context: FitContext
    ) -> FittedLagQuadratic:
        """Learn the coefficients from normal rows.

        Raises
        ------
        TooFewRowsError
            Series shorter than the window, or fewer than 3 windows.
        LimitExceededError
            A window of too many cells.
        """
        lagged = LagPoints.of(frame, self.lags, 3, "a vector autoregression")
        m, _, d = lagged.points.shape
        past = lagged.points[:, :-1, :].reshape(m, -1)
        now = lagged.points[:, -1, :]
        past_mean, mean = past.mean(axis=0), now.mean(axis=0)
        coefficients = self._ridge(past - past_mean, now - mean)
        errors = now - mean - (past - past_mean) @ coefficients
        step = np.vstack([-coefficients, np.eye(d)])
        form = step @ _inverse_covariance(errors) @ step.T
        return lagged.fitted(np.concatenate([past_mean, mean]), (form + form.T) / 2)

    def _ridge(self, past: FloatArray, now: FloatArray) -> FloatArray:
        """Return the coefficients, shape ``(lags * d, d)``; ``lstsq`` also serves without penalty."""
        gram = past.T @ past + self.penalty * len(past) * np.eye(past.shape[1])
        return np.asarray(np.linalg.lstsq(gram, past.T @ now, rcond=None)[0])


def _inverse_covariance(errors: FloatArray) -> FloatArray:
    from sklearn.covariance import ledoit_wolf

    values, vectors = np.linalg.eigh(ledoit_wolf(errors)[0])
    return np.asarray((vectors / np.maximum(values, _SMALLEST_EIGENVALUE)) @ vectors.T)
