"""Networks run backwards: gradients of what the kernels of `clarion_detectors.networks` compute.

Each function runs a part of a network, and returns its outputs with a `Pull`. Scores are made by
these kernels, in double precision and without torch; so are their gradients, row by row, which
torch neither promises to be the same in any batch nor is always there to compute.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from clarion.arrays import FloatArray
from clarion.kernels.dense import dense_layer
from clarion_detectors.networks import LINEAR, SLOPE, dense_layers, filtered

Pull = Callable[[FloatArray], FloatArray]
"""From the gradient of a number by some outputs, of their shape, to that by the inputs behind them.

Reverse mode: Rumelhart, Hinton & Williams (1986), Nature 323. At a rectifier's kink it is the
gradient above.
"""


def dense_pulled(
    weights: Mapping[str, FloatArray], prefix: str, rows: FloatArray
) -> tuple[FloatArray, Pull]:
    """Return what `networks.dense` makes of ``rows`` (n, d), and the way back."""
    outputs = list(dense_layers(weights, prefix, rows))

    def pull(by_outputs: FloatArray) -> FloatArray:
        for i in reversed(range(len(outputs))):
            slope = LINEAR if i == len(outputs) - 1 else SLOPE
            by_sums = _by_sums(by_outputs, outputs[i], slope)
            by_outputs = _through(by_sums, weights[f"{prefix}{i}.weights"].T)
        return by_outputs

    return outputs[-1], pull


def filtered_pulled(
    weights: Mapping[str, FloatArray], layer: str, images: FloatArray, stride: int, slope: float
) -> tuple[FloatArray, Pull]:
    """Return what `networks.filtered` makes of ``images`` (n, lines, columns, channels), and back."""
    outputs = filtered(weights, layer, images, stride, slope)
    kernels = weights[f"{layer}.weights"]
    filters, channels, *size = kernels.shape
    n, lines, columns, _ = outputs.shape

    def pull(by_outputs: FloatArray) -> FloatArray:
        by_sums = _by_sums(by_outputs, outputs, slope).reshape(-1, filters)
        around = _through(by_sums, kernels.reshape(filters, -1))
        around = around.reshape(n, lines, columns, channels, *size)
        before = [length // 2 for length in size]
        padded = (images.shape[1] + 2 * before[0], images.shape[2] + 2 * before[1])
        by_padded = np.zeros((n, *padded, channels))
        # Each pixel adds up what came of it at each place of the filter, in the order of places.
        for line in range(size[0]):
            for column in range(size[1]):
                down = slice(line, line + stride * (lines - 1) + 1, stride)
                across = slice(column, column + stride * (columns - 1) + 1, stride)
                by_padded[:, down, across] += around[..., line, column]
        inside = [slice(b, b + length) for b, length in zip(before, images.shape[1:3], strict=True)]
        return by_padded[:, inside[0], inside[1]]

    return outputs, pull


def _by_sums(by_outputs: FloatArray, outputs: FloatArray, slope: float) -> FloatArray:
    """Return the gradient by what the units summed; their outputs have the sign of the sums."""
    return by_outputs * np.where(outputs < 0, slope, 1.0)


def _through(rows: FloatArray, matrix: FloatArray) -> FloatArray:
    """Return ``rows matrix``, each row's sums in one order."""
    contiguous = np.ascontiguousarray(matrix)
    return dense_layer(np.ascontiguousarray(rows), contiguous, np.zeros(matrix.shape[1]), LINEAR)
