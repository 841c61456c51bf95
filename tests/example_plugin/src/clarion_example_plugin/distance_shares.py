"""Distance shares: a score that grows with a sum of distances, shared out by them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from clarion.errors import UnsupportedPairError
from clarion.explainers import Attribution, Label, Role, Scorable, Support, additivity_error
from clarion.frames import Frame
from clarion_example_plugin.median_distance import Distances


@dataclass(frozen=True, slots=True, kw_only=True)
class DistanceShares:
    """Each signal gets the score's share that its distance has in the sum of all distances.

    The rescale rule from the point without any distance, whose score is 0: additive, but no
    Shapley values unless the power is 1.
    """

    role: ClassVar[Role] = Role.DECOMPOSITION

    def supports(self, scorable: Scorable) -> Support | None:
        """Return additive, without scoring more, for detectors with `Distances`."""
        fits = isinstance(scorable.capability, Distances)
        return Support(Label.ADDITIVE, 0) if fits else None

    def explain(
        self, scorable: Scorable, frame: Frame, *, evaluations: int, seeds: NDArray[np.uint64]
    ) -> Attribution:
        """Return the shares; ``evaluations`` and ``seeds`` are not needed.

        Raises
        ------
        UnsupportedPairError
            The detector has no `Distances`.
        """
        detector = scorable.capability
        if not isinstance(detector, Distances):
            raise UnsupportedPairError("'distance_shares' explains detectors with Distances only")
        scores, distances = scorable.score(frame), detector.distances(frame)
        total = sum(distances.T, start=np.zeros(len(frame)))
        per_distance = np.divide(scores, total, out=np.zeros_like(total), where=total > 0)
        contributions = np.ascontiguousarray(distances * per_distance[:, None])
        base = np.zeros(len(frame))
        return Attribution(
            contributions,
            base,
            Label.ADDITIVE,
            method="distance_shares",
            value_function="rescaled from the point at every median",
            additivity_error=additivity_error(contributions, base, scores),
        )
