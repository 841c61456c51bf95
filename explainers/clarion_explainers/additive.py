"""SHAP values of scores that are a sum of one term a feature."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from clarion.arrays import FloatArray
from clarion.detectors import AdditiveTerms
from clarion.explainers import Attribution, Label, Role, Scorable, Support
from clarion.frames import Frame
from clarion_explainers.decomposition import decomposition
from clarion_explainers.refusal import unsupported


@dataclass(frozen=True, slots=True, kw_only=True)
class Additive:
    """Exact SHAP values of an additive score: each term less its mean over the background.

    ``phi_j = g_j(x_j) - mean_b g_j(b_j)``: without interactions, every order of features gives a
    feature the same contribution. Lundberg & Lee (2017), NeurIPS, Corollary 1 is the linear case.
    A player of several features gets the sum of theirs, which is its own SHAP value.
    """

    role: ClassVar[Role] = Role.DECOMPOSITION

    def supports(self, scorable: Scorable) -> Support | None:
        """Return exact, without scoring more, for detectors with additive terms."""
        fits = isinstance(scorable.capability, AdditiveTerms)
        return Support(Label.EXACT, 0) if fits else None

    def explain(
        self, scorable: Scorable, frame: Frame, *, evaluations: int, seeds: NDArray[np.uint64]
    ) -> Attribution:
        """Return exact SHAP values; ``evaluations`` and ``seeds`` are not needed.

        Raises
        ------
        UnsupportedPairError
            The score has no additive terms.
        """
        detector = scorable.capability
        if not isinstance(detector, AdditiveTerms):
            raise unsupported(scorable, "additive", AdditiveTerms)
        absent = scorable.once("additive.absent", lambda: _mean_terms(detector, scorable))
        contributions = np.ascontiguousarray(detector.terms(frame) - absent)
        return decomposition(
            scorable.score(frame),
            scorable.by_player(contributions),
            scorable.mean_score(),
            label=Label.EXACT,
            method="additive",
        )


def _mean_terms(detector: AdditiveTerms, scorable: Scorable) -> FloatArray:
    return np.asarray(detector.terms(scorable.background).mean(axis=0))
