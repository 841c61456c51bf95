"""LOF: how much thinner the rows lie around a row than around its neighbours."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Self

import numpy as np

from clarion.arrays import BoolArray, FloatArray, Int64Array
from clarion.detectors import DetectorTraits
from clarion.errors import ArtifactCorruptError
from clarion.features import FitContext
from clarion.frames import Frame, Signal
from clarion.inputs import (
    complete,
    require_memory,
    require_rows,
    robust_scale,
    sampled_rows,
    scaled,
)
from clarion.kernels.neighbours import Blocks, blocks_of, nearest
from clarion.kernels.sums import row_sums
from clarion.parameters import parameter
from clarion.state import State, signal_values
from clarion_detectors.nearest_rows import compact

_VERSION = 1
_LEAST_REACH = 1e-10
"""Duplicates lie at distance 0: their reach counts as so much, as in scikit-learn."""


@dataclass(frozen=True, slots=True, eq=False)
class FittedLof:
    """The reference rows, in the coordinates ``u = (x - center) / scale``.

    Attributes
    ----------
    center, scale
        Shape ``(d,)``, in each signal's unit.
    reference
        Shape ``(m, d)``, unitless, in the order of `compact_order`.
    reach, density
        Shape ``(m,)``: each one's distance to its k-th neighbour, and local reachability density.
    """

    signals: tuple[Signal, ...]
    center: FloatArray
    scale: FloatArray
    neighbour_count: int
    reference: FloatArray
    reach: FloatArray
    density: FloatArray
    blocks: Blocks = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Lay the reference rows out for the kernel."""
        object.__setattr__(self, "blocks", blocks_of(self.reference))

    def score(self, frame: Frame) -> FloatArray:
        """Return the local outlier factor, shape ``(n,)``: > 0, about 1 among like rows.

        Raises
        ------
        SignalMismatchError, InvalidFrameError
            Other signals than those fitted, or a missing cell.
        """
        points = scaled(complete(frame, self.signals), self.center, self.scale)
        squared, rows = nearest(points, self.blocks, self.neighbour_count)
        reached = np.maximum(np.sqrt(squared), self.reach[rows])
        k = self.neighbour_count
        return row_sums(self.density[rows]) / k * (row_sums(reached) / k + _LEAST_REACH)

    def state(self) -> State:
        """Return all that was learned."""
        names = ("center", "scale", "reference", "reach", "density")
        parameters = {
            "signals": signal_values(self.signals),
            "neighbour_count": self.neighbour_count,
        }
        return State(_VERSION, parameters, {name: getattr(self, name) for name in names})

    @classmethod
    def from_state(cls, state: State) -> Self:
        """Return the fitted detector that ``state`` describes."""
        signals = state.require(_VERSION).signals()
        d, k = len(signals), state.parameter("neighbour_count", int)
        reference = state.array("reference", (-1, d))
        if not 1 <= k < len(reference):
            raise ArtifactCorruptError(f"there are no {k} neighbours in {len(reference)} rows")
        reach, density = (state.array(name, (len(reference),)) for name in ("reach", "density"))
        center, scale = (state.array(name, (d,)) for name in ("center", "scale"))
        return cls(signals, center, scale, k, reference, reach, density)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lof:
    """Local outlier factor against normal rows: for clusters of different density."""

    traits: ClassVar[DetectorTraits] = DetectorTraits(
        paper="Breunig et al. (2000), LOF, SIGMOD, definitions 5 to 7"
    )
    fitted: ClassVar[type[FittedLof]] = FittedLof

    neighbours: int = parameter(20, "Nearest rows compared with.", minimum=1, maximum=1000)
    max_reference_rows: int = parameter(
        20_000, "Rows kept as reference, at most; drawn at random.", minimum=2, maximum=200_000
    )

    def fit(self, frame: Frame, labels: BoolArray | None, context: FitContext) -> FittedLof:
        """Learn the density around each reference row.

        Raises
        ------
        TooFewRowsError
            No more rows than neighbours.
        LimitExceededError
            More neighbours by rows than this machine's memory holds.
        """
        values, k = complete(frame, frame.signals), self.neighbours
        available = min(len(frame), self.max_reference_rows)
        require_rows(available, k + 1, f"a density over {k} neighbours")
        require_memory(6 * 8.0 * available * (k + 1), f"{k} neighbours of {available} rows each")
        center, scale = robust_scale(values)
        kept = sampled_rows(len(frame), self.max_reference_rows, context.rng)
        reference = compact(scaled(values[kept], center, scale))
        squared, rows = nearest(reference, blocks_of(reference), k + 1)
        distances, rows = _others(np.sqrt(squared), rows)
        reach = np.ascontiguousarray(distances[:, -1])
        reached = np.maximum(distances, reach[rows]).mean(axis=1)
        density = 1.0 / (reached + _LEAST_REACH)
        return FittedLof(frame.signals, center, scale, k, reference, reach, density)


def _others(distances: FloatArray, rows: Int64Array) -> tuple[FloatArray, Int64Array]:
    """Drop each row from its own ``k + 1`` neighbours (the last, where duplicates crowd it out)."""
    itself = rows == np.arange(len(rows))[:, None]
    itself[~itself.any(axis=1), -1] = True
    shape = (len(rows), rows.shape[1] - 1)
    return distances[~itself].reshape(shape), rows[~itself].reshape(shape)
