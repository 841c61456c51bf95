from __future__ import annotations

import sys

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from clarion.arrays import FloatArray
from clarion.errors import (
    ArtifactCorruptError,
    InvalidFrameError,
    LimitExceededError,
    TooFewRowsError,
)
from clarion.features import FitContext
from clarion.frames import Frame
from clarion.registry import Registries
from clarion.state import State
from clarion_detectors.autoencoder import Autoencoder, FittedAutoencoder

pytestmark = pytest.mark.usefixtures("deep")


def on_a_curve(rng: np.random.Generator, rows: int) -> FloatArray:
    """Rows near a curve in four dimensions, of which no linear subspace has fewer."""
    t = rng.uniform(-2, 2, rows)
    clean = np.column_stack([t, t**2, np.sin(2 * t), np.abs(t)])
    return clean + 0.05 * rng.normal(size=clean.shape)


@pytest.fixture(scope="module")
def fitted() -> FittedAutoencoder:
    pytest.importorskip("torch", reason="the extra 'deep' is not installed")
    rng = np.random.default_rng(5)
    options = Autoencoder(code=1, epochs=60, hidden=(32, 16))
    return options.fit(Frame.of(on_a_curve(rng, 1500)), None, FitContext(rng, Registries()))


def test_rows_off_the_curve_stand_out_though_each_value_is_usual(
    rng: np.random.Generator, fitted: FittedAutoencoder
) -> None:
    normal = on_a_curve(rng, 300)
    mixed = rng.permuted(on_a_curve(rng, 300), axis=0)  # the same values, torn apart
    scores = fitted.score(Frame.of(np.vstack([normal, mixed])))
    deviations = np.square(fitted.points(Frame.of(np.vstack([normal, mixed])))).sum(axis=1)
    truth = np.repeat([0, 1], 300)
    assert roc_auc_score(truth, scores) > 0.9
    assert roc_auc_score(truth, deviations) < 0.65


def test_the_score_is_the_squared_residual_of_the_layers(
    rng: np.random.Generator, fitted: FittedAutoencoder
) -> None:
    frame = Frame.of(on_a_curve(rng, 20))
    u = (frame.values - fitted.center) / fitted.scale
    rows = u
    for i in range(6):
        rows = rows @ fitted.weights[f"layer{i}.weights"] + fitted.weights[f"layer{i}.biases"]
        rows = rows if i == 5 else np.where(rows < 0, 0.01 * rows, rows)
    np.testing.assert_allclose(fitted.residuals(frame), u - rows, atol=1e-12)
    np.testing.assert_allclose(fitted.score(frame), np.square(u - rows).sum(axis=1), rtol=1e-9)


def test_the_largest_residual_names_the_broken_signal(
    rng: np.random.Generator, fitted: FittedAutoencoder
) -> None:
    values = on_a_curve(rng, 200)
    broken = rng.integers(0, 4, 200)
    values[np.arange(200), broken] += 2.0 * fitted.scale[broken]
    named = np.argmax(np.abs(fitted.residuals(Frame.of(values))), axis=1)
    assert np.mean(named == broken) > 0.45  # by chance 0.25


def test_a_value_beyond_the_networks_reach_is_never_followed(fitted: FittedAutoencoder) -> None:
    rows = fitted.center + np.outer([20.0, 40.0, 1e6, 1e300], fitted.scale)
    scores = fitted.score(Frame.of(rows))
    assert (np.diff(scores) > 0).all()
    np.testing.assert_allclose(scores[1:3], [4 * 40.0**2, 4e12], rtol=0.7)
    assert np.isfinite(scores).all()


def test_a_row_scores_the_same_bits_in_any_batch(
    rng: np.random.Generator, fitted: FittedAutoencoder
) -> None:
    frame = Frame.of(on_a_curve(rng, 257))
    alone = np.concatenate([fitted.score(frame.take(slice(i, i + 1))) for i in range(257)])
    assert alone.tobytes() == fitted.score(frame).tobytes()


def test_it_scores_without_torch(
    rng: np.random.Generator, fitted: FittedAutoencoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    frame, state = Frame.of(on_a_curve(rng, 9)), fitted.state()
    wanted = fitted.score(frame)
    for name in [name for name in sys.modules if name.partition(".")[0] == "torch"]:
        monkeypatch.setitem(sys.modules, name, None)
    assert FittedAutoencoder.from_state(state).score(frame).tobytes() == wanted.tobytes()


def test_the_code_is_a_quarter_of_the_signals_unless_set(
    rng: np.random.Generator, context: FitContext
) -> None:
    frame = Frame.of(rng.normal(size=(20, 9)))
    assert Autoencoder(epochs=1, hidden=(7, 5)).fit(frame, None, context).hidden == (7, 5, 2, 5, 7)
    one = Autoencoder(epochs=1, code=3, hidden=())
    assert one.fit(frame, None, context).hidden == (3,)
    narrow = Autoencoder(epochs=1).fit(Frame.of(rng.normal(size=(20, 1))), None, context)
    assert narrow.hidden == (64, 1, 64)


def test_what_cannot_be_fitted_is_said(rng: np.random.Generator, context: FitContext) -> None:
    rows = rng.normal(size=(30, 3))
    with pytest.raises(TooFewRowsError, match="at least 10 rows, and there are 9"):
        Autoencoder().fit(Frame.of(rows[:9]), None, context)
    with pytest.raises(LimitExceededError, match="GiB"):
        Autoencoder(hidden=(4096,) * 400).fit(Frame.of(rows), None, context)
    rows[4, 1] = np.nan
    with pytest.raises(InvalidFrameError, match="'x1' is missing"):
        Autoencoder().fit(Frame.of(rows), None, context)


def test_a_damaged_state_is_refused(fitted: FittedAutoencoder) -> None:
    state = fitted.state()
    with pytest.raises(ArtifactCorruptError, match="hidden"):
        FittedAutoencoder.from_state(
            State(1, {**state.parameters, "hidden": [32, -1]}, state.arrays)
        )
    for name, array in state.arrays.items():
        arrays = {**state.arrays, name: array[:-1]}
        with pytest.raises(ArtifactCorruptError, match=name):
            FittedAutoencoder.from_state(State(1, state.parameters, arrays))
