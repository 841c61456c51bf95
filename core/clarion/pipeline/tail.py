"""Tail: p-values beyond the largest held-out score, extrapolated by a generalised Pareto law."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from clarion.arrays import FloatArray
from clarion.kernels.links import LARGEST_SCORE
from clarion.kernels.pareto import pareto_shape

FEWEST_ROWS = 1000
"""Held-out rows that a tail needs: 50 scores above the 95 % quantile."""
_SHARE = 0.05
"""Share of the scores that the tail is fitted to (SCIENCE 4: the top 5 %)."""
_LARGEST_SHAPE = 0.9
"""At 1 the law has no mean, and its fit by moments no meaning."""
_FURTHEST = 5
"""No p-value below 1 / (5 n) is claimed: there the fit is off by a factor of ten (SCIENCE 4)."""
_STEPS = 64
"""Doubles that rounding may put between the inverse of a law and the law."""


@dataclass(frozen=True, slots=True)
class Tail:
    """A generalised Pareto law above the 95 % quantile of ``rows`` scores (Pickands 1975).

    There is no finite-sample guarantee, as there is for conformal p-values: SCIENCE 4 measured 1.9e-4
    on average where 1e-4 was asked of 2000 rows.

    Attributes
    ----------
    start, exceeding
        That quantile, and how many scores exceed it.
    scale, shape
        Of the law; the shape in [0, 0.9], so that no p-value is 0.
    """

    rows: int
    start: float
    exceeding: int
    scale: float
    shape: float

    @classmethod
    def of(cls, ascending: FloatArray) -> Tail | None:
        """Fit it to sorted scores; None with fewer than 1000 of them, or no spread above the quantile."""
        if len(ascending) < FEWEST_ROWS:
            return None
        start = float(np.quantile(ascending, 1 - _SHARE))
        with np.errstate(over="ignore"):
            excesses = ascending[np.searchsorted(ascending, start, side="right") :] - start
            mean = float(excesses.mean()) if len(excesses) else 0.0
        if not (0 < mean < LARGEST_SCORE) or excesses[0] == excesses[-1]:
            return None
        shape = pareto_shape(excesses, _LARGEST_SHAPE)
        return cls(len(ascending), start, len(excesses), mean * (1 - shape), shape)

    @staticmethod
    def rows_needed(p_value: float) -> int:
        """Return the fewest rows whose tail reaches ``p_value``, in (0, 1)."""
        return max(FEWEST_ROWS, math.ceil(min(1.0 / (_FURTHEST * p_value), LARGEST_SCORE)))

    @property
    def smallest_p(self) -> float:
        """The smallest p-value that is claimed."""
        return 1.0 / (_FURTHEST * self.rows)

    def p_values(self, scores: FloatArray) -> FloatArray:
        """Return p-values of ``scores`` above the largest held out, in ``[smallest_p, 1 / (n + 1)]``."""
        with np.errstate(over="ignore"):
            beyond = (scores - self.start) / self.scale
        grown = np.log1p(self.shape * beyond) / self.shape if self.shape > 0 else beyond
        p = self.exceeding / self.rows * np.exp(-grown)
        return np.asarray(np.clip(p, self.smallest_p, 1.0 / (self.rows + 1.0)))

    def score(self, p_value: float) -> float:
        """Return the smallest score, as the law says, whose p-value is at most ``p_value``."""
        grown = -math.log(p_value * self.rows / self.exceeding)
        beyond = math.expm1(self.shape * grown) / self.shape if self.shape > 0 else grown
        score = self.start + self.scale * beyond
        for _ in range(_STEPS):
            if self.p_values(np.array([score]))[0] <= p_value:
                break
            score = math.nextafter(score, math.inf)
        return score
