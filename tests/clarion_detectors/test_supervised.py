from __future__ import annotations

import numpy as np
import pytest
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier
from sklearn.svm import SVC

from clarion.errors import InvalidParameterError
from clarion.features import FitContext
from clarion.frames import Frame
from clarion.inputs import scaled
from clarion.registry import Registries
from clarion_detectors.gradient_boosting import GradientBoosting
from clarion_detectors.random_forest import RandomForest
from clarion_detectors.svm import Svm


@pytest.fixture
def labelled(rng: np.random.Generator) -> tuple[Frame, np.ndarray]:
    """Two moons of a kind: anomalous inside a ring of normal rows."""
    values = rng.normal(size=(600, 3))
    return Frame.of(np.round(values, 2)), (values[:, :2] ** 2).sum(axis=1) < 0.3


def seeded() -> tuple[FitContext, int]:
    seed = int(np.random.default_rng(5).integers(2**32))
    return FitContext(np.random.default_rng(5), Registries()), seed


def test_random_forest_scores_as_scikit_learn(labelled: tuple[Frame, np.ndarray]) -> None:
    frame, labels = labelled
    context, seed = seeded()
    ours = RandomForest(trees=20, min_leaf_rows=3).fit(frame, labels, context)
    theirs = RandomForestClassifier(
        20, max_depth=12, min_samples_leaf=3, class_weight="balanced", random_state=seed
    ).fit(frame.values, labels)
    np.testing.assert_allclose(
        ours.score(frame), theirs.predict_proba(frame.values)[:, 1], rtol=1e-12
    )


def test_gradient_boosting_scores_as_scikit_learn(labelled: tuple[Frame, np.ndarray]) -> None:
    frame, labels = labelled
    context, seed = seeded()
    ours = GradientBoosting(trees=30).fit(frame, labels, context)
    theirs = GradientBoostingClassifier(n_estimators=30, subsample=0.8, random_state=seed).fit(
        frame.values, labels
    )
    np.testing.assert_allclose(
        ours.score(frame), theirs.decision_function(frame.values), rtol=1e-9, atol=1e-12
    )


def test_svm_scores_as_scikit_learn(labelled: tuple[Frame, np.ndarray]) -> None:
    frame, labels = labelled
    ours = Svm(gamma=0.7).fit(frame, labels, seeded()[0])
    u = scaled(frame.numeric(), ours.center, ours.scale)
    theirs = SVC(gamma=0.7, class_weight="balanced").fit(u, labels)
    np.testing.assert_allclose(ours.score(frame), theirs.decision_function(u), atol=1e-9)
    assert ours.score(frame)[labels].mean() > 0 > ours.score(frame)[~labels].mean()


def test_one_anomaly_is_never_lost_in_the_draw(labelled: tuple[Frame, np.ndarray]) -> None:
    frame, _ = labelled
    labels = np.zeros(len(frame), bool)
    labels[17] = True
    fitted = Svm(max_fit_rows=10).fit(frame, labels, seeded()[0])
    assert (fitted.kernels.weights > 0).sum() == 1


@pytest.mark.parametrize("detector", [Svm(), RandomForest(), GradientBoosting()])
@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (None, "supervised and needs labels"),
        (np.zeros(600, bool), "all labels say normal"),
        (np.ones(600, bool), "all labels say anomalous"),
    ],
)
def test_both_classes_are_needed(
    detector: Svm, labels: np.ndarray | None, message: str, labelled: tuple[Frame, np.ndarray]
) -> None:
    with pytest.raises(InvalidParameterError, match=message):
        detector.fit(labelled[0], labels, seeded()[0])
