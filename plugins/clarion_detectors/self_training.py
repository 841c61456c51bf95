"""Self-training: a few known anomalies, and what a forest learns by following its own surest votes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from clarion.arrays import BoolArray, FloatArray
from clarion.detectors import DetectorTraits, Paradigm
from clarion.features import FitContext
from clarion.frames import Frame
from clarion.inputs import both_classes, complete
from clarion.parameters import parameter
from clarion_detectors.forest_score import FittedForest
from clarion_detectors.isolation_forest import IsolationForest
from clarion_detectors.random_forest import RandomForest

_KNOWN_NORMAL = 0.5
"""Share of the unlabelled rows, the least isolated ones, that begin as normal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SelfTraining:
    """A random forest that takes the surest of the unlabelled rows as labelled, round by round.

    It begins with the known anomalies against the half of the other rows that an isolation forest
    finds the most ordinary. The score is the forest's, in [0, 1], so its SHAP values are exact.
    """

    traits: ClassVar[DetectorTraits] = DetectorTraits(
        paradigm=Paradigm.SEMI_SUPERVISED, paper="Yarowsky (1995), ACL, p. 189"
    )
    fitted: ClassVar[type[FittedForest]] = FittedForest

    rounds: int = parameter(2, "Rounds of labelling.", minimum=1, maximum=50)
    growth: float = parameter(
        0.5,
        "Rows labelled anomalous in a round, as a share of the known anomalies.",
        minimum=0.0,
        maximum=10.0,
    )
    trees: int = parameter(50, "Trees of the forest.", minimum=1, maximum=10_000)

    def fit(self, frame: Frame, labels: BoolArray | None, context: FitContext) -> FittedForest:
        """Learn from known anomalies (``labels``) and from rows of which nothing is known.

        Raises
        ------
        InvalidParameterError
            No labels, or of one class only.
        """
        complete(frame, frame.signals)
        known = both_classes(labels, "self_training")
        ordinary = -IsolationForest().fit(frame, None, context).score(frame)
        anomalous = known.copy()
        normal = ~known & (ordinary >= np.quantile(ordinary[~known], 1.0 - _KNOWN_NORMAL))
        forest = self._forest(frame, anomalous, normal, context)
        for turn in range(self.rounds):
            context.check_cancelled()
            context.progress((turn + 1) / (self.rounds + 1), f"labelling, round {turn + 1}")
            anomalous, normal = self._surest(forest.score(frame), known, anomalous, normal)
            forest = self._forest(frame, anomalous, normal, context)
        return forest

    def _forest(
        self, frame: Frame, anomalous: BoolArray, normal: BoolArray, context: FitContext
    ) -> FittedForest:
        rows = np.flatnonzero(anomalous | normal)
        return RandomForest(trees=self.trees).fit(frame.take(rows), anomalous[rows], context)

    def _surest(
        self, votes: FloatArray, known: BoolArray, anomalous: BoolArray, normal: BoolArray
    ) -> tuple[BoolArray, BoolArray]:
        """Return the labels after one round: more of the surest on either side, never both."""
        open_rows = np.flatnonzero(~anomalous & ~normal)
        by_vote = open_rows[np.argsort(votes[open_rows], kind="stable")]
        count = min(int(self.growth * known.sum()), len(by_vote) // 2)
        sure = by_vote[len(by_vote) - count :]
        anomalous, normal = anomalous.copy(), normal.copy()
        anomalous[sure[votes[sure] > 0.5]] = True
        calm = by_vote[: len(by_vote) // 2]
        normal[calm[votes[calm] < 0.5]] = True
        return anomalous, normal
