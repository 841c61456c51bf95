"""SHAP values of any score, estimated from paired random orders of the features."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from clarion.arrays import FloatArray
from clarion.errors import BudgetExceededError
from clarion.explainers import Attribution, Label, Role, Scorable, Support
from clarion.frames import Frame
from clarion.parameters import parameter
from clarion_explainers.control_variate import corrected
from clarion_explainers.decomposition import decomposition
from clarion_explainers.hybrids import Hybrids
from clarion_explainers.orders import Orders

_CELLS = 1 << 20
"""Cells scored at a time, 8 MiB."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PermutationShap:
    """Estimated SHAP values of any score, with standard errors.

    Each pair is a random order of the players and its reverse, walked from one background row to
    the explained one, all features of a player at a step: Castro, Gómez & Tejada (2009), Computers & OR 36(5); paired as in Mitchell et
    al. (2022), JMLR 23(43). A pair's contributions sum to ``f(x) - f(b)``, whose mean over the
    background is known; that corrects them, so that they sum to ``f(x) - mean_b f(b)``. This, and
    the standard errors, are explained in `clarion_explainers.control_variate`.
    """

    role: ClassVar[Role] = Role.DECOMPOSITION

    pairs: int = parameter(
        16, "Pairs of orders at least; more are drawn as the budget allows.", minimum=8
    )

    def supports(self, scorable: Scorable) -> Support | None:
        """Return sampled, for every score: ``2 (k - 1)`` evaluations a pair, of ``k`` players."""
        return Support(Label.SAMPLED, self.pairs * _pair_cost(scorable))

    def explain(
        self, scorable: Scorable, frame: Frame, *, evaluations: int, seeds: NDArray[np.uint64]
    ) -> Attribution:
        """Return estimates from as many pairs as ``evaluations`` pay for, drawn from each seed.

        Raises
        ------
        BudgetExceededError
            ``evaluations`` are fewer than `supports` asked for.
        """
        frame = frame.aligned_to(scorable.background.names)
        pairs = self._affordable(scorable, evaluations)
        scores, mean = scorable.score(frame), scorable.mean_score()
        hybrids = Hybrids.of(frame, scorable.background)
        contributions = np.zeros((len(frame), scorable.n_players))
        errors = np.zeros_like(contributions)
        for row, seed in enumerate(seeds):
            orders = Orders.draw(pairs, scorable.n_players, len(scorable.background), seed)
            drawn = _drawn(scorable, hybrids, orders, row, scores[row])
            contributions[row], errors[row] = corrected(
                drawn, orders.start, len(scorable.background), scores[row] - mean
            )
        return decomposition(
            scores,
            contributions,
            mean,
            label=Label.SAMPLED,
            method="permutation_shap",
            standard_error=errors,
        )

    def _affordable(self, scorable: Scorable, evaluations: int) -> int:
        cost = _pair_cost(scorable)
        if evaluations < self.pairs * cost:
            raise BudgetExceededError(
                f"permutation_shap needs {self.pairs * cost} evaluations a row, not {evaluations}",
                explainer="permutation_shap",
                needed=self.pairs * cost,
            )
        return evaluations // cost if cost else self.pairs


def _pair_cost(scorable: Scorable) -> int:
    return 2 * (scorable.n_players - 1)


def _drawn(
    scorable: Scorable, hybrids: Hybrids, orders: Orders, row: int, score: np.float64
) -> FloatArray:
    """Return each pair's mean contributions to one row's score, shape ``(pairs, k)``."""
    pairs, k = orders.rank.shape
    walks = np.empty((pairs, 2, k + 1))
    walks[:, :, 0] = scorable.background_scores()[orders.visited[orders.start], None]
    walks[:, :, k] = score
    player_of = scorable.player_of
    step = max(1, _CELLS // len(player_of))
    parts = []
    for start in range(0, len(orders), step):
        background, present = orders.steps(slice(start, start + step))
        parts.append(scorable.score(hybrids.rows(row, background, present[:, player_of])))
    if parts:
        walks[:, :, 1:k] = np.concatenate(parts).reshape(pairs, 2, k - 1)
    return orders.contributions(walks)
