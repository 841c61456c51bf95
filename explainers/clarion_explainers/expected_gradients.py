"""Expected gradients: integrated gradients from the whole background, sampled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from clarion.arrays import FloatArray
from clarion.detectors import Differentiable
from clarion.errors import BudgetExceededError
from clarion.explainers import Attribution, Label, Role, Scorable, Support
from clarion.frames import Frame
from clarion.kernels.sums import row_sums
from clarion.parameters import parameter
from clarion_explainers.control_variate import corrected
from clarion_explainers.decomposition import decomposition
from clarion_explainers.gradient_paths import path_terms, shares
from clarion_explainers.orders import enough_to_visit, visits
from clarion_explainers.refusal import unsupported


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedGradients:
    """Integrated gradients averaged over background rows: Erion et al. (2021), Nature MI 3, eq. 3.

    ``phi_j = E_b E_t (u_j - b_j) d score / d u_j (b + t (u - b))``. Each pair draws a background
    row b and a place t, and takes the gradient at t and at 1 - t: of a score that is quadratic on
    the way that is the whole integral. The sum of an integral is known, ``score(u) - score(b)``:
    what a pair misses it by is shared out by the mean sizes of all pairs' terms, which makes no
    difference on average. So is the sum's mean over the background, which corrects the estimates
    as those of `permutation_shap` (see `clarion_explainers.control_variate`).

    They add up, but are Aumann and Shapley's values, which few scores share with Shapley's: hence
    `additive`, with the standard errors of what was drawn.

    The gradients are the detector's own, of the very score: see `integrated_gradients`. A player of
    several features gets the sum of theirs, as the path moves them together.
    """

    role: ClassVar[Role] = Role.DECOMPOSITION

    pairs: int = parameter(
        16,
        "Pairs at least; more as the budget allows, until every background row was visited.",
        minimum=8,
        maximum=100_000,
    )

    def supports(self, scorable: Scorable) -> Support | None:
        """Return additive for differentiable scores: an evaluation a gradient, two a pair."""
        fits = isinstance(scorable.capability, Differentiable)
        return Support(Label.ADDITIVE, 2 * self.pairs) if fits else None

    def explain(
        self, scorable: Scorable, frame: Frame, *, evaluations: int, seeds: NDArray[np.uint64]
    ) -> Attribution:
        """Return estimates from the pairs that ``evaluations`` pay for, drawn from each seed.

        Raises
        ------
        UnsupportedPairError
            The score has no gradients.
        BudgetExceededError
            ``evaluations`` are fewer than `supports` asked for.
        """
        detector = scorable.capability
        if not isinstance(detector, Differentiable):
            raise unsupported(scorable, "expected_gradients", Differentiable)
        if evaluations < 2 * self.pairs:
            raise BudgetExceededError(
                f"expected_gradients needs {2 * self.pairs} evaluations a row, not {evaluations}",
                explainer="expected_gradients",
                needed=2 * self.pairs,
            )
        background = scorable.once(
            "expected_gradients.background", lambda: detector.coordinates(scorable.background)
        )
        ends, scores = detector.coordinates(frame), scorable.score(frame)
        normal, mean = scorable.background_scores(), scorable.mean_score()
        pairs = min(evaluations // 2, max(self.pairs, enough_to_visit(len(background))))
        contributions = np.zeros((len(scores), scorable.n_players))
        errors = np.zeros_like(contributions)
        for row, seed in enumerate(seeds):
            rng = np.random.default_rng(int(seed))
            visited, start = visits(pairs, len(background), rng)
            drawn = _pairs(detector, background[visited[start]], ends[row], rng)
            gaps = scores[row] - normal[visited[start]] - row_sums(drawn)
            drawn += gaps[:, None] * shares(np.abs(drawn).mean(axis=0, keepdims=True))
            contributions[row], errors[row] = corrected(
                scorable.by_player(drawn), start, len(background), scores[row] - mean
            )
        return decomposition(
            scores,
            contributions,
            mean,
            label=Label.ADDITIVE,
            method="expected_gradients",
            value_function="the straight paths from the background's rows",
            standard_error=errors,
        )


def _pairs(
    detector: Differentiable, start: FloatArray, end: FloatArray, rng: np.random.Generator
) -> FloatArray:
    """Return the mean of each pair's two terms, shape ``(pairs, d)``; one path each."""
    at = rng.uniform(size=len(start))
    terms = path_terms(
        detector,
        np.concatenate([start, start]),
        np.broadcast_to(end, (2 * len(start), len(end))),
        np.concatenate([at, 1 - at]),
    )
    return np.asarray((terms[: len(start)] + terms[len(start) :]) / 2)
