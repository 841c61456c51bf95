"""Gradient boosting: trees that correct each other, on known normal and anomalous rows."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from clarion.arrays import BoolArray, FloatArray
from clarion.detectors import DetectorTraits, Paradigm
from clarion.features import FitContext
from clarion.frames import Frame
from clarion.inputs import both_classes, complete
from clarion.parameters import parameter
from clarion_detectors.forest_score import (
    FittedForest,
    laid_end_to_end,
    require_forest,
    within_float32,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class GradientBoosting:
    """Log-odds of a row being anomalous, by boosted trees: positive means more likely than not."""

    traits: ClassVar[DetectorTraits] = DetectorTraits(
        paradigm=Paradigm.SUPERVISED,
        paper="Friedman (2001), Annals of Statistics 29(5), Algorithm 5",
    )
    fitted: ClassVar[type[FittedForest]] = FittedForest

    trees: int = parameter(100, "Number of trees.", minimum=1, maximum=10_000)
    learning_rate: float = parameter(
        0.1, "Share of each tree's correction that is taken.", exclusive_minimum=0.0, maximum=1.0
    )
    max_depth: int = parameter(3, "Cuts from the root to a leaf, at most.", minimum=1, maximum=16)
    row_share: float = parameter(
        0.8, "Share of the rows that each tree is grown on.", exclusive_minimum=0.0, maximum=1.0
    )

    signals_per_cut: str = parameter(
        "all", "Signals that each cut chooses among: all, or a random few.", choices=("all", "sqrt")
    )
    balanced: bool = parameter(
        False, "Whether both classes weigh the same, however few anomalies are known."
    )

    def fit(self, frame: Frame, labels: BoolArray | None, context: FitContext) -> FittedForest:
        """Grow the trees with scikit-learn, and keep them as plain arrays.

        Raises
        ------
        InvalidParameterError
            No labels, or of one class only.
        LimitExceededError
            More trees than this machine's memory holds.
        """
        from sklearn.ensemble import GradientBoostingClassifier

        values, classes = complete(frame, frame.signals), both_classes(labels, "gradient_boosting")
        require_forest(self.trees, min(2.0**self.max_depth, len(frame)))
        grown = GradientBoostingClassifier(
            n_estimators=self.trees,
            learning_rate=self.learning_rate,
            max_depth=self.max_depth,
            subsample=self.row_share,
            max_features=None if self.signals_per_cut == "all" else "sqrt",
            random_state=int(context.rng.integers(2**32)),
        ).fit(within_float32(values), classes, sample_weight=self._weights(classes))
        trees = [estimator.tree_ for estimator in grown.estimators_[:, 0]]
        prior = grown.init_.class_prior_
        forest = laid_end_to_end(
            trees,
            [tree.value[:, 0, 0] for tree in trees],
            scale=self.learning_rate * len(trees),
            offset=_log_odds(float(prior[1])),
        )
        return FittedForest(frame.signals, forest)

    def _weights(self, classes: BoolArray) -> FloatArray:
        share = (~classes).sum() / classes.sum() if self.balanced else 1.0
        return np.where(classes, share, 1.0)


def _log_odds(share: float) -> float:
    return math.log(share / (1.0 - share))
