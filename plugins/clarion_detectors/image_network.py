"""The convolutional autoencoder of pictures: for torch, which trains it, and for kernels."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from clarion.arrays import FloatArray
from clarion_detectors.networks import (
    LINEAR,
    SLOPE,
    Shapes,
    dense,
    dense_shapes,
    dense_tensor,
    filter_shapes,
    filtered,
    filtered_tensor,
)

_SIZE = (3, 3)
"""Of every filter, in pixels."""


@dataclass(frozen=True, slots=True)
class ImageNetwork:
    """Layers that halve a picture, a bottleneck, and the same layers in reverse.

    Attributes
    ----------
    lines, columns, channels
        Size of a picture.
    filters
        Filters of each halving layer.
    code
        Units of the bottleneck.
    """

    lines: int
    columns: int
    channels: int
    filters: tuple[int, ...]
    code: int

    @property
    def sizes(self) -> list[tuple[int, int]]:
        """Lines and columns before and after each halving, rounded up."""
        sizes = [(self.lines, self.columns)]
        for _ in self.filters:
            sizes.append(((sizes[-1][0] + 1) // 2, (sizes[-1][1] + 1) // 2))
        return sizes

    @property
    def smallest(self) -> tuple[int, int, int]:
        """Lines, columns and channels in front of the bottleneck."""
        return (*self.sizes[-1], (self.channels, *self.filters)[-1])

    def shapes(self) -> Shapes:
        """Return the shapes of the weights."""
        flat = math.prod(self.smallest)
        return {
            **filter_shapes("encoder", (self.channels, *self.filters), _SIZE),
            **dense_shapes("code", (flat, self.code, flat)),
            **filter_shapes("decoder", (*self.filters[::-1], self.channels), _SIZE),
        }

    def units(self) -> int:
        """Return how many numbers are computed for one picture."""
        pixels = [lines * columns for lines, columns in self.sizes]
        return 4 * sum(p * f for p, f in zip(pixels, (*self.filters, 0), strict=True)) + self.code

    def copied(self, weights: Mapping[str, FloatArray], images: FloatArray) -> FloatArray:
        """Return the copies of ``images``, shape ``(n, lines, columns, channels)``."""
        n, layers, shape = len(images), len(self.filters), images.shape
        for i in range(layers):
            images = filtered(weights, f"encoder{i}", images, 2, SLOPE)
        images = dense(weights, "code", images.reshape(n, -1)).reshape(n, *self.smallest)
        for i, (lines, columns) in enumerate(self.sizes[-2::-1]):
            rows = np.arange(lines) * images.shape[1] // lines
            enlarged = images[:, rows][:, :, np.arange(columns) * images.shape[2] // columns]
            slope = LINEAR if i == layers - 1 else SLOPE
            images = filtered(weights, f"decoder{i}", enlarged, 1, slope)
        return images.reshape(shape)

    def copied_tensor(self, weights: Mapping[str, Any], images: Any) -> Any:
        """Return the same, of tensors of shape ``(n, channels, lines, columns)``."""
        from torch.nn.functional import interpolate

        layers = len(self.filters)
        for i in range(layers):
            images = filtered_tensor(weights, f"encoder{i}", images, 2, SLOPE)
        codes = images.permute(0, 2, 3, 1).flatten(1)
        images = dense_tensor(weights, "code", codes).unflatten(1, self.smallest)
        images = images.permute(0, 3, 1, 2)
        for i, size in enumerate(self.sizes[-2::-1]):
            slope = LINEAR if i == layers - 1 else SLOPE
            images = filtered_tensor(weights, f"decoder{i}", interpolate(images, size), 1, slope)
        return images
