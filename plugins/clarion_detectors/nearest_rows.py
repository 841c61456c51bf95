"""Mean squared distance to the nearest reference rows: what the detectors by distance fit."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Self

import numpy as np

from clarion.arrays import FloatArray
from clarion.errors import ArtifactCorruptError
from clarion.frames import Frame, Signal
from clarion.inputs import complete, scaled
from clarion.kernels.neighbours import Blocks, blocks_of, compact_order, nearest
from clarion.kernels.sums import row_sums
from clarion.state import State, signal_values

_VERSION = 1


@dataclass(frozen=True, slots=True, eq=False)
class FittedNeighbours:
    """The reference rows, in the coordinates ``u = (x - center) / scale``.

    Attributes
    ----------
    center, scale
        Shape ``(d,)``, in each signal's unit.
    reference
        Shape ``(m, d)``, unitless, in the order of `compact_order`.
    """

    signals: tuple[Signal, ...]
    neighbour_count: int
    center: FloatArray
    scale: FloatArray
    reference: FloatArray
    blocks: Blocks = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Lay the reference rows out for the kernel."""
        object.__setattr__(self, "blocks", blocks_of(self.reference))

    def score(self, frame: Frame) -> FloatArray:
        """Return the mean squared distance to the nearest reference rows, ``(n,)``: unitless.

        A row that is itself a reference row is its own nearest neighbour.

        Raises
        ------
        SignalMismatchError, InvalidFrameError
            Other signals than those fitted, or a missing cell.
        """
        k = self.neighbour_count
        return row_sums(nearest(self.coordinates(frame), self.blocks, k)[0]) / k

    def coordinates(self, frame: Frame) -> FloatArray:
        """Return the scaled deviations ``u``, shape ``(n, d)``."""
        return scaled(complete(frame, self.signals), self.center, self.scale)

    def neighbours(self, frame: Frame) -> FloatArray:
        """Return each row's nearest reference rows, nearest first, shape ``(n, k, d)``."""
        _, rows = nearest(self.coordinates(frame), self.blocks, self.neighbour_count)
        return self.reference[rows]

    def state(self) -> State:
        """Return all that was learned."""
        parameters = {
            "signals": signal_values(self.signals),
            "neighbour_count": self.neighbour_count,
        }
        arrays = {"center": self.center, "scale": self.scale, "reference": self.reference}
        return State(_VERSION, parameters, arrays)

    @classmethod
    def from_state(cls, state: State) -> Self:
        """Return the fitted detector that ``state`` describes."""
        signals = state.require(_VERSION).signals()
        d, k = len(signals), state.parameter("neighbour_count", int)
        reference = state.array("reference", (-1, d))
        if not 1 <= k <= len(reference):
            raise ArtifactCorruptError(f"there are no {k} neighbours in {len(reference)} rows")
        return cls(signals, k, state.array("center", (d,)), state.array("scale", (d,)), reference)


def compact(points: FloatArray) -> FloatArray:
    """Return reference rows (m, d) in their `compact_order`."""
    return np.ascontiguousarray(points[compact_order(points)])
