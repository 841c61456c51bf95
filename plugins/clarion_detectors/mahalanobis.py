"""Mahalanobis distance: how far a row is from the mean, in the metric of the rows' covariance."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from clarion.arrays import BoolArray, FloatArray
from clarion.detectors import DetectorTraits
from clarion.features import FitContext
from clarion.frames import Frame
from clarion.inputs import complete, require_rows, robust_scale, sampled_rows, scaled
from clarion.parameters import parameter
from clarion_detectors.quadratic_score import FittedQuadratic, require_square

_SMALLEST_EIGENVALUE = 1e-6
"""A direction in which rows vary by less than 0.1 % of their scale counts as varying by so much:
the precision matrix stays well enough conditioned for attributions to add up to 1e-9."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mahalanobis:
    """Squared Mahalanobis distance with a Ledoit-Wolf (or robust) covariance.

    A signal that is constant in the fit counts apart from the others, in units of 1 % of its size.
    """

    traits: ClassVar[DetectorTraits] = DetectorTraits(
        paper="Mahalanobis (1936); covariance of Ledoit & Wolf (2004), J. Multivariate Anal. 88(2); "
        "robust of Rousseeuw & Van Driessen (1999), Technometrics 41(3)"
    )
    fitted: ClassVar[type[FittedQuadratic]] = FittedQuadratic

    shrinkage: float | None = parameter(
        None,
        "Weight of the identity in the covariance; null for Ledoit and Wolf's estimate.",
        minimum=0.0,
        maximum=1.0,
    )
    robust: bool = parameter(
        False,
        "Mean and covariance of the half of the rows that lie closest together (minimum covariance "
        "determinant): for rows that nobody has vetted.",
    )
    max_fit_rows: int = parameter(
        20_000, "Rows that a robust covariance is fitted on, at most.", minimum=2, maximum=1_000_000
    )

    def fit(self, frame: Frame, labels: BoolArray | None, context: FitContext) -> FittedQuadratic:
        """Learn mean and covariance from normal rows.

        Raises
        ------
        TooFewRowsError
            Fewer than 2 rows.
        LimitExceededError
            A covariance of more signals than this machine's memory holds.
        """
        signals = frame.signals
        values = complete(frame, signals)
        require_rows(len(frame), 2, "a covariance")
        require_square(len(signals), "a covariance")
        center, scale = robust_scale(values)
        points = scaled(values, center, scale)
        if self.robust:
            points = self._closest(points, context.rng)
        varying = np.ptp(points, axis=0) > 0
        covariance = np.eye(len(signals))
        if varying.any():
            covariance[np.ix_(varying, varying)] = self._covariance(points[:, varying])
        location: FloatArray = points.mean(axis=0)
        return FittedQuadratic(signals, center, scale, location, _inverse(covariance))

    def _covariance(self, points: FloatArray) -> FloatArray:
        from sklearn.covariance import empirical_covariance, ledoit_wolf, shrunk_covariance

        if self.shrinkage is None:
            return np.asarray(ledoit_wolf(points)[0])
        return np.asarray(shrunk_covariance(empirical_covariance(points), self.shrinkage))

    def _closest(self, points: FloatArray, rng: np.random.Generator) -> FloatArray:
        """Return the rows near the core that the minimum covariance determinant finds.

        All rows within the 97.5 % quantile of the robust distance count, as Rousseeuw and Van
        Driessen reweight; where so few differ that there is no core, all are returned.
        """
        from scipy.stats import chi2
        from sklearn.covariance import MinCovDet

        points = points[sampled_rows(len(points), self.max_fit_rows, rng)]
        varying = np.ptp(points, axis=0) > 0
        d = int(varying.sum())
        different = len(np.unique(points, axis=0)) if d else 0
        if different < 2 * (d + 1) or 2 * different < len(points):
            return points
        seed = int(rng.integers(2**32))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a singular core, which the inverse below bounds
            core = MinCovDet(random_state=seed).fit(points[:, varying])
        near = core.dist_ <= max(chi2.ppf(0.975, d), np.median(core.dist_))
        closest: FloatArray = points[near]
        return closest


def _inverse(covariance: FloatArray) -> FloatArray:
    """Return the inverse of a covariance matrix, exactly symmetric, its eigenvalues bounded."""
    values, vectors = np.linalg.eigh(covariance)
    half = vectors / np.sqrt(np.maximum(values, _SMALLEST_EIGENVALUE))
    inverse = half @ half.T
    return np.asarray((inverse + inverse.T) / 2)
