from __future__ import annotations

import numpy as np
import pytest
from sklearn.neighbors import LocalOutlierFactor

from clarion.errors import TooFewRowsError
from clarion.features import FitContext
from clarion.frames import Frame
from clarion.inputs import scaled
from clarion_detectors.lof import Lof


@pytest.mark.parametrize("decimals", [9, 1])
def test_it_scores_as_scikit_learn(
    decimals: int, rng: np.random.Generator, context: FitContext
) -> None:
    frame = Frame.of(np.round(rng.normal(size=(400, 3)) * [1, 10, 0.1], decimals))
    fitted = Lof(neighbours=10).fit(frame, None, context)
    peer = LocalOutlierFactor(n_neighbors=10, novelty=True).fit(fitted.reference)
    fresh = Frame.of(rng.normal(size=(200, 3)) * [2, 20, 0.2])
    theirs = -peer.score_samples(scaled(fresh.numeric(), fitted.center, fitted.scale))
    np.testing.assert_allclose(fitted.score(fresh), theirs, rtol=1e-6)


def test_a_row_beside_a_dense_cluster_beats_one_in_a_thin_one(
    rng: np.random.Generator, context: FitContext
) -> None:
    rows = np.vstack([rng.normal(0, 0.1, size=(200, 2)), rng.normal(20, 3, size=(200, 2))])
    beside, within = Lof().fit(Frame.of(rows), None, context).score(Frame.of([[1, 1], [22, 22]]))
    assert beside > 3
    assert within < 1.5


def test_duplicates_stay_finite(context: FitContext) -> None:
    frame = Frame.of([[1.0]] * 30)
    scores = Lof().fit(frame, None, context).score(Frame.of([[1.0], [2.0], [-1e300]]))
    assert np.isfinite(scores).all()
    assert scores[0] == pytest.approx(1)


def test_more_rows_than_neighbours_are_needed(context: FitContext) -> None:
    with pytest.raises(TooFewRowsError, match="at least 21 rows"):
        Lof().fit(Frame.of(np.zeros((20, 1))), None, context)
