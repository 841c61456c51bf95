"""Attribution of ensembles: their members' attributions, rescaled and summed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from clarion.arrays import FloatArray
from clarion.detectors import LinkedSum
from clarion.explainers import Attribution, Explainer, Label, Role, Scorable, Support
from clarion.features import columns_of
from clarion.frames import Frame
from clarion.inputs import narrowed
from clarion_explainers.additive import Additive
from clarion_explainers.decomposition import decomposition
from clarion_explainers.neighbours import NeighbourTerms
from clarion_explainers.product_kernel import ProductKernelShap
from clarion_explainers.quadratic import QuadraticShap
from clarion_explainers.refusal import unsupported
from clarion_explainers.tree_shap import TreeShap

_OWN = (Additive(), QuadraticShap(), ProductKernelShap(), TreeShap(), NeighbourTerms())
_STEP = 1e-6  # of a member's size, to take its link's slope where score and base value are one


@dataclass(frozen=True, slots=True, kw_only=True)
class RescaledSum:
    """Members' closed-form attributions, each scaled by its link's secant, and summed.

    Member i contributes ``phi_ij (L_i(s_i) - L_i(e_i)) / (s_i - e_i)``, with its score s, base value
    e and link L: the Rescale rule of DeepLIFT (Shrikumar et al. 2017, ICML, eq. 9). The shares of
    features within a member are kept; the sum is the ensemble's score, but its Shapley values
    are others: hence `additive`. The base value is the sum of the linked base values. Players of
    several features get the sum of theirs.
    """

    role: ClassVar[Role] = Role.DECOMPOSITION

    def supports(self, scorable: Scorable) -> Support | None:
        """Return additive, without scoring more, if every member has a closed form."""
        if not isinstance(scorable.capability, LinkedSum):
            return None
        able = all(_explainer_of(part) for part in _parts(scorable, scorable.capability))
        return Support(Label.ADDITIVE, 0) if able else None

    def explain(
        self, scorable: Scorable, frame: Frame, *, evaluations: int, seeds: NDArray[np.uint64]
    ) -> Attribution:
        """Return the rescaled sum; ``evaluations`` and ``seeds`` are not needed.

        Raises
        ------
        UnsupportedPairError
            The score is no linked sum, or a member has no closed form.
        """
        detector = scorable.capability
        if not isinstance(detector, LinkedSum):
            raise unsupported(scorable, "rescaled_sum", LinkedSum)
        contributions = np.zeros((len(frame), len(scorable.background.signals)))
        base_value = np.zeros(len(frame))
        for member, part in enumerate(_parts(scorable, detector)):
            explainer = _explainer_of(part)
            if explainer is None:
                raise unsupported(part, "rescaled_sum", LinkedSum)
            own = narrowed(frame, part.background.signals)
            answer = explainer.explain(part, own, evaluations=0, seeds=seeds)
            link = partial(detector.linked, member)
            rescaled, base = _rescaled(answer, part.score(own), link)
            contributions[:, columns_of(scorable.background, own.names)] += rescaled
            base_value += base
        return decomposition(
            scorable.score(frame),
            scorable.by_player(contributions),
            base_value,
            label=Label.ADDITIVE,
            method="rescaled_sum",
            value_function="each member's own, rescaled by its link",
        )


def _parts(scorable: Scorable, detector: LinkedSum) -> tuple[Scorable, ...]:
    return scorable.once(
        "rescaled_sum.parts",
        lambda: tuple(
            Scorable(member.score, narrowed(scorable.background, member.signals), member)
            for member in detector.members()
        ),
    )


def _explainer_of(part: Scorable) -> Explainer | None:
    return next((own for own in _OWN if own.supports(part) is not None), None)


def _rescaled(
    answer: Attribution, scores: FloatArray, link: Callable[[FloatArray], FloatArray]
) -> tuple[FloatArray, FloatArray]:
    """Return one member's contributions ``(n, d)`` and base values ``(n,)`` on the linked scale."""
    base = answer.base_value
    gap = scores - base
    size = np.maximum(np.abs(scores), np.abs(answer.contributions).sum(axis=1))
    near = np.abs(gap) <= 1e-9 * size
    step = np.maximum(_STEP * size, np.finfo(np.float64).tiny)
    tangent = (link(base + step) - link(base - step)) / (2 * step)
    secant = (link(scores) - link(base)) / np.where(near, 1.0, gap)
    contributions = np.where(near, tangent, secant)[:, None] * answer.contributions
    # Where the gap is rounding, so is what the tangent misses; the base value takes it up.
    linked = np.where(near, link(scores) - contributions.sum(axis=1), link(base))
    return contributions, linked
