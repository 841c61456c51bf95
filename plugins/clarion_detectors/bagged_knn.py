"""Bagged kNN: nearest neighbours in several small samples, so that a few bad rows do little harm."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Self

import numpy as np

from clarion.arrays import BoolArray, FloatArray
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


@dataclass(frozen=True, slots=True, eq=False)
class FittedBaggedKnn:
    """Samples of reference rows, in the coordinates ``u = (x - center) / scale``.

    Attributes
    ----------
    center, scale
        Shape ``(d,)``, in each signal's unit.
    samples
        Shape ``(bags, m, d)``, unitless, each in the order of `compact_order`.
    """

    signals: tuple[Signal, ...]
    neighbour_count: int
    center: FloatArray
    scale: FloatArray
    samples: FloatArray
    blocks: tuple[Blocks, ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Lay the samples out for the kernel."""
        object.__setattr__(self, "blocks", tuple(blocks_of(rows) for rows in self.samples))

    def score(self, frame: Frame) -> FloatArray:
        """Return the mean squared distance to each sample's nearest rows, ``(n,)``: unitless.

        Raises
        ------
        SignalMismatchError, InvalidFrameError
            Other signals than those fitted, or a missing cell.
        """
        points, k = self.coordinates(frame), self.neighbour_count
        distances = [nearest(points, blocks, k)[0] for blocks in self.blocks]
        return row_sums(np.hstack(distances)) / (k * len(self.blocks))

    def coordinates(self, frame: Frame) -> FloatArray:
        """Return the scaled deviations ``u``, shape ``(n, d)``."""
        return scaled(complete(frame, self.signals), self.center, self.scale)

    def neighbours(self, frame: Frame) -> FloatArray:
        """Return the nearest rows of every sample, shape ``(n, bags * k, d)``."""
        points, k = self.coordinates(frame), self.neighbour_count
        found = [
            rows[nearest(points, blocks, k)[1]]
            for rows, blocks in zip(self.samples, self.blocks, strict=True)
        ]
        return np.concatenate(found, axis=1)

    def state(self) -> State:
        """Return all that was learned."""
        parameters = {
            "signals": signal_values(self.signals),
            "neighbour_count": self.neighbour_count,
        }
        arrays = {"center": self.center, "scale": self.scale, "samples": self.samples}
        return State(_VERSION, parameters, arrays)

    @classmethod
    def from_state(cls, state: State) -> Self:
        """Return the fitted detector that ``state`` describes."""
        signals = state.require(_VERSION).signals()
        d, k = len(signals), state.parameter("neighbour_count", int)
        samples = state.array("samples", (-1, -1, d))
        if not len(samples) or not 1 <= k <= samples.shape[1]:
            raise ArtifactCorruptError(f"there are no {k} neighbours in {samples.shape[1]} rows")
        return cls(signals, k, state.array("center", (d,)), state.array("scale", (d,)), samples)


@dataclass(frozen=True, slots=True, kw_only=True)
class BaggedKnn:
    """Mean squared distance to the k nearest rows, averaged over samples of the fitted rows.

    For a fit on rows that nobody has vetted: an anomaly among them is in few samples only.
    """

    traits: ClassVar[DetectorTraits] = DetectorTraits(
        paper="Aggarwal & Sathe (2015), SIGKDD Explorations 17(1), section 3"
    )
    fitted: ClassVar[type[FittedBaggedKnn]] = FittedBaggedKnn

    neighbours: int = parameter(3, "Nearest rows averaged over.", minimum=1, maximum=1000)
    bags: int = parameter(10, "Number of samples.", minimum=1, maximum=200)
    share: float = parameter(
        0.25, "Share of the fitted rows in each sample.", exclusive_minimum=0.0, maximum=1.0
    )
    max_reference_rows: int = parameter(
        5_000, "Rows in each sample, at most.", minimum=1, maximum=100_000
    )

    def fit(self, frame: Frame, labels: BoolArray | None, context: FitContext) -> FittedBaggedKnn:
        """Draw the samples.

        Raises
        ------
        TooFewRowsError
            A sample would have fewer rows than neighbours.
        LimitExceededError
            More samples than this machine's memory holds.
        """
        values = complete(frame, frame.signals)
        size = min(int(self.share * len(frame)), self.max_reference_rows)
        require_rows(size, self.neighbours, f"a mean over {self.neighbours} neighbours in a sample")
        held = 4 * 8.0 * self.bags * size * values.shape[1]
        require_memory(held, f"{self.bags} samples of {size} rows")
        center, scale = robust_scale(values)
        points = scaled(values, center, scale)
        samples = [
            compact(points[sampled_rows(len(points), size, context.rng)]) for _ in range(self.bags)
        ]
        return FittedBaggedKnn(frame.signals, self.neighbours, center, scale, np.stack(samples))
