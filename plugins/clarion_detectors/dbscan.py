"""DBSCAN: how far a row is from the nearest core of the dense clusters of normal rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from clarion.arrays import BoolArray, FloatArray
from clarion.detectors import DetectorTraits
from clarion.features import FitContext
from clarion.frames import Frame
from clarion.inputs import complete, require_rows, robust_scale, sampled_rows, scaled
from clarion.parameters import parameter
from clarion_detectors.nearest_rows import FittedNeighbours, compact

_RADIUS_QUANTILE = 0.9


@dataclass(frozen=True, slots=True, kw_only=True)
class Dbscan:
    """Squared distance to the nearest core row, every signal on its own scale.

    Core rows have ``min_samples`` rows within ``radius`` (themselves among them); rows that are none
    are noise and no reference. Where no row is a core, all are reference.
    """

    traits: ClassVar[DetectorTraits] = DetectorTraits(
        paper="Ester et al. (1996), KDD, p. 226; Campello, Moulavi & Sander (2013), PAKDD"
    )
    fitted: ClassVar[type[FittedNeighbours]] = FittedNeighbours

    radius: float | None = parameter(
        None,
        "Radius of a neighbourhood on signals scaled by their sd; null for the distance that 90 % "
        "of the rows have their min_samples-th neighbour within.",
        exclusive_minimum=0.0,
    )
    min_samples: int = parameter(
        5, "Rows that make a neighbourhood dense.", minimum=2, maximum=1000
    )
    hierarchical: bool = parameter(
        False, "Clusters of varying density (HDBSCAN): its members are the cores, no radius needed."
    )
    max_fit_rows: int = parameter(
        20_000, "Rows fitted, at most; drawn at random.", minimum=2, maximum=50_000
    )

    def fit(self, frame: Frame, labels: BoolArray | None, context: FitContext) -> FittedNeighbours:
        """Find the cores of the normal rows with scikit-learn.

        Raises
        ------
        TooFewRowsError
            Fewer rows than ``min_samples``.
        """
        values = complete(frame, frame.signals)
        available = min(len(frame), self.max_fit_rows)
        require_rows(available, self.min_samples, f"a neighbourhood of {self.min_samples}")
        center, scale = robust_scale(values)
        kept = sampled_rows(len(frame), self.max_fit_rows, context.rng)
        points = scaled(values[kept], center, scale)
        core = self._members(points) if self.hierarchical else self._cores(points)
        reference = points[core] if core.any() else points
        return FittedNeighbours(frame.signals, 1, center, scale, compact(reference))

    def _cores(self, points: FloatArray) -> BoolArray:
        from sklearn.neighbors import NearestNeighbors

        search = NearestNeighbors(n_neighbors=self.min_samples).fit(points)
        reach = search.kneighbors(points)[0][:, -1]
        radius = self.radius or float(np.quantile(reach, _RADIUS_QUANTILE))
        return np.asarray(reach <= radius)

    def _members(self, points: FloatArray) -> BoolArray:
        from sklearn.cluster import HDBSCAN

        labels = HDBSCAN(min_cluster_size=self.min_samples, copy=True).fit(points).labels_
        return np.asarray(labels >= 0)
