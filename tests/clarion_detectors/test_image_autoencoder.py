from __future__ import annotations

import sys
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.metrics import roc_auc_score

from clarion.arrays import BoolArray, FloatArray
from clarion.errors import (
    ArtifactCorruptError,
    InvalidParameterError,
    LimitExceededError,
    TooFewRowsError,
)
from clarion.explainers import Explainer, Scorable
from clarion.features import FitContext
from clarion.frames import Frame
from clarion.registry import Registries
from clarion.state import State
from clarion_detectors.image_autoencoder import FittedImageAutoencoder, ImageAutoencoder
from clarion_detectors.image_network import ImageNetwork
from clarion_explainers.expected_gradients import ExpectedGradients
from clarion_explainers.integrated_gradients import IntegratedGradients
from clarion_explainers.permutation_shap import PermutationShap

pytestmark = pytest.mark.usefixtures("deep")

LINES, COLUMNS = 12, 16


def frames(rng: np.random.Generator, n: int) -> FloatArray:
    """A bright part on a belt, seen by a camera: it lies a little elsewhere each time, in grey 0-255."""
    y, x = np.mgrid[:LINES, :COLUMNS]
    left, light = rng.uniform(2.0, 7.0, (n, 1, 1)), rng.uniform(0.9, 1.1, (n, 1, 1))
    across = np.clip(np.minimum(x - left, left + 7 - x) + 0.5, 0, 1)
    part = across * ((y >= 3) & (y < 9))
    pictures = light * (60 + 2 * y + 120 * part)
    noisy: FloatArray = pictures + 3 * rng.normal(size=pictures.shape)
    return noisy.reshape(n, -1)


def with_scratches(rng: np.random.Generator, pictures: FloatArray) -> tuple[FloatArray, BoolArray]:
    """Return the pictures with a scratch each, three lines of two pixels, and where it is."""
    scratched = pictures.reshape(-1, LINES, COLUMNS).copy()
    where = np.zeros(scratched.shape, np.bool_)
    for picture, mask in zip(scratched, where, strict=True):
        line, column = rng.integers(0, LINES - 3), rng.integers(0, COLUMNS - 2)
        mask[line : line + 3, column : column + 2] = True
        picture[mask] += rng.choice([-60.0, 60.0])
    return scratched.reshape(len(pictures), -1), where.reshape(len(pictures), -1)


@pytest.fixture(scope="module")
def fitted() -> FittedImageAutoencoder:
    pytest.importorskip("torch", reason="the extra 'deep' is not installed")
    rng = np.random.default_rng(5)
    context = FitContext(rng, Registries())
    return ImageAutoencoder(width=COLUMNS).fit(Frame.of(frames(rng, 1500)), None, context)


def test_scratches_are_found_and_lie_where_the_residuals_are(
    rng: np.random.Generator, fitted: FittedImageAutoencoder
) -> None:
    normal, (scratched, where) = frames(rng, 150), with_scratches(rng, frames(rng, 150))
    scores = fitted.score(Frame.of(np.vstack([normal, scratched])))
    assert roc_auc_score(np.repeat([0, 1], 150), scores) > 0.9
    residuals = np.abs(fitted.residuals(Frame.of(scratched)))
    brightest = residuals >= np.sort(residuals, axis=1)[:, [-6]]
    overlap = (brightest & where).sum(axis=1) / (brightest | where).sum(axis=1)
    assert np.mean(overlap) > 0.5  # 6 of 192 pixels drawn at random: 0.02


@pytest.mark.parametrize(
    "explainer",
    [PermutationShap(pairs=8), ExpectedGradients(), IntegratedGradients()],
    ids=lambda explainer: type(explainer).__name__,
)
def test_the_strongest_pixels_lie_on_the_scratch(
    rng: np.random.Generator, fitted: FittedImageAutoencoder, explainer: Explainer
) -> None:
    pictures = 3 if isinstance(explainer, PermutationShap) else 20
    scratched, where = with_scratches(rng, frames(rng, pictures))
    scorable = Scorable(fitted.score, Frame.of(frames(rng, 10)), fitted)
    support = explainer.supports(scorable)
    assert support is not None
    seeds = np.arange(1, pictures + 1, dtype=np.uint64)
    answer = explainer.explain(
        scorable, Frame.of(scratched), evaluations=support.evaluations, seeds=seeds
    )
    assert answer.additivity_error.max() <= 1e-9
    strongest = np.argsort(-answer.contributions, axis=1)[:, :6]
    hits = np.take_along_axis(where, strongest, axis=1).mean(axis=1)
    assert np.mean(hits) > 0.45  # 6 of 192 pixels drawn at random: 0.03


def test_other_digits_than_the_one_it_knows_stand_out(context: FitContext) -> None:
    digits = load_digits()
    known = np.flatnonzero(digits.target == 0)
    fitted = ImageAutoencoder().fit(Frame.of(digits.data[known[:120]]), None, context)
    assert (fitted.network.lines, fitted.network.columns, fitted.network.code) == (8, 8, 16)
    rows = np.concatenate([known[120:], np.flatnonzero(digits.target != 0)])
    scores = fitted.score(Frame.of(digits.data[rows]))
    assert roc_auc_score(digits.target[rows] != 0, scores) > 0.98


@pytest.mark.parametrize(
    "network",
    [
        ImageNetwork(7, 6, 2, (4, 3), 5),
        ImageNetwork(1, 9, 1, (2, 2, 2), 3),
        ImageNetwork(8, 8, 1, (), 4),
        ImageNetwork(1, 1, 3, (2,), 1),
        ImageNetwork(13, 5, 1, (3,), 2),
    ],
    ids=str,
)
def test_the_kernels_compute_what_torch_trains(
    rng: np.random.Generator, network: ImageNetwork
) -> None:
    import torch

    weights: dict[str, Any] = {
        name: rng.normal(size=shape) for name, shape in network.shapes().items()
    }
    images = rng.normal(size=(5, network.lines, network.columns, network.channels))
    tensors = {name: torch.tensor(weight) for name, weight in weights.items()}
    given = torch.tensor(np.moveaxis(images, -1, 1))
    trained = np.moveaxis(network.copied_tensor(tensors, given).numpy(), 1, -1)
    scored = network.copied(weights, images)
    assert scored.shape == images.shape
    np.testing.assert_allclose(scored, trained, rtol=1e-9, atol=1e-9 * np.abs(trained).max())


def test_it_scores_without_torch_and_in_any_batch(
    rng: np.random.Generator, fitted: FittedImageAutoencoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    frame, state = Frame.of(frames(rng, 1200)), fitted.state()
    wanted = fitted.score(frame)
    for name in [name for name in sys.modules if name.partition(".")[0] == "torch"]:
        monkeypatch.setitem(sys.modules, name, None)
    again = FittedImageAutoencoder.from_state(state)
    for i in (0, 1, 2, 500, 1198, 1199):
        alone = again.score(frame.take(slice(i, i + 1)))
        assert alone.tobytes() == wanted[i : i + 1].tobytes()
    assert np.isfinite(again.score(Frame.of(np.full((1, 192), 1.7e308)))).all()


@pytest.mark.parametrize(
    ("d", "options", "size"),
    [
        (64, {}, (8, 8, 1)),
        (60, {}, (1, 60, 1)),
        (64, {"width": 16}, (4, 16, 1)),
        (48, {"channels": 3}, (4, 4, 3)),
        (3, {"channels": 3}, (1, 1, 3)),
    ],
)
def test_a_picture_is_square_or_as_wide_as_said(
    d: int, options: dict[str, Any], size: tuple[int, int, int]
) -> None:
    network = ImageAutoencoder(**options)._network(d)
    assert (network.lines, network.columns, network.channels) == size


@pytest.mark.parametrize(
    ("options", "named"), [({"width": 7}, "width"), ({"channels": 5}, "channels")]
)
def test_pixels_that_fill_no_lines_are_refused(
    context: FitContext, options: dict[str, Any], named: str
) -> None:
    with pytest.raises(InvalidParameterError, match="do not fill whole lines") as error:
        ImageAutoencoder(**options).fit(Frame.of(np.zeros((20, 16))), None, context)
    assert error.value.field == f"parameters.{named}"


def test_what_cannot_be_fitted_is_said(rng: np.random.Generator, context: FitContext) -> None:
    pictures = rng.normal(size=(20, 16))
    with pytest.raises(TooFewRowsError, match="at least 10 rows"):
        ImageAutoencoder().fit(Frame.of(pictures[:9]), None, context)
    huge = ImageAutoencoder(filters=(512,) * 2000)
    with pytest.raises(LimitExceededError, match="GiB"):
        huge.fit(Frame.of(pictures), None, context)


def test_a_damaged_state_is_refused(fitted: FittedImageAutoencoder) -> None:
    state = fitted.state()
    for name, value in {"columns": 17, "channels": 0, "filters": [8, -1], "code": True}.items():
        with pytest.raises(ArtifactCorruptError):
            FittedImageAutoencoder.from_state(
                replace(state, parameters={**state.parameters, name: value})
            )
    for name, array in state.arrays.items():
        arrays = {**state.arrays, name: array[:-1]}
        with pytest.raises(ArtifactCorruptError, match=name):
            FittedImageAutoencoder.from_state(State(1, state.parameters, arrays))
