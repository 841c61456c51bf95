"""k-means: how far a row is from the centre of the nearest cluster of normal rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from clarion.arrays import BoolArray
from clarion.detectors import DetectorTraits
from clarion.features import FitContext
from clarion.frames import Frame
from clarion.inputs import complete, require_rows, robust_scale, sampled_rows, scaled
from clarion.parameters import parameter
from clarion_detectors.nearest_rows import FittedNeighbours, compact


@dataclass(frozen=True, slots=True, kw_only=True)
class Kmeans:
    """Squared distance to the nearest cluster centre, every signal on its own scale."""

    traits: ClassVar[DetectorTraits] = DetectorTraits(
        paper="Lloyd (1982), IEEE Trans. Inf. Theory 28(2); as a detector: He, Xu & Deng (2003)"
    )
    fitted: ClassVar[type[FittedNeighbours]] = FittedNeighbours

    clusters: int = parameter(10, "Number of clusters.", minimum=1, maximum=10_000)
    max_fit_rows: int = parameter(
        50_000, "Rows fitted, at most; drawn at random.", minimum=1, maximum=1_000_000
    )

    def fit(self, frame: Frame, labels: BoolArray | None, context: FitContext) -> FittedNeighbours:
        """Learn the clusters of normal rows with scikit-learn.

        Raises
        ------
        TooFewRowsError
            Fewer rows than clusters.
        """
        from sklearn.cluster import KMeans

        values = complete(frame, frame.signals)
        available = min(len(frame), self.max_fit_rows)
        require_rows(available, self.clusters, f"a clustering into {self.clusters} clusters")
        center, scale = robust_scale(values)
        kept = sampled_rows(len(frame), self.max_fit_rows, context.rng)
        points = scaled(values[kept], center, scale)
        different = min(self.clusters, len(np.unique(points, axis=0)))
        machine = KMeans(different, n_init=3, random_state=int(context.rng.integers(2**32)))
        centers = np.asarray(machine.fit(points).cluster_centers_, np.float64)
        return FittedNeighbours(frame.signals, 1, center, scale, compact(centers))
