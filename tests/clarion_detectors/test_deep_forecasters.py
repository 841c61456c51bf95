"""What `cnn` and `rnn` promise alike."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from clarion.arrays import FloatArray
from clarion.errors import ArtifactCorruptError, LimitExceededError, TooFewRowsError
from clarion.features import FitContext
from clarion.frames import Asset, Frame
from clarion.registry import Registries
from clarion.state import State
from clarion_detectors.cnn import Cnn, Convolutions
from clarion_detectors.forecast_score import FittedForecaster, ForecastNetwork
from clarion_detectors.rnn import Recurrence, Rnn

pytestmark = pytest.mark.usefixtures("deep")

DETECTORS: list[Cnn | Rnn] = [Cnn(), Rnn(), Rnn(cell="gru")]
NETWORKS = [Convolutions((4, 6)), Convolutions(()), Recurrence("lstm", 5), Recurrence("gru", 5)]


def wave(rng: np.random.Generator, rows: int, period: float = 17.0) -> FloatArray:
    """Two signals that follow a wave, each a quarter of a period apart."""
    phase = 2 * np.pi * (np.arange(rows) / period + rng.uniform())
    return np.column_stack([np.sin(phase), np.cos(phase)]) + 0.05 * rng.normal(size=(rows, 2))


@pytest.fixture(scope="module", params=DETECTORS, ids=["cnn", "lstm", "gru"])
def fitted(request: pytest.FixtureRequest) -> FittedForecaster:
    pytest.importorskip("torch", reason="the extra 'deep' is not installed")
    rng = np.random.default_rng(5)
    detector: Cnn | Rnn = request.param
    return detector.fit(Frame.of(wave(rng, 800)), None, FitContext(rng, Registries()))


def scores_of(fitted: FittedForecaster, values: FloatArray) -> FloatArray:
    return fitted.score(fitted.unroll(fitted.start(), Frame.of(values))[0].frame)


def test_the_next_row_is_foretold(rng: np.random.Generator, fitted: FittedForecaster) -> None:
    values = wave(rng, 300)
    errors = scores_of(fitted, values)
    points = (values - fitted.center) / fitted.scale
    persistence = np.square(np.diff(points, axis=0)).sum(axis=1)[9:]
    assert len(errors) == 290
    assert np.median(errors) < 0.25 * np.median(persistence)


def test_a_change_of_rhythm_is_found_that_no_single_row_shows(
    rng: np.random.Generator, fitted: FittedForecaster
) -> None:
    usual, faster = scores_of(fitted, wave(rng, 300)), scores_of(fitted, wave(rng, 300, period=9.0))
    assert roc_auc_score(np.repeat([0, 1], 290), np.concatenate([usual, faster])) > 0.95


def test_the_largest_residual_names_the_signal(
    rng: np.random.Generator, fitted: FittedForecaster
) -> None:
    values = wave(rng, 60)
    values[40, 1] += 2.0
    unrolled = fitted.unroll(fitted.start(), Frame.of(values))[0]
    residuals = fitted.residuals(unrolled.frame)[unrolled.source_rows == 40]
    assert np.argmax(np.abs(residuals)) == 1
    assert 1.0 < residuals[0, 1] * fitted.scale[1] < 3.0


@pytest.mark.parametrize("network", NETWORKS, ids=str)
def test_the_kernels_compute_what_torch_trains(
    rng: np.random.Generator, network: ForecastNetwork
) -> None:
    import torch

    weights = network.started(3, 7, rng)
    weights |= {name: rng.normal(size=w.shape) for name, w in weights.items() if "biases" in name}
    past = rng.normal(size=(11, 7, 3))
    tensors = {name: torch.tensor(weight) for name, weight in weights.items()}
    trained = network.forecast_tensor(tensors, torch.tensor(past)).detach().numpy()
    np.testing.assert_allclose(network.forecast(weights, past), trained, rtol=1e-11, atol=1e-12)
    assert {name: w.shape for name, w in weights.items()} == network.shapes(3, 7)


def test_more_rows_than_a_block_score_the_same_bits(
    rng: np.random.Generator, fitted: FittedForecaster
) -> None:
    frame = fitted.unroll(fitted.start(), Frame.of(wave(rng, 2100)))[0].frame
    whole = fitted.score(frame)
    for i in (0, 1, 2047, 2048, 2089):
        assert fitted.score(frame.take(slice(i, i + 1))).tobytes() == whole[i : i + 1].tobytes()


def test_it_scores_without_torch(
    rng: np.random.Generator, fitted: FittedForecaster, monkeypatch: pytest.MonkeyPatch
) -> None:
    frame = fitted.unroll(fitted.start(), Frame.of(wave(rng, 20)))[0].frame
    state, wanted = fitted.state(), fitted.score(frame)
    for name in [name for name in sys.modules if name.partition(".")[0] == "torch"]:
        monkeypatch.setitem(sys.modules, name, None)
    assert type(fitted).from_state(state).score(frame).tobytes() == wanted.tobytes()


def test_huge_rows_are_not_followed(rng: np.random.Generator, fitted: FittedForecaster) -> None:
    values = wave(rng, 30)
    values[15], values[20, 0] = 1e300, -1.7e308
    scores = scores_of(fitted, values)
    assert np.isfinite(scores).all()
    assert sorted(np.argsort(scores)[-2:] + 10) == [15, 20]


def test_the_last_windows_of_each_asset_are_held_back() -> None:
    assets = np.array([1] * 10 + [0] * 20, np.int32)
    learned, held_back = Cnn(held_back=0.2)._last_of_each_asset(assets)
    assert held_back.tolist() == [26, 27, 28, 29, 8, 9]
    assert sorted([*learned, *held_back]) == list(range(30))


@pytest.mark.parametrize("detector", DETECTORS[:2])
def test_what_cannot_be_fitted_is_said(
    rng: np.random.Generator, context: FitContext, detector: Cnn | Rnn
) -> None:
    values = wave(rng, 40)
    with pytest.raises(TooFewRowsError, match="10 earlier rows is longer than the data"):
        detector.fit(Frame.of(values[:10]), None, context)
    with pytest.raises(TooFewRowsError, match="at least 10 rows, and there are 9"):
        detector.fit(Frame.of(values[:19]), None, context)
    split = Frame.of(
        values,
        assets=tuple(Asset(f"{i}") for i in range(4)),
        asset=np.arange(40, dtype=np.int32) % 4,
    )
    with pytest.raises(TooFewRowsError, match="the longest asset has 10 rows"):
        detector.fit(split, None, context)


@pytest.mark.parametrize(
    "detector",
    [Cnn(filters=(1024,) * 500, lags=1000), Rnn(width=4096, lags=1000, batch_rows=100_000)],
)
def test_networks_too_large_are_refused(
    rng: np.random.Generator, context: FitContext, detector: Cnn | Rnn
) -> None:
    with pytest.raises(LimitExceededError, match="GiB"):
        detector.fit(Frame.of(wave(rng, 1100)), None, context)


def test_a_damaged_state_is_refused(fitted: FittedForecaster) -> None:
    state = fitted.state()
    damaged: dict[str, Any] = {"lags": 0, "filters": [32, 0], "cell": "tanh", "width": -1}
    for name in damaged.keys() & state.parameters.keys():
        parameters = {**state.parameters, name: damaged[name]}
        with pytest.raises(ArtifactCorruptError, match=name):
            type(fitted).from_state(State(1, parameters, state.arrays))
    with pytest.raises(ArtifactCorruptError, match="weights"):
        type(fitted).from_state(
            State(1, {**state.parameters, "lags": 11, "width": 31}, state.arrays)
        )
    for name, array in state.arrays.items():
        arrays = {**state.arrays, name: array[:-1]}
        with pytest.raises(ArtifactCorruptError, match=name):
            type(fitted).from_state(State(1, state.parameters, arrays))
