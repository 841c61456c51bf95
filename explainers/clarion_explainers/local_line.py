"""The straight line that LIME lays through the scores around a row."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from clarion.arrays import FloatArray
from clarion.kernels.least_squares import weighted_least_squares

_ROUNDING = 1e-24  # variance, relative to the largest score's square, that is none


@dataclass(slots=True, eq=False)
class LocalLine:
    """Weighted linear regression, as `lime` asks for one: ``fit``, ``predict``, ``score``.

    Without a penalty: `lime`'s own ridge pulls the slopes towards 0 (Visani et al. 2020, OptiLIME,
    CIKM workshop AIMLAI, drop it likewise). In Clarion's arithmetic: the same bytes everywhere.
    """

    intercept_: float = 0.0
    coef_: FloatArray = field(default_factory=lambda: np.zeros(0))

    def fit(self, design: FloatArray, target: FloatArray, sample_weight: FloatArray) -> None:
        """Fit the line to ``design`` (n, d) and ``target`` (n,)."""
        columns = np.ascontiguousarray(design)
        self.intercept_, self.coef_ = weighted_least_squares(
            columns, np.ascontiguousarray(target), sample_weight
        )

    def predict(self, design: FloatArray) -> FloatArray:
        """Return the line's values, shape ``(n,)``."""
        values: FloatArray = self.intercept_ + (design * self.coef_).sum(axis=1)
        return values

    def score(self, design: FloatArray, target: FloatArray, sample_weight: FloatArray) -> float:
        """Return the weighted R², at most 1; 0 where ``target`` does not vary."""
        unit = float(np.abs(target).max()) or 1.0  # squares of huge scores would overflow
        share = sample_weight / np.sum(sample_weight)
        level = np.sum(share * target)
        spread = float(np.sum(share * ((target - level) / unit) ** 2))
        missed = float(np.sum(share * ((target - self.predict(design)) / unit) ** 2))
        return 1.0 - missed / spread if spread > _ROUNDING else 0.0
