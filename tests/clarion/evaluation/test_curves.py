"""Cut-down curves keep the shape of the whole ones, and cut-down scores every peak."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import precision_recall_curve, roc_curve

from clarion.evaluation.curves import MOST_POINTS, Curve, Stretches
from clarion.evaluation.metrics import Ranking


def rare(rng: np.random.Generator, rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Return scores and labels of which one in 200 is anomalous, most of those far above."""
    labels = np.arange(rows) % 200 == 0
    return rng.normal(size=rows) + 3.0 * labels, labels


def test_few_thresholds_are_all_kept_as_scikit_learn_has_them(rng: np.random.Generator) -> None:
    scores = rng.integers(0, 40, 300).astype(float)
    labels = rng.random(300) < 0.2
    curve = Curve.of(Ranking.of(scores, labels))
    fpr, tpr, thresholds = roc_curve(labels, scores, drop_intermediate=False)
    np.testing.assert_allclose(curve.thresholds, thresholds[1:])  # the first is infinity
    np.testing.assert_allclose(curve.recall, tpr[1:])
    np.testing.assert_allclose(curve.false_alarm_rate, fpr[1:])
    precision, _, _ = precision_recall_curve(labels, scores)
    np.testing.assert_allclose(curve.precision, precision[:-1][::-1])


def test_many_thresholds_are_cut_without_losing_the_area(rng: np.random.Generator) -> None:
    scores, labels = rare(rng, 40_000)
    ranking = Ranking.of(scores, labels)
    curve = Curve.of(ranking)
    assert 300 < len(curve.thresholds) <= MOST_POINTS
    assert (np.diff(curve.thresholds) < 0).all()
    assert curve.thresholds[0] == ranking.thresholds[0]
    assert (curve.recall[-1], curve.false_alarm_rate[-1]) == (1.0, 1.0)
    area = np.trapezoid(np.append(0.0, curve.recall), np.append(0.0, curve.false_alarm_rate))
    assert area == pytest.approx(ranking.roc_auc(), abs=0.003)
    average = np.sum(np.diff(curve.recall, prepend=0.0) * curve.precision)
    assert average == pytest.approx(ranking.average_precision(), abs=0.02)
    whole = dict(zip(ranking.thresholds, ranking.precision, strict=True))
    for threshold, precision in zip(curve.thresholds, curve.precision, strict=True):
        assert whole[threshold] == precision


@given(st.integers(1, 400), st.integers(1, 60), st.integers(0, 2**31))
def test_no_peak_alarm_or_label_is_lost(rows: int, most: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    scores, labels, alarms = rng.normal(size=rows), rng.random(rows) < 0.1, rng.random(rows) < 0.1
    found = Stretches.of(scores, alarms, labels, most)
    assert len(found.first_rows) == min(rows, most)
    parts = np.split(np.arange(rows), found.first_rows[1:])
    lengths = [len(part) for part in parts]
    assert max(lengths) - min(lengths) <= 1
    for place, part in enumerate(parts):
        assert found.first_rows[place] == part[0]
        assert found.lowest[place] == scores[part].min()
        assert found.highest[place] == scores[part].max()
        assert found.anomalous[place] == labels[part].sum()
        assert found.alarms[place] == alarms[part].sum()
