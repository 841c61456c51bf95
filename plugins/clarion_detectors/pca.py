"""PCA: how far a row lies off the plane of the normal rows (SPE), and how far out on it (T²)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from clarion.arrays import BoolArray, FloatArray
from clarion.detectors import DetectorTraits
from clarion.features import FitContext
from clarion.frames import Frame
from clarion.inputs import complete, require_rows, robust_scale, scaled
from clarion.parameters import parameter
from clarion_detectors.quadratic_score import FittedQuadratic, require_square

_SMALLEST_VARIANCE = 1e-6
"""Directions in which rows vary by less than 0.1 % of their scale count as varying by so much."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pca:
    """Squared prediction error off the principal plane plus Hotelling's T² on it.

    Each part is divided by its mean over the normal rows, which is Yue and Qin's combined index
    with means for control limits: one quadratic form, so its Shapley values are exact.
    """

    traits: ClassVar[DetectorTraits] = DetectorTraits(
        paper="Jackson & Mudholkar (1979), Technometrics 21(3); Yue & Qin (2001), IECR 40(20), eq. 19"
    )
    fitted: ClassVar[type[FittedQuadratic]] = FittedQuadratic

    explained_variance: float = parameter(
        0.9,
        "Share of the variance that the principal plane holds.",
        exclusive_minimum=0.0,
        maximum=1.0,
    )
    error_weight: float = parameter(
        0.5,
        "Weight of the squared prediction error; the rest goes to T².",
        minimum=0.0,
        maximum=1.0,
    )

    def fit(self, frame: Frame, labels: BoolArray | None, context: FitContext) -> FittedQuadratic:
        """Learn the principal plane of the normal rows.

        Raises
        ------
        TooFewRowsError
            Fewer than 2 rows.
        LimitExceededError
            A plane of more signals than this machine's memory holds.
        """
        values = complete(frame, frame.signals)
        require_rows(len(frame), 2, "a principal plane")
        require_square(len(frame.signals), "a principal plane")
        center, scale = robust_scale(values)
        location, matrix = self.form(scaled(values, center, scale))
        return FittedQuadratic(frame.signals, center, scale, location, matrix)

    def form(self, points: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return center (d,) and matrix (d, d) of the score as a form of ``points`` (m, d)."""
        location: FloatArray = points.mean(axis=0)
        centred = points - location
        variances, axes = np.linalg.eigh(centred.T @ centred / len(points))
        return location, self._weighted(variances[::-1], axes[:, ::-1])

    def _weighted(self, variances: FloatArray, axes: FloatArray) -> FloatArray:
        """Return the weighted sum of both parts' forms, shape ``(d, d)``, largest variance first."""
        total = variances.sum()
        reached = np.cumsum(variances) >= self.explained_variance * total * (1 - 1e-12)
        rank = int(np.argmax(reached)) + 1
        off = max(float(variances[rank:].sum()), _SMALLEST_VARIANCE)
        weights = np.full(len(variances), self.error_weight / off)
        on_plane = np.maximum(variances[:rank], _SMALLEST_VARIANCE)
        weights[:rank] = (1.0 - self.error_weight) / (rank * on_plane)
        form = (axes * weights) @ axes.T
        return np.asarray((form + form.T) / 2)
