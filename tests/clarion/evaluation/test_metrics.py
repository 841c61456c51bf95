from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn import metrics as peer

from clarion.errors import InvalidParameterError
from clarion.evaluation.metrics import Confusion, Ranking, average_precision, roc_auc

_TIED = st.sampled_from([-2.0, -0.5, 0.0, 0.25, 1.0, 7.5])


@st.composite
def ranked(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    n = draw(st.integers(2, 40))
    scores = draw(hnp.arrays(np.float64, n, elements=_TIED | st.floats(-1e6, 1e6)))
    labels = draw(hnp.arrays(np.bool_, n))
    labels[draw(st.integers(0, n - 1))] = True
    if labels.all():
        labels[draw(st.integers(0, n - 1))] = False
    return scores, labels


@given(ranked())
@settings(max_examples=150, deadline=None)
def test_areas_are_scikit_learns_ties_included(case: tuple[np.ndarray, np.ndarray]) -> None:
    scores, labels = case
    if labels.any() and not labels.all():
        assert roc_auc(scores, labels) == pytest.approx(peer.roc_auc_score(labels, scores))
    assert average_precision(scores, labels) == pytest.approx(
        peer.average_precision_score(labels, scores)
    )


@given(ranked())
@settings(max_examples=100, deadline=None)
def test_each_threshold_counts_what_reaches_it(case: tuple[np.ndarray, np.ndarray]) -> None:
    scores, labels = case
    ranking = Ranking.of(scores, labels)
    assert set(ranking.thresholds) == set(scores)
    for k, threshold in enumerate(ranking.thresholds):
        counts = Confusion.of(scores >= threshold, labels)
        assert ranking.true_positives[k] == counts.true_positives
        assert ranking.false_positives[k] == counts.false_positives


@given(ranked())
@settings(max_examples=100, deadline=None)
def test_best_f1_is_the_largest_of_all_thresholds(case: tuple[np.ndarray, np.ndarray]) -> None:
    scores, labels = case
    best, threshold = Ranking.of(scores, labels).best_f1()
    everywhere = [Confusion.of(scores >= t, labels).f1 for t in scores]
    assert best == pytest.approx(max(everywhere))
    assert best == pytest.approx(peer.f1_score(labels, scores >= threshold, zero_division=0.0))


@given(ranked(), st.floats(0.0, 1.0))
@settings(max_examples=100, deadline=None)
def test_recall_at_a_rate_keeps_the_rate(
    case: tuple[np.ndarray, np.ndarray], allowed: float
) -> None:
    scores, labels = case
    if labels.all():
        return
    recalls = [0.0]
    for threshold in scores:
        counts = Confusion.of(scores >= threshold, labels)
        if counts.false_alarm_rate <= allowed:
            recalls.append(counts.recall)
    assert Ranking.of(scores, labels).recall_at(allowed) == pytest.approx(max(recalls))


def test_confusion_holds_what_scikit_learn_counts(rng: np.random.Generator) -> None:
    alarms, labels = rng.random(200) < 0.3, rng.random(200) < 0.2
    counts = Confusion.of(alarms, labels)
    tn, fp, fn, tp = peer.confusion_matrix(labels, alarms).ravel()
    assert counts == Confusion(int(tp), int(fp), int(tn), int(fn))
    assert counts.precision == pytest.approx(peer.precision_score(labels, alarms))
    assert counts.recall == pytest.approx(peer.recall_score(labels, alarms))
    assert counts.f1 == pytest.approx(peer.f1_score(labels, alarms))
    assert counts.false_alarm_rate == pytest.approx(fp / (fp + tn))
    assert counts.missing_alarm_rate == pytest.approx(fn / (fn + tp))


def test_confusions_pool(rng: np.random.Generator) -> None:
    alarms, labels = rng.random(100) < 0.3, rng.random(100) < 0.2
    halves = [Confusion.of(alarms[part], labels[part]) for part in (slice(40), slice(40, None))]
    assert halves[0] + halves[1] == Confusion.of(alarms, labels)


def test_what_is_undefined_is_not_a_number() -> None:
    quiet = np.zeros(3, np.bool_)
    scores = np.array([1.0, 2.0, 3.0])
    nothing = Ranking.of(scores, quiet)
    assert math.isnan(nothing.roc_auc())
    assert math.isnan(nothing.average_precision())
    assert math.isnan(nothing.best_f1()[0])
    assert math.isnan(nothing.recall_at(0.5))
    assert math.isnan(roc_auc(scores, ~quiet))
    assert math.isnan(Confusion.of(quiet, quiet).recall)
    assert math.isnan(Confusion.of(quiet, ~quiet).precision)
    assert Confusion.of(quiet, ~quiet).f1 == 0.0


@pytest.mark.parametrize("rows", [0, 3])
def test_one_label_a_row_is_asked_for(rows: int) -> None:
    with pytest.raises(InvalidParameterError, match=f"there are {rows} rows and 2 labels"):
        Ranking.of(np.ones(rows), np.zeros(2, np.bool_))
    with pytest.raises(InvalidParameterError, match="at least one row"):
        Confusion.of(np.zeros(0, np.bool_), np.zeros(0, np.bool_))
    with pytest.raises(InvalidParameterError, match="not a number"):
        Ranking.of(np.array([1.0, np.nan]), np.zeros(2, np.bool_))
