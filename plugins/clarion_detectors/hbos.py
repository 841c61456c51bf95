"""HBOS: how rare a row's values are in the histograms of the signals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from clarion.arrays import BoolArray, FloatArray
from clarion.detectors import DetectorTraits
from clarion.errors import ArtifactCorruptError
from clarion.features import FitContext
from clarion.frames import Frame, Signal
from clarion.inputs import complete, require_rows, robust_scale
from clarion.kernels.sums import row_sums
from clarion.parameters import parameter
from clarion.state import State, signal_values

_VERSION = 1


@dataclass(frozen=True, slots=True, eq=False)
class FittedHbos:
    """The histograms.

    Attributes
    ----------
    edges
        Shape ``(d, bins + 1)``: ascending, in each signal's unit.
    surprise
        Shape ``(d, bins + 2)``: -log of the share of rows in each bin, the first and the last for
        values below and above all bins.
    """

    signals: tuple[Signal, ...]
    edges: FloatArray
    surprise: FloatArray

    def terms(self, frame: Frame) -> FloatArray:
        """Return each signal's -log of its bin's share, shape ``(n, d)``: >= 0, in nats.

        Raises
        ------
        SignalMismatchError, InvalidFrameError
            Other signals than those fitted, or a missing cell.
        """
        values = complete(frame, self.signals)
        out = np.empty(values.shape)
        for j, (edges, surprise) in enumerate(zip(self.edges, self.surprise, strict=True)):
            bins = np.searchsorted(edges, values[:, j], side="right")
            bins[values[:, j] == edges[-1]] = len(edges) - 1  # the last bin holds its upper edge
            out[:, j] = surprise[bins]
        return out

    def score(self, frame: Frame) -> FloatArray:
        """Return the sum of the terms, shape ``(n,)``: >= 0, in nats."""
        return row_sums(self.terms(frame))

    def state(self) -> State:
        """Return all that was learned."""
        arrays = {"edges": self.edges, "surprise": self.surprise}
        return State(_VERSION, {"signals": signal_values(self.signals)}, arrays)

    @classmethod
    def from_state(cls, state: State) -> Self:
        """Return the fitted detector that ``state`` describes."""
        signals = state.require(_VERSION).signals()
        edges = state.array("edges", (len(signals), -1))
        if edges.shape[1] < 2 or (np.diff(edges, axis=1) <= 0).any():
            raise ArtifactCorruptError("the state's array 'edges' does not ascend", array="edges")
        return cls(signals, edges, state.array("surprise", (len(signals), edges.shape[1] + 1)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Hbos:
    """Sum over the signals of -log of the share of rows in the value's histogram bin."""

    traits: ClassVar[DetectorTraits] = DetectorTraits(
        paper="Goldstein & Dengel (2012), Histogram-based Outlier Score, KI, section 3"
    )
    fitted: ClassVar[type[FittedHbos]] = FittedHbos

    bins: int = parameter(20, "Bins of equal width for each signal.", minimum=2, maximum=1000)

    def fit(self, frame: Frame, labels: BoolArray | None, context: FitContext) -> FittedHbos:
        """Learn the histograms of normal rows.

        Raises
        ------
        TooFewRowsError
            Fewer than 2 rows.
        """
        values = complete(frame, frame.signals)
        require_rows(len(frame), 2, "a histogram")
        _, scale = robust_scale(values)
        low, high = values.min(axis=0), values.max(axis=0)
        # A constant signal gets one narrow bin of its own in the middle.
        flat = (high - low) <= 1e-9 * scale
        low, high = np.where(flat, low - scale, low), np.where(flat, high + scale, high)
        steps = np.linspace(0.0, 1.0, self.bins + 1)
        edges = low[:, None] + (high - low)[:, None] * steps
        return FittedHbos(frame.signals, edges, self._surprise(values, edges))

    def _surprise(self, values: FloatArray, edges: FloatArray) -> FloatArray:
        """Return -log shares; every bin, and the outside, is counted once more than it was seen."""
        counts = np.zeros((len(edges), self.bins + 2))
        for j, column in enumerate(edges):
            counts[j, 1:-1] = np.histogram(values[:, j], column)[0]
        return np.asarray(-np.log((counts + 1.0) / (len(values) + self.bins + 2.0)))
