"""Autoencoder: a network that learned to copy normal rows through a bottleneck copies others badly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from clarion.arrays import BoolArray, FloatArray
from clarion.detectors import DetectorTraits
from clarion.features import FitContext
from clarion.frames import Frame
from clarion.kernels.sums import row_sums
from clarion.parameters import parameter
from clarion_detectors.dense_score import DensePoints, FittedDense
from clarion_detectors.networks import Shapes, dense_shapes, dense_tensor, started
from clarion_detectors.training import Trained


@dataclass(frozen=True, slots=True, eq=False)
class FittedAutoencoder(FittedDense):
    """The network; ``hidden`` holds the units between its inputs and its outputs."""

    reach: ClassVar[float] = 10.0

    @classmethod
    def shapes(cls, d: int, hidden: Sequence[int]) -> Shapes:
        """Return the shapes of the weights: as many outputs as inputs."""
        return dense_shapes("layer", (d, *hidden, d))

    def residuals(self, frame: Frame) -> FloatArray:
        """Return ``u`` minus its reconstruction, shape ``(n, d)``, in scales.

        What lies beyond the network's reach is residual: it cannot be followed.
        """
        points = self.points(frame)
        return points - self.outputs(points)

    def score(self, frame: Frame) -> FloatArray:
        """Return the sum of the squared residuals, shape ``(n,)``: >= 0, unitless.

        Raises
        ------
        SignalMismatchError, InvalidFrameError
            Other signals than those fitted, or a missing cell.
        """
        return row_sums(np.square(self.residuals(frame)))

    def reconstruct(self, frame: Frame) -> FloatArray:
        """Return each row's reconstruction, in each signal's unit, shape ``(n, d)``."""
        return self.center + self.scale * self.outputs(self.points(frame))

    def coordinates(self, frame: Frame) -> FloatArray:
        """Return ``u``, shape ``(n, d)``."""
        return self.points(frame)

    def gradients(self, points: FloatArray) -> FloatArray:
        """Return the gradients of the score by ``u`` at ``points`` (n, d), shape ``(n, d)``."""
        copies, pull = self.outputs_pulled(points)
        by_residuals = 2.0 * (points - copies)
        followed = np.abs(points) <= self.reach
        return by_residuals - np.where(followed, pull(by_residuals), 0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Autoencoder(Trained):
    """Squared error of a row's reconstruction through a bottleneck."""

    traits: ClassVar[DetectorTraits] = DetectorTraits(
        paper="Hawkins et al. (2002), Outlier Detection Using Replicator Neural Networks, DaWaK"
    )
    fitted: ClassVar[type[FittedAutoencoder]] = FittedAutoencoder

    hidden: tuple[int, ...] = parameter(
        (64,),
        "Units of each layer before the bottleneck; after it they come in reverse.",
        minimum=1,
        maximum=4096,
    )
    code: int | None = parameter(
        None, "Units of the bottleneck; null for a quarter of the signals.", minimum=1, maximum=4096
    )

    def fit(self, frame: Frame, labels: BoolArray | None, context: FitContext) -> FittedAutoencoder:
        """Train the network on normal rows.

        Raises
        ------
        TooFewRowsError
            Fewer than 10 rows.
        LimitExceededError
            The network does not fit this machine's memory.
        MissingExtraError
            Torch is not installed.
        """
        d = len(frame.signals)
        code = max(1, round(d / 4)) if self.code is None else self.code
        hidden = (*self.hidden, code, *self.hidden[::-1])
        data = DensePoints.of(frame, FittedAutoencoder, hidden, self.batch_rows)
        initial = started(FittedAutoencoder.shapes(d, hidden), context.rng)
        rows = self.split(len(frame), context.rng)
        weights = self.train(initial, _loss, {"points": data.points}, rows, context)
        return FittedAutoencoder(frame.signals, data.center, data.scale, hidden, weights)


def _loss(weights: Mapping[str, Any], data: Mapping[str, Any], rows: Any) -> Any:
    points = data["points"][rows]
    return (dense_tensor(weights, "layer", points) - points).square().sum(1).mean()
