"""Isolation forest: strange rows are cut off from the others by few random cuts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from clarion.arrays import BoolArray, FloatArray
from clarion.detectors import DetectorTraits
from clarion.features import FitContext
from clarion.frames import Frame
from clarion.inputs import complete, require_rows
from clarion.parameters import parameter
from clarion_detectors.forest_score import (
    FittedForest,
    laid_end_to_end,
    require_forest,
    within_float32,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class IsolationForest:
    """Minus the mean number of random cuts that set a row apart: < 0; fewer are stranger.

    Scikit-learn's score is ``-2^(score / c(max_samples))``: the same order of rows.
    """

    traits: ClassVar[DetectorTraits] = DetectorTraits(
        paper="Liu, Ting & Zhou (2008), Isolation Forest, ICDM, p. 413"
    )
    fitted: ClassVar[type[FittedForest]] = FittedForest

    trees: int = parameter(100, "Number of trees.", minimum=1, maximum=10_000)
    max_samples: int = parameter(
        256, "Rows each tree is grown on, at most.", minimum=2, maximum=100_000, unit="rows"
    )

    def fit(self, frame: Frame, labels: BoolArray | None, context: FitContext) -> FittedForest:
        """Grow the trees with scikit-learn, and keep them as plain arrays.

        Raises
        ------
        TooFewRowsError
            Fewer than 2 rows.
        LimitExceededError
            More trees than this machine's memory holds.
        """
        from sklearn import ensemble

        values = complete(frame, frame.signals)
        require_rows(len(frame), 2, "an isolation forest")
        require_forest(self.trees, min(self.max_samples, len(frame)))
        grown = ensemble.IsolationForest(
            n_estimators=self.trees,
            max_samples=min(self.max_samples, len(frame)),
            random_state=int(context.rng.integers(2**32)),
        ).fit(within_float32(values))
        trees = [estimator.tree_ for estimator in grown.estimators_]
        lengths = [_path_lengths(tree) for tree in trees]
        return FittedForest(frame.signals, laid_end_to_end(trees, lengths, scale=-1.0))


def _path_lengths(tree: Any) -> FloatArray:
    """Return each node's number of cuts from the root and those still expected below it."""
    depths = np.zeros(tree.node_count)
    level, depth = np.zeros(1, np.int64), 0
    while len(level):
        depths[level] = depth
        inner = level[tree.children_left[level] >= 0]
        level = np.concatenate([tree.children_left[inner], tree.children_right[inner]])
        depth += 1
    return depths + unsuccessful_search_length(tree.n_node_samples.astype(np.float64))


def unsuccessful_search_length(samples: FloatArray) -> FloatArray:
    """Return c(n), the mean path length of an unsuccessful search among n (Liu et al. 2008, eq. 1)."""
    many = np.maximum(samples, 3.0)
    harmonic = np.log(many - 1.0) + np.euler_gamma
    return np.select(
        [samples > 2, samples == 2], [2.0 * harmonic - 2.0 * (many - 1.0) / many, 1.0], 0.0
    )
