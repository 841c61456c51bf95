"""Integrated gradients: the score's gradient, summed up on the way from a typical row."""

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
from clarion.parameters import parameter
from clarion_explainers.decomposition import decomposition
from clarion_explainers.gradient_paths import CELLS, path_terms, summed_up
from clarion_explainers.refusal import unsupported


@dataclass(frozen=True, slots=True, kw_only=True)
class IntegratedGradients:
    """Gradients integrated along the straight path from one baseline: Sundararajan et al. (2017), ICML.

    ``phi_j = (u_j - b_j) int_0^1 d score / d u_j (b + t (u - b)) dt``, whose sum is
    ``score(u) - score(b)``. The baseline b is the background's median row, each feature by itself
    (of an even number of rows the lower one in the middle), so that a few bad rows do not move it.

    The integral is a Gauss-Legendre sum, all but exact for smooth scores; at the kinks of
    rectifiers it is off, and the contributions miss the score by a gap. That is shared out in
    proportion to their sizes, so that they add up: hence `additive`. What stands as standard error is no matter
    of chance: a contribution's share of the gap, plus what it changes by with half as many nodes.

    The quadrature is Clarion's own, not captum's, as gradients are: detectors score in double
    precision without torch, and what is explained is that score. Where both can be asked they
    agree. A player of several features gets the sum of theirs, as the path moves them together.
    """

    role: ClassVar[Role] = Role.DECOMPOSITION

    nodes: int = parameter(
        32, "Places on the path where the gradient is taken.", minimum=2, maximum=4096
    )

    def supports(self, scorable: Scorable) -> Support | None:
        """Return additive for differentiable scores: an evaluation a gradient, of both rules."""
        fits = isinstance(scorable.capability, Differentiable)
        return Support(Label.ADDITIVE, self._cost) if fits else None

    @property
    def _cost(self) -> int:
        return self.nodes + self.nodes // 2

    def explain(
        self, scorable: Scorable, frame: Frame, *, evaluations: int, seeds: NDArray[np.uint64]
    ) -> Attribution:
        """Return integrated gradients; ``seeds`` are not needed, nor more ``evaluations``.

        Raises
        ------
        UnsupportedPairError
            The score has no gradients.
        BudgetExceededError
            ``evaluations`` are fewer than `supports` asked for.
        """
        detector = scorable.capability
        if not isinstance(detector, Differentiable):
            raise unsupported(scorable, "integrated_gradients", Differentiable)
        if evaluations < self._cost:
            raise BudgetExceededError(
                f"integrated_gradients needs {self._cost} evaluations a row, not {evaluations}",
                explainer="integrated_gradients",
                needed=self._cost,
            )
        way = scorable.once(
            f"integrated_gradients.{self.nodes}", lambda: self._way(detector, scorable)
        )
        ends = detector.coordinates(frame)
        block = max(1, CELLS // (self._cost * max(1, ends.shape[1])))
        parts = [way.integrals(detector, ends[i : i + block]) for i in range(0, len(ends), block)]
        fine, coarse = np.concatenate([np.empty((2, 0, ends.shape[1])), *parts], axis=1)
        scores = scorable.score(frame)
        mended = summed_up(fine, scores - way.base_value)
        errors = np.abs(mended - fine) + np.abs(fine - coarse)
        return decomposition(
            scores,
            scorable.by_player(mended),
            way.base_value,
            label=Label.ADDITIVE,
            method="integrated_gradients",
            value_function="the straight path from the background's median row",
            standard_error=scorable.by_player(errors),
        )

    def _way(self, detector: Differentiable, scorable: Scorable) -> _Way:
        baseline = _median(scorable.background)
        rules = [np.polynomial.legendre.leggauss(k) for k in (self.nodes, self.nodes // 2)]
        return _Way(
            detector.coordinates(baseline),
            float(scorable.score(baseline)[0]),
            np.concatenate([(nodes + 1) / 2 for nodes, _ in rules]),
            tuple(weights / 2 for _, weights in rules),
        )


@dataclass(frozen=True, slots=True, eq=False)
class _Way:
    """What is the same for every row.

    Attributes
    ----------
    start, base_value
        Coordinates of the baseline, shape ``(1, d)``, and its score.
    at, weights
        Places of two quadrature rules, one after the other, and the weights of each.
    """

    start: FloatArray
    base_value: float
    at: FloatArray
    weights: tuple[FloatArray, ...]

    def integrals(self, detector: Differentiable, ends: FloatArray) -> FloatArray:
        """Return the integrals by each rule, shape ``(rules, n, d)``; ``ends`` are ``(n, d)``."""
        n, k = len(ends), len(self.at)
        terms = path_terms(
            detector,
            np.broadcast_to(self.start, (n * k, ends.shape[1])),
            np.repeat(ends, k, axis=0),
            np.tile(self.at, n),
        ).reshape(n, k, -1)
        sums, place = np.zeros((len(self.weights), *ends.shape)), 0
        for rule, weights in enumerate(self.weights):
            for weight in weights:  # one after the other: the same bits in any batch
                sums[rule] += weight * terms[:, place]
                place += 1
        return sums


def _median(background: Frame) -> Frame:
    """Return the median of each feature, as a frame of one row."""
    ordered = np.sort(background.numeric(), axis=0)
    return background.take(slice(0, 1)).with_numeric(ordered[[(len(ordered) - 1) // 2]])
