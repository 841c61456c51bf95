"""k nearest neighbours: how far a row is from the normal rows most like it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from clarion.arrays import BoolArray
from clarion.detectors import DetectorTraits
from clarion.features import FitContext
from clarion.frames import Frame
from clarion.inputs import complete, require_rows, robust_scale, sampled_rows, scaled
from clarion.parameters import parameter
from clarion_detectors.nearest_rows import FittedNeighbours, compact


@dataclass(frozen=True, slots=True, kw_only=True)
class Knn:
    """Mean squared distance to the k nearest normal rows, every signal on its own scale."""

    traits: ClassVar[DetectorTraits] = DetectorTraits(
        paper="Ramaswamy, Rastogi & Shim (2000), SIGMOD; the mean of Angiulli & Pizzuti (2002), PKDD"
    )
    fitted: ClassVar[type[FittedNeighbours]] = FittedNeighbours

    neighbours: int = parameter(5, "Nearest rows averaged over.", minimum=1, maximum=1000)
    max_reference_rows: int = parameter(
        20_000, "Rows kept as reference, at most; drawn at random.", minimum=1, maximum=1_000_000
    )

    def fit(self, frame: Frame, labels: BoolArray | None, context: FitContext) -> FittedNeighbours:
        """Keep normal rows as reference.

        Raises
        ------
        TooFewRowsError
            Fewer rows than neighbours.
        """
        values = complete(frame, frame.signals)
        available = min(len(frame), self.max_reference_rows)
        require_rows(available, self.neighbours, f"a mean over {self.neighbours} neighbours")
        center, scale = robust_scale(values)
        kept = sampled_rows(len(frame), self.max_reference_rows, context.rng)
        points = scaled(values[kept], center, scale)
        return FittedNeighbours(frame.signals, self.neighbours, center, scale, compact(points))
