from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from clarion.errors import InvalidParameterError
from clarion.features import FitContext
from clarion.frames import Frame
from clarion_detectors.boosted_scores import BoostedScores
from clarion_detectors.isolation_forest import IsolationForest
from clarion_detectors.self_training import SelfTraining

DETECTORS = pytest.mark.parametrize(
    "detector", [BoostedScores(), SelfTraining()], ids=lambda d: type(d).__name__
)


@pytest.fixture
def mixed(rng: np.random.Generator) -> tuple[Frame, np.ndarray, np.ndarray]:
    """Rows, which are anomalous, and which of those are known: a tenth."""
    normal = rng.normal(size=(900, 4))
    odd = rng.normal(size=(100, 4)) * [1, 1, 0.2, 0.2] + [0, 0, 2.0, -2.0]
    anomalous = np.arange(1000) >= 900
    return Frame.of(np.vstack([normal, odd])), anomalous, anomalous & (np.arange(1000) % 10 == 0)


@DETECTORS
def test_a_few_labels_beat_none(
    detector: SelfTraining,
    mixed: tuple[Frame, np.ndarray, np.ndarray],
    context: FitContext,
) -> None:
    frame, anomalous, known = mixed
    unknown = ~known
    scores = detector.fit(frame, known, context).score(frame)[unknown]
    blind = IsolationForest().fit(frame, None, context).score(frame)[unknown]
    gain = average_precision_score(anomalous[unknown], scores) - average_precision_score(
        anomalous[unknown], blind
    )
    assert gain > 0.1


@DETECTORS
def test_labels_are_needed(detector: SelfTraining, context: FitContext) -> None:
    with pytest.raises(InvalidParameterError, match="needs labels"):
        detector.fit(Frame.of(np.zeros((50, 2))), None, context)


def test_growth_of_zero_labels_no_more_anomalies(
    mixed: tuple[Frame, np.ndarray, np.ndarray],
) -> None:
    _, _, known = mixed
    votes = np.linspace(0, 1, 1000)
    normal = np.zeros(1000, bool)
    anomalous, calm = SelfTraining(growth=0.0)._surest(votes, known, known, normal)
    assert (anomalous == known).all()
    assert calm.any()
    assert not (anomalous & calm).any()
