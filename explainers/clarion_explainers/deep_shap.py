"""DeepSHAP of fully connected networks, through the `shap` library."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from clarion.arrays import FloatArray
from clarion.detectors import FeedForward, Layers
from clarion.errors import BudgetExceededError
from clarion.explainers import Attribution, Label, Role, Scorable, Support
from clarion.frames import Frame
from clarion.inputs import missing_extra
from clarion_explainers.decomposition import decomposition
from clarion_explainers.gradient_paths import summed_up
from clarion_explainers.refusal import unsupported

_LIBRARIES = {"shap": "explain", "torch": "deep"}
_OVERHEAD = 64
"""Evaluations that the library's own work takes the time of: below it no background is cheaper."""
_PASSES = 4
"""The row and a background row, each forwards and backwards."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeepShap:
    """DeepLIFT against every background row, averaged: Lundberg & Lee (2017), NeurIPS, section 4.2.

    `shap.DeepExplainer` multiplies through the layers what each unit's output changes by for what
    its input changes by: the Rescale rule of Shrikumar et al. (2017), ICML. They add up to the
    score, less its mean over the background, and are not its Shapley values: hence `additive`.
    Where a unit's input hardly changes the library takes its gradient; what the sums miss by that,
    about a millionth, is shared out in proportion to the contributions.

    It is for scores that are a network's own output. A reconstruction's or a forecast's squared
    error is none: the library has no rule for the squares, and sums would miss the score by as much
    as itself. There, and as the default, `expected_gradients` is to be asked.
    """

    role: ClassVar[Role] = Role.DECOMPOSITION

    def supports(self, scorable: Scorable) -> Support | None:
        """Return additive, for networks: four evaluations a background row, and the overhead.

        Raises
        ------
        MissingExtraError
            `shap` or torch is not installed.
        """
        if not isinstance(scorable.capability, FeedForward):
            return None
        for library, extra in _LIBRARIES.items():
            if find_spec(library) is None:
                raise missing_extra(library, extra)
        return Support(Label.ADDITIVE, _OVERHEAD + _PASSES * len(scorable.background))

    def explain(
        self, scorable: Scorable, frame: Frame, *, evaluations: int, seeds: NDArray[np.uint64]
    ) -> Attribution:
        """Return DeepSHAP's values; ``seeds`` are not needed, nor more ``evaluations``.

        Raises
        ------
        UnsupportedPairError
            The score is not the output of a fully connected network.
        BudgetExceededError
            ``evaluations`` are fewer than `supports` asked for.
        MissingExtraError
            `shap` or torch is not installed.
        """
        detector, support = scorable.capability, self.supports(scorable)
        if not isinstance(detector, FeedForward) or support is None:
            raise unsupported(scorable, "deep_shap", FeedForward)
        if evaluations < support.evaluations:
            raise BudgetExceededError(
                f"deep_shap needs {support.evaluations} evaluations a row, not {evaluations}",
                explainer="deep_shap",
                needed=support.evaluations,
            )
        background = detector.coordinates(scorable.background)
        found = _by_library(detector.layers(), background, detector.coordinates(frame))
        scores, mean = scorable.score(frame), scorable.mean_score()
        return decomposition(
            scores,
            scorable.by_player(summed_up(found, scores - mean)),
            mean,
            label=Label.ADDITIVE,
            method="deep_shap",
            value_function="each background row in turn, unit by unit",
        )


def _by_library(layers: Layers, background: FloatArray, points: FloatArray) -> FloatArray:
    """Return what `shap.DeepExplainer` gives each of ``points`` (n, d), shape ``(n, d)``."""
    import torch
    from shap import DeepExplainer

    # A network of its own: while it explains, the library hangs its notes on the layers.
    explainer = DeepExplainer(_network(layers), torch.tensor(background))
    found = [
        explainer.shap_values(torch.tensor(points[i : i + 1]), check_additivity=False)
        for i in range(len(points))
    ]
    return np.concatenate([np.empty((0, *background.shape[1:])), *(f[:, :, 0] for f in found)])


def _network(layers: Layers) -> Any:
    """Return the layers as a torch module, in double precision."""
    import torch

    parts: list[Any] = []
    for weights, biases in zip(layers.weights, layers.biases, strict=True):
        # Uninitialised: to draw weights first would move torch's global generator.
        linear = torch.nn.utils.skip_init(torch.nn.Linear, *weights.shape, dtype=torch.float64)
        linear.weight = torch.nn.Parameter(torch.tensor(weights.T.copy()), requires_grad=False)
        linear.bias = torch.nn.Parameter(torch.tensor(biases), requires_grad=False)
        parts += [linear, torch.nn.LeakyReLU(layers.slope)]
    return torch.nn.Sequential(*parts[:-1])
