from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import roc_auc_score

from clarion.arrays import BoolArray, FloatArray
from clarion.errors import InvalidParameterError, TooFewRowsError
from clarion.features import FitContext
from clarion.frames import Frame
from clarion_detectors.dnn import Dnn

pytestmark = pytest.mark.usefixtures("deep")


def rings(rng: np.random.Generator, rows: int, share: float) -> tuple[FloatArray, BoolArray]:
    """Anomalies on a ring around the normal rows: no line tells them apart."""
    anomalous = rng.random(rows) < share
    angle, radius = rng.uniform(0, 2 * np.pi, rows), np.where(anomalous, 3.0, 1.0)
    circle = radius[:, None] * np.column_stack([np.cos(angle), np.sin(angle)])
    return circle + 0.3 * rng.normal(size=(rows, 2)), anomalous


def test_it_learns_what_no_line_separates(rng: np.random.Generator, context: FitContext) -> None:
    values, labels = rings(rng, 800, 0.05)
    fitted = Dnn(epochs=60).fit(Frame.of(values), labels, context)
    fresh, truth = rings(rng, 500, 0.3)
    margins = fitted.score(Frame.of(fresh))
    assert roc_auc_score(truth, margins) > 0.98
    # Rare in the fit as they are, anomalies are on the far side of 0: the classes weigh the same.
    assert np.mean(margins[truth] > 0) > 0.85
    assert np.mean(margins[~truth] < 0) > 0.85


def test_both_classes_are_learned_from_and_held_back(rng: np.random.Generator) -> None:
    parts = [np.arange(100), np.arange(100, 110)]
    learned, held_back = Dnn(held_back=0.2)._split_by_class(parts, rng)
    assert sorted([*learned, *held_back]) == list(range(110))
    assert np.sum(held_back >= 100) == 2
    assert np.sum(held_back < 100) == 20


def test_one_known_anomaly_is_learned_from(rng: np.random.Generator, context: FitContext) -> None:
    values = rng.normal(size=(100, 3))
    values[50] += 8.0
    fitted = Dnn().fit(Frame.of(values), np.arange(100) == 50, context)
    assert np.argmax(fitted.score(Frame.of(values))) == 50


def test_labels_of_one_class_are_refused(rng: np.random.Generator, context: FitContext) -> None:
    frame = Frame.of(rng.normal(size=(30, 2)))
    for labels in (None, np.zeros(30, np.bool_), np.ones(30, np.bool_)):
        with pytest.raises(InvalidParameterError, match="dnn"):
            Dnn().fit(frame, labels, context)
    with pytest.raises(TooFewRowsError, match="at least 10"):
        Dnn().fit(frame.take(slice(0, 9)), np.arange(9) == 2, context)


def test_swapped_labels_swap_the_sides(rng: np.random.Generator, context: FitContext) -> None:
    values, labels = rings(rng, 400, 0.5)
    frame, margins = Frame.of(values), []
    for known in (labels, ~labels):
        again = replace(context, rng=np.random.default_rng(1))
        margins.append(Dnn(epochs=30).fit(frame, known, again).score(frame))
    assert stats.pearsonr(*margins).statistic < -0.9
