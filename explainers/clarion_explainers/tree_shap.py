"""SHAP values of tree ensembles, in the game of the trees' own training rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from clarion.arrays import FloatArray
from clarion.detectors import TreeEnsemble
from clarion.explainers import Attribution, Label, Role, Scorable, Support
from clarion.frames import Frame
from clarion.kernels.tree_interactions import tree_interactions
from clarion.kernels.tree_program import TreeProgram, tree_program
from clarion.kernels.tree_shap import tree_shap
from clarion_explainers.decomposition import decomposition
from clarion_explainers.refusal import unsupported

PATH_DEPENDENT = "path-dependent (training cover)"
"""Absent features send a row down both branches, in proportion to the training rows that took them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeShap:
    """Exact SHAP values of a forest's score, for the path-dependent game.

    Where a split asks for an absent feature, both branches count, in proportion to the training
    rows that took them: Lundberg et al. (2020), Nature Machine Intelligence 2, algorithm 1. So the
    base value is the forest's mean over its training rows, and features that the forest does not
    use may still be credited through those they went along with in training. What the background
    says instead, `tree_shap_interventional` tells. The equation is in `clarion.kernels.tree_program`.
    """

    role: ClassVar[Role] = Role.DECOMPOSITION

    def supports(self, scorable: Scorable) -> Support | None:
        """Return exact, without scoring more, for tree ensembles."""
        fits = isinstance(scorable.capability, TreeEnsemble)
        return Support(Label.EXACT, 0) if fits else None

    def explain(
        self, scorable: Scorable, frame: Frame, *, evaluations: int, seeds: NDArray[np.uint64]
    ) -> Attribution:
        """Return exact SHAP values; ``evaluations`` and ``seeds`` are not needed.

        Raises
        ------
        UnsupportedPairError
            The score is no tree ensemble.
        ArtifactCorruptError
            The detector's nodes do not form trees.
        """
        program = path_program(scorable, "tree_shap")
        rows = frame.aligned_to(scorable.background.names).numeric()
        return decomposition(
            scorable.score(frame),
            tree_shap(rows, program),
            program.base_value,
            label=Label.EXACT,
            method="tree_shap",
            value_function=PATH_DEPENDENT,
        )

    def interactions(self, scorable: Scorable, frame: Frame) -> FloatArray:
        """Return the interaction index of each pair of players, ``(n, k, k)``, for the same game.

        Raises
        ------
        UnsupportedPairError, ArtifactCorruptError
            As `explain` does.
        """
        program = path_program(scorable, "tree_shap")
        return tree_interactions(frame.aligned_to(scorable.background.names).numeric(), program)


def path_program(scorable: Scorable, explainer: str) -> TreeProgram:
    """Return the edges of the scorable's trees for its players; laid out once.

    Raises
    ------
    UnsupportedPairError, ArtifactCorruptError
        The score is no tree ensemble, or its nodes do not form trees.
    """
    detector = scorable.capability
    if not isinstance(detector, TreeEnsemble):
        raise unsupported(scorable, explainer, TreeEnsemble)
    return scorable.once(
        "tree_shap.program", lambda: tree_program(detector.forest(), scorable.player_of)
    )
