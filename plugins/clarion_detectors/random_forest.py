"""Random forest: the share of trees' leaves that known anomalies fell into."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

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
class RandomForest:
    """Mean over the trees of the anomalous share in a row's leaf, in [0, 1].

    Both classes weigh the same, however few anomalies are known: the score is no probability.
    """

    traits: ClassVar[DetectorTraits] = DetectorTraits(
        paradigm=Paradigm.SUPERVISED, paper="Breiman (2001), Random Forests, Machine Learning 45(1)"
    )
    fitted: ClassVar[type[FittedForest]] = FittedForest

    trees: int = parameter(100, "Number of trees.", minimum=1, maximum=10_000)
    max_depth: int = parameter(12, "Cuts from the root to a leaf, at most.", minimum=1, maximum=64)
    min_leaf_rows: int = parameter(2, "Rows in a leaf, at least.", minimum=1, maximum=100_000)

    def fit(self, frame: Frame, labels: BoolArray | None, context: FitContext) -> FittedForest:
        """Grow the trees with scikit-learn, and keep them as plain arrays.

        Raises
        ------
        InvalidParameterError
            No labels, or of one class only.
        LimitExceededError
            More trees than this machine's memory holds.
        """
        from sklearn.ensemble import RandomForestClassifier

        values, classes = complete(frame, frame.signals), both_classes(labels, "random_forest")
        require_forest(self.trees, min(2.0**self.max_depth, len(frame) / self.min_leaf_rows))
        grown = RandomForestClassifier(
            n_estimators=self.trees,
            max_depth=self.max_depth,
            min_samples_leaf=self.min_leaf_rows,
            class_weight="balanced",
            random_state=int(context.rng.integers(2**32)),
        ).fit(within_float32(values), classes)
        trees = [estimator.tree_ for estimator in grown.estimators_]
        forest = laid_end_to_end(trees, [_anomalous_share(tree) for tree in trees], scale=1.0)
        return FittedForest(frame.signals, forest)


def _anomalous_share(tree: Any) -> FloatArray:
    weights = tree.value[:, 0, :]
    return np.asarray(weights[:, 1] / weights.sum(axis=1))
