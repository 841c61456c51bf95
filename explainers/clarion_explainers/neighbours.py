"""Attribution of nearest-neighbour scores: the row's own neighbours held fixed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from clarion.detectors import Neighbours
from clarion.explainers import Attribution, Label, Role, Scorable, Support
from clarion.frames import Frame
from clarion.kernels.neighbour_terms import coordinate_moments, neighbour_terms
from clarion_explainers.decomposition import decomposition
from clarion_explainers.refusal import unsupported


@dataclass(frozen=True, slots=True, kw_only=True)
class NeighbourTerms:
    """Shapley values of the mean squared distance to the neighbours that the row has now.

    That score is additive, so ``phi_j = mean_k (u_j - n_kj)^2 - mean_b mean_k (b_j - n_kj)^2``;
    the base value is the background's mean squared distance to these same neighbours. They add up
    to the score, but moving a feature would in truth change the neighbours: hence `additive`.
    """

    role: ClassVar[Role] = Role.DECOMPOSITION

    def supports(self, scorable: Scorable) -> Support | None:
        """Return additive, without scoring more, for nearest-neighbour detectors."""
        fits = isinstance(scorable.capability, Neighbours)
        return Support(Label.ADDITIVE, 0) if fits else None

    def explain(
        self, scorable: Scorable, frame: Frame, *, evaluations: int, seeds: NDArray[np.uint64]
    ) -> Attribution:
        """Return the frozen game's values; ``evaluations`` and ``seeds`` are not needed.

        Raises
        ------
        UnsupportedPairError
            The score is no distance to neighbours.
        """
        detector = scorable.capability
        if not isinstance(detector, Neighbours):
            raise unsupported(scorable, "neighbours", Neighbours)
        mean, variance = scorable.once(
            "neighbours.moments",
            lambda: coordinate_moments(
                np.ascontiguousarray(detector.coordinates(scorable.background))
            ),
        )
        contributions, base_value = neighbour_terms(
            np.ascontiguousarray(detector.coordinates(frame)),
            np.ascontiguousarray(detector.neighbours(frame)),
            mean,
            variance,
        )
        return decomposition(
            scorable.score(frame),
            scorable.by_player(contributions),
            base_value,
            label=Label.ADDITIVE,
            method="neighbours",
            value_function="marginal over the background, the row's neighbours held fixed",
        )
