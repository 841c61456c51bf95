"""Image autoencoder: a network that learned to copy normal pictures copies a defect badly.

A picture is a row of numeric signals, one a pixel, line by line (``p0_0``, ``p0_1`` ...); colours of
a pixel stand side by side. So pictures travel, are stored and are explained as every frame is.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np

from clarion.arrays import BoolArray, FloatArray
from clarion.detectors import DetectorTraits
from clarion.errors import ArtifactCorruptError, InvalidParameterError
from clarion.features import FitContext
from clarion.frames import Frame, Signal
from clarion.inputs import complete, require_rows, robust_scale, scaled
from clarion.kernels.sums import row_sums
from clarion.parameters import parameter
from clarion.state import State, signal_values
from clarion_detectors.dense_score import FEWEST_ROWS
from clarion_detectors.image_network import ImageNetwork
from clarion_detectors.networks import restored, size_of, started, stored_size, stored_sizes
from clarion_detectors.training import Trained, require_training_memory

_VERSION = 1
_REACH = 10.0
"""Deviations that the network is shown at most, in scales; it learned nothing of larger ones."""
_BLOCK_UNITS = 2**20
"""Numbers that a network computes at once, about: filters are given nine times as many."""


@dataclass(frozen=True, slots=True, eq=False)
class FittedImageAutoencoder:
    """The network, in the coordinates ``u = (pixel - center) / scale``.

    Attributes
    ----------
    center, scale
        Shape ``(d,)``: the mean picture, and how much each pixel varies; in grey levels.
    weights
        By name, as `ImageNetwork.shapes` lays them out.
    """

    signals: tuple[Signal, ...]
    center: FloatArray
    scale: FloatArray
    network: ImageNetwork
    weights: Mapping[str, FloatArray]

    def coordinates(self, frame: Frame) -> FloatArray:
        """Return ``u``, shape ``(n, d)``."""
        return scaled(complete(frame, self.signals), self.center, self.scale)

    def residuals(self, frame: Frame) -> FloatArray:
        """Return ``u`` minus its copy, shape ``(n, d)``, in scales: where a picture is strange."""
        return self._in_blocks(self._residuals, self.coordinates(frame))

    def reconstruct(self, frame: Frame) -> FloatArray:
        """Return each picture's copy, in grey levels, shape ``(n, d)``."""
        return self.center + self.scale * (self.coordinates(frame) - self.residuals(frame))

    def score(self, frame: Frame) -> FloatArray:
        """Return the sum of the squared residuals, shape ``(n,)``: >= 0, unitless.

        Raises
        ------
        SignalMismatchError, InvalidFrameError
            Other signals than those fitted, or a missing cell.
        """
        return row_sums(np.square(self.residuals(frame)))

    def gradients(self, points: FloatArray) -> FloatArray:
        """Return the gradients of the score by ``u`` at ``points`` (n, d), shape ``(n, d)``."""
        return self._in_blocks(self._gradients, points)

    def _in_blocks(
        self, compute: Callable[[FloatArray], FloatArray], points: FloatArray
    ) -> FloatArray:
        block = max(1, _BLOCK_UNITS // self.network.units())
        parts = [compute(points[i : i + block]) for i in range(0, len(points), block)]
        return np.concatenate([np.empty((0, points.shape[1])), *parts])

    def _residuals(self, points: FloatArray) -> FloatArray:
        copies = self.network.copied(self.weights, self._shown(points))
        return points - copies.reshape(points.shape)

    def _gradients(self, points: FloatArray) -> FloatArray:
        copies, pull = self.network.copied_pulled(self.weights, self._shown(points))
        by_residuals = 2.0 * (points - copies.reshape(points.shape))
        by_shown = -pull(by_residuals.reshape(copies.shape)).reshape(points.shape)
        return by_residuals + np.where(np.abs(points) <= _REACH, by_shown, 0.0)

    def _shown(self, points: FloatArray) -> FloatArray:
        """Return pictures (n, lines, columns, channels) within the network's reach."""
        size = (self.network.lines, self.network.columns, self.network.channels)
        return np.clip(points, -_REACH, _REACH).reshape(-1, *size)

    def state(self) -> State:
        """Return all that was learned."""
        parameters = {
            "signals": signal_values(self.signals),
            "columns": self.network.columns,
            "channels": self.network.channels,
            "filters": list(self.network.filters),
            "code": self.network.code,
        }
        arrays = {"center": self.center, "scale": self.scale, **self.weights}
        return State(_VERSION, parameters, arrays)

    @classmethod
    def from_state(cls, state: State) -> Self:
        """Return the fitted detector that ``state`` describes."""
        signals = state.require(_VERSION).signals()
        columns, channels, code = (stored_size(state, n) for n in ("columns", "channels", "code"))
        lines, rest = divmod(len(signals), columns * channels)
        if rest:
            raise ArtifactCorruptError(f"{len(signals)} pixels are no lines of {columns}")
        filters = tuple(stored_sizes(state, "filters"))
        network = ImageNetwork(lines, columns, channels, filters, code)
        center, scale = (state.array(name, (len(signals),)) for name in ("center", "scale"))
        return cls(signals, center, scale, network, restored(network.shapes(), state))


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageAutoencoder(Trained):
    """Squared error of a picture's reconstruction by a convolutional autoencoder."""

    traits: ClassVar[DetectorTraits] = DetectorTraits(
        paper="Masci et al. (2011), Stacked Convolutional Auto-Encoders, ICANN; for defects "
        "Bergmann et al. (2019), VISAPP, with squared errors"
    )
    fitted: ClassVar[type[FittedImageAutoencoder]] = FittedImageAutoencoder

    epochs: int = parameter(
        40, "Passes over the rows, at most.", minimum=1, maximum=100_000, unit="passes"
    )
    batch_rows: int = parameter(
        128, "Rows behind each step of training.", minimum=1, maximum=100_000, unit="rows"
    )
    width: int | None = parameter(
        None,
        "Pixels a line; null for a square picture, or one line where the pixels make no square.",
        minimum=1,
        maximum=65_536,
        unit="pixels",
    )
    channels: int = parameter(
        1, "Numbers a pixel: 1 for grey, 3 for colours.", minimum=1, maximum=64
    )
    filters: tuple[int, ...] = parameter(
        (8, 16),
        "Filters of each layer, after which a picture has half as many lines and columns.",
        minimum=1,
        maximum=512,
    )
    code: int | None = parameter(
        None,
        "Units of the bottleneck; null for a quarter of the pixels, at most 32.",
        minimum=1,
        maximum=4096,
    )

    def fit(
        self, frame: Frame, labels: BoolArray | None, context: FitContext
    ) -> FittedImageAutoencoder:
        """Train the network on normal pictures.

        Raises
        ------
        InvalidParameterError
            The pixels do not fill whole lines of ``width``.
        TooFewRowsError
            Fewer than 10 pictures.
        LimitExceededError
            The network does not fit this machine's memory.
        MissingExtraError
            Torch is not installed.
        """
        values = complete(frame, frame.signals)
        require_rows(len(values), FEWEST_ROWS, "training a network")
        network = self._network(values.shape[1])
        shapes = network.shapes()
        require_training_memory(size_of(shapes), network.units(), values.size, self.batch_rows)
        center, scale = robust_scale(values)
        images = np.clip(scaled(values, center, scale), -_REACH, _REACH)
        size = (network.lines, network.columns, network.channels)
        images = np.moveaxis(images.reshape(-1, *size), -1, 1)

        def loss(weights: Mapping[str, Any], data: Mapping[str, Any], rows: Any) -> Any:
            shown = data["images"][rows]
            return (network.copied_tensor(weights, shown) - shown).square().flatten(1).sum(1).mean()

        rows = self.split(len(images), context.rng)
        initial = started(shapes, context.rng)
        weights = self.train(initial, loss, {"images": images}, rows, context)
        return FittedImageAutoencoder(frame.signals, center, scale, network, weights)

    def _network(self, d: int) -> ImageNetwork:
        pixels, rest = divmod(d, self.channels)
        square = math.isqrt(pixels) ** 2 == pixels
        columns = self.width or (math.isqrt(pixels) if square else pixels)
        if rest or not pixels or pixels % columns:
            name = "channels" if rest or not pixels else "width"
            raise InvalidParameterError(
                f"{d} signals do not fill whole lines of {columns} pixels of {self.channels} "
                "channels; send every pixel as one signal, line by line",
                field=f"parameters.{name}",
                parameter=name,
            )
        code = self.code or min(32, max(1, d // 4))
        return ImageNetwork(pixels // columns, columns, self.channels, self.filters, code)
