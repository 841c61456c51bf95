"""The convolutional autoencoder of pictures: for torch, which trains it, and for kernels."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from clarion.arrays import FloatArray, Int64Array
from clarion_detectors.network_gradients import Pull, dense_pulled, filtered_pulled
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
        for i, size in enumerate(self.sizes[-2::-1]):
            slope = LINEAR if i == layers - 1 else SLOPE
            images = filtered(weights, f"decoder{i}", _enlarged(images, size), 1, slope)
        return images.reshape(shape)

    def copied_pulled(
        self, weights: Mapping[str, FloatArray], images: FloatArray
    ) -> tuple[FloatArray, Pull]:
        """Return the copies, and the way back: from gradients by them to those by ``images``."""
        layers = len(self.filters)
        pulls: list[Pull] = []
        for i in range(layers):
            images, pull = filtered_pulled(weights, f"encoder{i}", images, 2, SLOPE)
            pulls.append(pull)
        images, pull = self._coded_pulled(weights, images)
        pulls.append(pull)
        for i, size in enumerate(self.sizes[-2::-1]):
            slope, small = LINEAR if i == layers - 1 else SLOPE, images.shape[1:3]
            large = _enlarged(images, size)
            images, pull = filtered_pulled(weights, f"decoder{i}", large, 1, slope)
            pulls += [partial(_reduced, size=small), pull]

        def back(by_copies: FloatArray) -> FloatArray:
            for pull in reversed(pulls):
                by_copies = pull(by_copies)
            return by_copies

        return images, back

    def _coded_pulled(
        self, weights: Mapping[str, FloatArray], images: FloatArray
    ) -> tuple[FloatArray, Pull]:
        """Return what the bottleneck makes of the smallest images, and the way back."""
        n, shape = len(images), images.shape
        flat, pull = dense_pulled(weights, "code", images.reshape(n, -1))
        return flat.reshape(shape), lambda by: pull(by.reshape(n, -1)).reshape(shape)

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


def _enlarged(images: FloatArray, size: tuple[int, int]) -> FloatArray:
    """Return images (n, lines, columns, channels) of another ``size``, each pixel some times."""
    rows, columns = (_nearest(*both) for both in zip(images.shape[1:3], size, strict=True))
    return images[:, rows][:, :, columns]


def _reduced(images: FloatArray, *, size: tuple[int, int]) -> FloatArray:
    """Return images of a smaller ``size``: sums over the pixels that `_enlarged` makes of one."""
    for axis, small in enumerate(size, start=1):
        starts = np.searchsorted(_nearest(small, images.shape[axis]), np.arange(small))
        images = np.add.reduceat(images, starts, axis=axis)
    return images


def _nearest(small: int, large: int) -> Int64Array:
    """Return which of ``small`` places each of ``large`` ones is a copy of."""
    return np.asarray(np.arange(large) * small // large)
