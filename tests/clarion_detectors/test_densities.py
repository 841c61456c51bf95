from __future__ import annotations

import numpy as np
import pytest
from sklearn.mixture import GaussianMixture

from clarion.detectors import ProductKernel
from clarion.errors import TooFewRowsError
from clarion.features import FitContext
from clarion.frames import Frame
from clarion.inputs import scaled
from clarion_detectors.gmm import Gmm
from clarion_detectors.kde import Kde


@pytest.fixture
def two(rng: np.random.Generator) -> Frame:
    """Two clusters of different width, in different units."""
    rows = np.vstack([rng.normal(0, 1, size=(300, 2)), rng.normal(8, 0.3, size=(300, 2))])
    return Frame.of(rows * [1, 1000])


def test_kde_is_proportional_to_the_kernel_density(two: Frame, context: FitContext) -> None:
    fitted = Kde().fit(two, None, context)
    u = scaled(two.numeric(), fitted.center, fitted.scale)
    width = len(u) ** (-1 / 6)
    by_hand = np.exp(-((u[:, None] - u[None]) ** 2).sum(axis=2) / (2 * width**2)).sum(axis=1)
    np.testing.assert_allclose(fitted.score(two), -by_hand / np.median(by_hand - 1), rtol=1e-9)
    assert isinstance(fitted, ProductKernel)


def test_gmm_is_proportional_to_the_mixture_density(two: Frame, context: FitContext) -> None:
    seed = int(np.random.default_rng(11).integers(2**32))
    fitted = Gmm(components=2).fit(two, None, context)
    u = scaled(two.numeric(), fitted.center, fitted.scale)
    peer = GaussianMixture(2, covariance_type="diag", reg_covar=1e-4, random_state=seed).fit(u)
    density = np.exp(peer.score_samples(u))
    np.testing.assert_allclose(fitted.score(two), -density / np.median(density), rtol=1e-6)


@pytest.mark.parametrize("detector", [Kde(), Gmm(components=2)], ids=lambda d: type(d).__name__)
def test_a_hole_between_clusters_is_strange(detector: Kde, two: Frame, context: FitContext) -> None:
    fitted = detector.fit(two, None, context)
    hole, inside = fitted.score(Frame.of([[4.0, 4000.0], [8.0, 8000.0]]))
    assert -0.2 < hole <= 0
    assert inside < -0.5


def test_equal_rows_keep_a_finite_scale(context: FitContext) -> None:
    for detector in (Kde(), Gmm(components=3)):
        scores = detector.fit(Frame.of([[1.0, 2.0]] * 9), None, context).score(
            Frame.of([[1.0, 2.0], [1e300, -1e300]])
        )
        assert np.isfinite(scores).all()
        assert scores[0] < scores[1]


def test_too_few_rows_are_refused(context: FitContext) -> None:
    with pytest.raises(TooFewRowsError, match="at least 2 rows"):
        Kde().fit(Frame.of([[1.0]]), None, context)
    with pytest.raises(TooFewRowsError, match="at least 8 rows"):
        Gmm().fit(Frame.of(np.zeros((7, 1))), None, context)
