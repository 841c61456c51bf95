"""Networks as functions of named weights: the same layers for torch, which trains, and for kernels.

A network is a mapping from names to arrays (or tensors): ``hidden0.weights``, ``hidden0.biases``,
``hidden1.weights`` ... under a prefix such as ``hidden``. All units are leaky rectifiers, but for
the last of a network, which are linear.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from clarion.arrays import FloatArray
from clarion.errors import ArtifactCorruptError
from clarion.kernels.dense import dense_layer
from clarion.state import State

Shapes = dict[str, tuple[int, ...]]

SLOPE = 0.01
"""Of the leaky rectifiers below 0: Maas, Hannun & Ng (2013), ICML workshop."""
LINEAR = 1.0


def dense_shapes(prefix: str, widths: Sequence[int], *, biases: bool = True) -> Shapes:
    """Return the shapes of layers from ``widths[0]`` inputs to ``widths[-1]`` outputs."""
    shapes: Shapes = {}
    for i, (inputs, outputs) in enumerate(pairwise(widths)):
        shapes[f"{prefix}{i}.weights"] = (inputs, outputs)
        if biases:
            shapes[f"{prefix}{i}.biases"] = (outputs,)
    return shapes


def filter_shapes(prefix: str, channels: Sequence[int], size: tuple[int, int]) -> Shapes:
    """Return the shapes of convolutions from ``channels[0]`` to ``channels[-1]``, of odd ``size``."""
    shapes: Shapes = {}
    for i, (inputs, outputs) in enumerate(pairwise(channels)):
        shapes[f"{prefix}{i}.weights"] = (outputs, inputs, *size)
        shapes[f"{prefix}{i}.biases"] = (outputs,)
    return shapes


def started(shapes: Shapes, rng: np.random.Generator) -> dict[str, FloatArray]:
    """Return weights drawn for rectifiers, and biases of 0: He et al. (2015), ICCV, eq. 10."""
    return {
        name: np.zeros(shape)
        if name.endswith("biases")
        else rng.normal(scale=math.sqrt(2.0 / _inputs_of(shape)), size=shape)
        for name, shape in shapes.items()
    }


def restored(shapes: Shapes, state: State) -> dict[str, FloatArray]:
    """Return the weights that ``state`` holds, their shapes checked.

    Raises
    ------
    ArtifactCorruptError
        A weight is missing, of another shape or not finite.
    """
    return {name: state.array(name, shape) for name, shape in shapes.items()}


def stored_sizes(state: State, name: str) -> list[int]:
    """Return a parameter that lists whole numbers of at least 1.

    Raises
    ------
    ArtifactCorruptError
        It is anything else.
    """
    sizes = state.parameter(name, list)
    if not all(type(size) is int and size >= 1 for size in sizes):
        raise ArtifactCorruptError(f"the state's '{name}' are no sizes: {sizes!r:.80}")
    return sizes


def stored_size(state: State, name: str) -> int:
    """Return a parameter that is a whole number of at least 1, else raise ArtifactCorruptError."""
    size = {name: [state.parameter(name, int)]}
    return stored_sizes(State(state.version, size), name)[0]


def size_of(shapes: Shapes) -> int:
    """Return how many numbers a network holds."""
    return sum(math.prod(shape) for shape in shapes.values())


def dense(weights: Mapping[str, FloatArray], prefix: str, rows: FloatArray) -> FloatArray:
    """Return what the layers under ``prefix`` make of ``rows`` (n, d); the last one is linear."""
    for outputs in dense_layers(weights, prefix, rows):
        rows = outputs
    return rows


def dense_layers(
    weights: Mapping[str, FloatArray], prefix: str, rows: FloatArray
) -> Iterator[FloatArray]:
    """Yield the outputs of each layer in turn; the last are those of `dense`."""
    layers = _layers(weights, prefix)
    for i in range(layers):
        matrix = weights[f"{prefix}{i}.weights"]
        biases = weights.get(f"{prefix}{i}.biases", np.zeros(matrix.shape[1]))
        rows = dense_layer(rows, matrix, biases, LINEAR if i == layers - 1 else SLOPE)
        yield rows


def dense_tensor(weights: Mapping[str, Any], prefix: str, rows: Any) -> Any:
    """Return the same as `dense`, of tensors."""
    from torch.nn.functional import leaky_relu

    layers = _layers(weights, prefix)
    for i in range(layers):
        rows = rows @ weights[f"{prefix}{i}.weights"]
        if f"{prefix}{i}.biases" in weights:
            rows = rows + weights[f"{prefix}{i}.biases"]
        if i < layers - 1:
            rows = leaky_relu(rows, SLOPE)
    return rows


def filtered(
    weights: Mapping[str, FloatArray], layer: str, images: FloatArray, stride: int, slope: float
) -> FloatArray:
    """Return one convolution of ``images``, shape ``(n, lines, columns, channels)``.

    Pixels beyond the edge are 0; lines and columns become a ``stride``-th, rounded up.
    """
    kernels, biases = weights[f"{layer}.weights"], weights[f"{layer}.biases"]
    filters, _, *size = kernels.shape
    edges = ((0, 0), *((length // 2, length // 2) for length in size), (0, 0))
    # Each pixel with those around it is a row of a dense layer, whose sums have a fixed order.
    around = sliding_window_view(np.pad(images, edges), size, axis=(1, 2))[:, ::stride, ::stride]
    rows = around.reshape(-1, kernels[0].size)
    matrix = np.ascontiguousarray(kernels.reshape(filters, -1).T)
    return dense_layer(rows, matrix, biases, slope).reshape(*around.shape[:3], filters)


def filtered_tensor(
    weights: Mapping[str, Any], layer: str, images: Any, stride: int, slope: float
) -> Any:
    """Return the same as `filtered`, of tensors, shape ``(n, channels, lines, columns)``."""
    from torch.nn.functional import conv2d, leaky_relu

    kernels, biases = weights[f"{layer}.weights"], weights[f"{layer}.biases"]
    padding = (kernels.shape[2] // 2, kernels.shape[3] // 2)
    return leaky_relu(conv2d(images, kernels, biases, stride=stride, padding=padding), slope)


def _layers(weights: Mapping[str, Any], prefix: str) -> int:
    return sum(name.startswith(prefix) and name.endswith(".weights") for name in weights)


def _inputs_of(shape: tuple[int, ...]) -> int:
    """Return how many inputs one unit has: of a layer (inputs, outputs), or of a filter."""
    return shape[0] if len(shape) == 2 else math.prod(shape[1:])
