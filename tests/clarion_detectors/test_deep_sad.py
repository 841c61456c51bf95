from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from clarion.arrays import FloatArray
from clarion.errors import TooFewRowsError
from clarion.features import FitContext
from clarion.frames import Frame
from clarion_detectors.deep_sad import DeepSad, FittedDeepSad

pytestmark = pytest.mark.usefixtures("deep")


def normal(rng: np.random.Generator, rows: int) -> FloatArray:
    return rng.normal(size=(rows, 6))


def leaning(rng: np.random.Generator, rows: int) -> FloatArray:
    """Anomalies no farther out than many normal rows, all to one side."""
    return rng.normal(size=(rows, 6)) * 0.7 + [2.2, 2.2, 0, 0, 0, 0]


def fit(context: FitContext, rows: FloatArray, known: int, options: DeepSad) -> FittedDeepSad:
    labels = np.arange(len(rows)) >= len(rows) - known if known else None
    return options.fit(Frame.of(rows), labels, context)


def test_a_few_known_anomalies_teach_it_what_distances_hide(
    rng: np.random.Generator, context: FitContext
) -> None:
    known, options = leaning(rng, 25), DeepSad(anomaly_weight=25.0)
    blind = fit(context, normal(rng, 800), 0, options)
    taught = fit(context, np.vstack([normal(rng, 800), known]), 25, options)
    rows = Frame.of(np.vstack([normal(rng, 400), leaning(rng, 400)]))
    truth = np.repeat([0, 1], 400)
    known_to_blind, known_to_taught = (
        roc_auc_score(truth, fitted.score(rows)) for fitted in (blind, taught)
    )
    assert known_to_taught > 0.88
    assert known_to_taught > known_to_blind + 0.05


def test_without_labels_far_rows_are_far_from_the_middle(
    rng: np.random.Generator, context: FitContext
) -> None:
    values = rng.normal(size=(500, 5)) @ rng.normal(size=(5, 5))
    fitted = DeepSad().fit(Frame.of(values), None, context)
    fresh = rng.normal(size=(200, 5)) @ np.eye(5) * values.std(axis=0)
    far = 6.0 * fresh
    scores = fitted.score(Frame.of(np.vstack([values[:200], far])))
    assert roc_auc_score(np.repeat([0, 1], 200), scores) > 0.95


def test_the_score_is_the_squared_distance_from_the_middle(
    rng: np.random.Generator, context: FitContext
) -> None:
    options = DeepSad(epochs=3, pretraining_epochs=0)
    fitted = fit(context, normal(rng, 100), 10, options)
    frame = Frame.of(normal(rng, 10))
    u = (frame.values - fitted.center) / fitted.scale
    first = u @ fitted.weights["layer0.weights"]
    images = np.where(first < 0, 0.01 * first, first) @ fitted.weights["layer1.weights"]
    expected = np.square(images - fitted.weights["middle"]).sum(axis=1)
    np.testing.assert_allclose(fitted.score(frame), expected, rtol=1e-9)


def test_the_middle_is_the_mean_image_before_the_training_and_away_from_zero(
    rng: np.random.Generator, context: FitContext
) -> None:
    fitted = fit(context, normal(rng, 100), 0, DeepSad(epochs=1))
    assert (np.abs(fitted.weights["middle"]) >= 0.1).all()
    assert "layer0.biases" not in fitted.weights  # they would let all rows fall onto the middle


def test_known_anomalies_alone_are_no_training_set(
    rng: np.random.Generator, context: FitContext
) -> None:
    frame = Frame.of(rng.normal(size=(40, 2)))
    with pytest.raises(TooFewRowsError, match="not known to be anomalous"):
        DeepSad().fit(frame, np.arange(40) < 31, context)
