"""Gradients by Clarion's own kernels, against torch's, which share no line with them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from clarion.arrays import FloatArray
from clarion.features import FitContext
from clarion.frames import Frame
from clarion.kernels.sigmoid_autoencoder import copy_error_gradients, copy_errors
from clarion.registry import Registries
from clarion_detectors.autoencoder import Autoencoder
from clarion_detectors.cnn import Convolutions
from clarion_detectors.deep_sad import DeepSad
from clarion_detectors.dnn import Dnn
from clarion_detectors.forecast_score import ForecastNetwork
from clarion_detectors.image_autoencoder import ImageAutoencoder
from clarion_detectors.image_network import ImageNetwork
from clarion_detectors.kitnet import Kitnet
from clarion_detectors.network_gradients import dense_pulled, filtered_pulled
from clarion_detectors.networks import (
    SLOPE,
    dense_shapes,
    dense_tensor,
    filter_shapes,
    filtered_tensor,
)
from clarion_detectors.rnn import Recurrence

torch = pytest.importorskip("torch", reason="the extra 'deep' is not installed")

Weights = dict[str, FloatArray]


def drawn(rng: np.random.Generator, shapes: dict[str, tuple[int, ...]]) -> Weights:
    return {name: rng.normal(size=shape) for name, shape in shapes.items()}


def by_torch(
    compute: Callable[[dict[str, Any], Any], Any],
    weights: Weights,
    inputs: FloatArray,
    by_outputs: FloatArray,
) -> FloatArray:
    """Return the gradient of ``sum(by_outputs * outputs)`` by ``inputs``."""
    tensors = {name: torch.tensor(weight) for name, weight in weights.items()}
    given = torch.tensor(inputs, requires_grad=True)
    (compute(tensors, given) * torch.tensor(by_outputs)).sum().backward()
    gradient: FloatArray = given.grad.numpy()
    return gradient


def require_close(got: FloatArray, wanted: FloatArray) -> None:
    assert got.shape == wanted.shape
    np.testing.assert_allclose(got, wanted, rtol=1e-9, atol=1e-11 * np.abs(wanted).max())
    assert np.abs(wanted).max() > 1e-3


@pytest.mark.parametrize("biases", [True, False])
@pytest.mark.parametrize("widths", [(6, 9, 4, 3), (5, 1), (3, 7, 1)])
def test_dense_layers(rng: np.random.Generator, widths: tuple[int, ...], biases: bool) -> None:
    weights = drawn(rng, dense_shapes("layer", widths, biases=biases))
    rows, by_outputs = rng.normal(size=(20, widths[0])), rng.normal(size=(20, widths[-1]))
    _, pull = dense_pulled(weights, "layer", rows)
    wanted = by_torch(lambda w, x: dense_tensor(w, "layer", x), weights, rows, by_outputs)
    require_close(pull(by_outputs), wanted)


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("size", [(3, 3), (1, 3), (5, 1)])
@pytest.mark.parametrize(("lines", "columns"), [(7, 6), (1, 5), (8, 9)])
def test_filters(
    rng: np.random.Generator, stride: int, size: tuple[int, int], lines: int, columns: int
) -> None:
    weights = drawn(rng, filter_shapes("filter", (2, 5), size))
    images = rng.normal(size=(4, lines, columns, 2))
    outputs, pull = filtered_pulled(weights, "filter0", images, stride, SLOPE)
    by_outputs = rng.normal(size=outputs.shape)
    wanted = by_torch(
        lambda w, x: filtered_tensor(w, "filter0", x.permute(0, 3, 1, 2), stride, SLOPE).permute(
            0, 2, 3, 1
        ),
        weights,
        images,
        by_outputs,
    )
    require_close(pull(by_outputs), wanted)


@pytest.mark.parametrize(
    "network",
    [Convolutions((4, 6)), Convolutions(()), Recurrence("lstm", 5), Recurrence("gru", 5)],
    ids=str,
)
@pytest.mark.parametrize("lags", [1, 6])
def test_forecasts(rng: np.random.Generator, network: ForecastNetwork, lags: int) -> None:
    weights = drawn(rng, network.shapes(3, lags))
    past, by_forecast = rng.normal(size=(5, lags, 3)), rng.normal(size=(5, 3))
    forecast, pull = network.forecast_pulled(weights, past)
    assert forecast.tobytes() == network.forecast(weights, past).tobytes()
    wanted = by_torch(network.forecast_tensor, weights, past, by_forecast)
    require_close(pull(by_forecast), wanted)


@pytest.mark.parametrize(
    "network",
    [
        ImageNetwork(7, 6, 2, (4, 3), 5),
        ImageNetwork(1, 9, 1, (2, 2, 2), 3),
        ImageNetwork(8, 8, 1, (), 4),
        ImageNetwork(1, 1, 3, (2,), 1),
    ],
    ids=str,
)
def test_copies_of_images(rng: np.random.Generator, network: ImageNetwork) -> None:
    weights = drawn(rng, network.shapes())
    images = rng.normal(size=(5, network.lines, network.columns, network.channels))
    by_copies = rng.normal(size=images.shape)
    copies, pull = network.copied_pulled(weights, images)
    assert copies.tobytes() == network.copied(weights, images).tobytes()
    wanted = by_torch(
        lambda w, x: network.copied_tensor(w, x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1),
        weights,
        images,
        by_copies,
    )
    require_close(pull(by_copies), wanted)


def test_errors_of_sigmoid_copies(rng: np.random.Generator) -> None:
    rows, weights = rng.uniform(-1, 2, (20, 5)), rng.normal(size=(5, 2))
    inner, outer = rng.normal(size=2), rng.normal(size=5)
    given = torch.tensor(rows, requires_grad=True)
    matrix = torch.tensor(weights)
    code = torch.sigmoid(given @ matrix + torch.tensor(inner))
    copies = torch.sigmoid(code @ matrix.T + torch.tensor(outer))
    errors = (given - copies).square().mean(1).sqrt()
    errors.sum().backward()
    np.testing.assert_allclose(copy_errors(rows, weights, inner, outer), errors.detach().numpy())
    require_close(copy_error_gradients(rows, weights, inner, outer), given.grad.numpy())


def test_a_perfect_copy_has_no_slope() -> None:
    """Its error is at its kink."""
    nothing = np.zeros((1, 1)), np.zeros(1), np.zeros(1)
    assert copy_errors(np.array([[0.5]]), *nothing) == [0.0]
    assert copy_error_gradients(np.array([[0.5]]), *nothing) == [[0.0]]


@pytest.mark.parametrize(
    "detector",
    [Autoencoder(epochs=3), Dnn(epochs=3), DeepSad(epochs=3), ImageAutoencoder(epochs=2), Kitnet()],
    ids=lambda detector: type(detector).__name__,
)
def test_beyond_its_reach_only_a_residual_moves_the_score(
    rng: np.random.Generator, detector: Any
) -> None:
    """The score's own differences say so, row by row, near and far."""
    labels = np.arange(80) % 10 == 9
    fitted = detector.fit(Frame.of(rng.normal(size=(80, 4))), labels, FitContext(rng, Registries()))
    rows = rng.normal(size=(6, 4))
    rows[1, 2], rows[2, :2], rows[3] = 50.0, -1e4, 1e6
    rows[4, 3], rows[5, 0] = 1e14, -1e300
    points = fitted.coordinates(Frame.of(rows))
    gradients = fitted.gradients(points)
    assert np.isfinite(gradients).all()
    for column in range(4):
        step = 1e-5 * np.maximum(np.abs(rows[:, column]), 1.0)
        ends = []
        for sign in (-1, 1):
            moved = rows.copy()
            moved[:, column] += sign * step
            ends.append(Frame.of(moved))
        run = np.diff([fitted.coordinates(end)[:, column] for end in ends], axis=0)[0]
        rise = np.diff([fitted.score(end) for end in ends], axis=0)[0]
        rounding = 1e-14 * np.abs(fitted.score(Frame.of(rows)))
        off = np.abs(gradients[:, column] * run - rise)
        assert (off <= 1e-4 * np.abs(rise) + 1e-9 + 20 * rounding).all(), (column, off, rise)
