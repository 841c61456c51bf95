from __future__ import annotations

import numpy as np
import pytest

from clarion.errors import ArtifactCorruptError
from clarion.state import State
from clarion_detectors.networks import (
    SLOPE,
    dense,
    dense_shapes,
    dense_tensor,
    filter_shapes,
    filtered,
    filtered_tensor,
    restored,
    size_of,
    started,
    stored_sizes,
)

torch = pytest.importorskip("torch", reason="the extra 'deep' is not installed")


@pytest.mark.parametrize("biases", [True, False])
def test_the_kernels_compute_what_torch_trains(rng: np.random.Generator, biases: bool) -> None:
    weights = started(dense_shapes("layer", (6, 9, 4, 3), biases=biases), rng)
    weights |= {name: rng.normal(size=w.shape) for name, w in weights.items() if "biases" in name}
    rows = rng.normal(size=(20, 6))
    tensors = {name: torch.tensor(weight) for name, weight in weights.items()}
    trained = dense_tensor(tensors, "layer", torch.tensor(rows)).numpy()
    scored = dense(weights, "layer", rows)
    np.testing.assert_allclose(scored, trained, rtol=1e-12, atol=1e-12)
    assert (scored < 0).any()
    assert (np.abs(dense(weights, "layer", -rows) + scored) > 1e-3).any(), "no unit is rectified"


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize(("lines", "columns"), [(7, 6), (1, 5), (8, 8)])
def test_the_filters_compute_what_torch_trains(
    rng: np.random.Generator, stride: int, lines: int, columns: int
) -> None:
    weights = started(filter_shapes("filter", (2, 5), (3, 3)), rng)
    weights["filter0.biases"] = rng.normal(size=5)
    images = rng.normal(size=(4, 2, lines, columns))
    tensors = {name: torch.tensor(weight) for name, weight in weights.items()}
    trained = filtered_tensor(tensors, "filter0", torch.tensor(images), stride, SLOPE).numpy()
    scored = filtered(weights, "filter0", np.moveaxis(images, 1, -1), stride, SLOPE)
    scored = np.moveaxis(scored, -1, 1)
    np.testing.assert_allclose(scored, trained, rtol=1e-12, atol=1e-12)


def test_started_layers_keep_the_size_of_their_input(rng: np.random.Generator) -> None:
    shapes = dense_shapes("layer", (300, 400, 500))
    assert size_of(shapes) == 300 * 400 + 400 + 400 * 500 + 500
    rows = rng.normal(size=(50, 300))
    assert 1.0 < dense(started(shapes, rng), "layer", rows).std() < 2.0


@pytest.mark.parametrize(
    ("name", "array"),
    [
        ("layer0.weights", np.zeros((2, 4))),
        ("layer0.weights", np.full((2, 3), np.nan)),
        ("layer0.biases", np.zeros(4)),
        ("layer1.weights", np.zeros((3, 2), np.float32)),
    ],
)
def test_damaged_weights_are_refused(rng: np.random.Generator, name: str, array: object) -> None:
    shapes = dense_shapes("layer", (2, 3, 2))
    whole = State(1, {}, started(shapes, rng))
    assert restored(shapes, whole).keys() == shapes.keys()
    with pytest.raises(ArtifactCorruptError, match=name):
        restored(shapes, State(1, {}, {**whole.arrays, name: np.asarray(array)}))


@pytest.mark.parametrize("sizes", [[0], [-1], [2.5], ["3"], [True], "3", None])
def test_sizes_that_are_none_are_refused(sizes: object) -> None:
    with pytest.raises(ArtifactCorruptError, match="widths"):
        stored_sizes(State(1, {"widths": sizes}), "widths")
