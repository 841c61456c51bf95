"""The straight line that LIME lays through the scores around a row."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from clarion.arrays import FloatArray
from clarion.kernels.least_squares import mirrored_least_squares
from clarion.kernels.slope_bootstrap import pair_influences, walsh_hadamard

_ROUNDING = 1e-24  # variance, relative to the largest score's square, that is none
_REPLICATES = 512


@dataclass(slots=True, eq=False)
class LocalLine:
    """Weighted linear regression, as `lime` asks for one: ``fit``, ``predict``, ``score``.

    Its points are mirrored: the row itself at 0, p points (a power of two), their p mirror images.
    Without a penalty: `lime`'s own ridge pulls the slopes towards 0 (Visani et al. 2020, OptiLIME,
    CIKM workshop AIMLAI, drop it likewise). In Clarion's arithmetic: the same bytes everywhere.
    """

    intercept_: float = 0.0
    coef_: FloatArray = field(default_factory=lambda: np.zeros(0))
    _influences: FloatArray = field(init=False, default_factory=lambda: np.zeros((0, 0)))

    def fit(self, design: FloatArray, target: FloatArray, sample_weight: FloatArray) -> None:
        """Fit the line to ``design`` (2 p + 1, d) and ``target`` (2 p + 1,)."""
        p = len(design) // 2
        half = np.ascontiguousarray(design[1 : 1 + p])
        odd = target[1 : 1 + p] / 2 - target[1 + p :] / 2
        weights = np.ascontiguousarray(sample_weight[1 : 1 + p])
        self.coef_, inverse = mirrored_least_squares(half, odd, weights)
        self.intercept_ = float(np.sum(sample_weight / np.sum(sample_weight) * target))
        self._influences = pair_influences(half, odd, weights, self.coef_, inverse)

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

    def replicates(self, rng: np.random.Generator) -> FloatArray:
        """Return how far off the slopes are in at least 512 bootstrap worlds, shape ``(b, d)``.

        The points stay, which are Clarion's choice and no accident; the residuals' signs are drawn
        anew: the wild bootstrap of Liu (1988), Annals of Statistics 16(4), two-point law of
        Davidson & Flachaire (2008), J. Econometrics 146(1). Signs are balanced, one row of a
        Hadamard matrix a replicate (McCarthy (1969), Review of the ISI 37(3)) times random signs:
        so the replicates' variance is no matter of luck.
        """
        p = len(self._influences)
        worlds = []
        for _ in range(math.ceil(_REPLICATES / p)):
            signed = self._influences * rng.choice((-1.0, 1.0), (p, 1))
            walsh_hadamard(signed)
            worlds.append(signed)
        return np.concatenate(worlds)
