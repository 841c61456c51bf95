"""SHAP values of tree ensembles, in the game of the background rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from clarion.detectors import TreeEnsemble
from clarion.explainers import Attribution, Label, Role, Scorable, Support
from clarion.frames import Frame
from clarion.kernels.tree_interventional import tree_interventional
from clarion_explainers.decomposition import decomposition
from clarion_explainers.tree_shap import path_program


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeShapInterventional:
    """Exact SHAP values of a forest's score, for the interventional (marginal) game.

    Absent features take the values of each background row in turn: Lundberg et al. (2020), Nature
    Machine Intelligence 2, algorithm 3. The base value is the mean score over the background, and
    features that the forest does not use get nothing. The equation is in
    `clarion.kernels.tree_interventional`.
    """

    role: ClassVar[Role] = Role.DECOMPOSITION

    def supports(self, scorable: Scorable) -> Support | None:
        """Return exact for tree ensembles, at one evaluation a background row.

        None of these is scored, but the row is walked down the trees beside each of them.
        """
        fits = isinstance(scorable.capability, TreeEnsemble)
        return Support(Label.EXACT, len(scorable.background)) if fits else None

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
        program = path_program(scorable, "tree_shap_interventional")
        rows = frame.aligned_to(scorable.background.names).numeric()
        return decomposition(
            scorable.score(frame),
            tree_interventional(rows, scorable.background.numeric(), program),
            scorable.mean_score(),
            label=Label.EXACT,
            method="tree_shap_interventional",
        )
