from __future__ import annotations

import numpy as np
import pytest
from sklearn.decomposition import PCA

from clarion.features import FitContext
from clarion.frames import Frame
from clarion.inputs import scaled
from clarion_detectors.pca import Pca


@pytest.fixture
def plane(rng: np.random.Generator) -> Frame:
    """Five signals of two factors, in different units."""
    loadings = rng.normal(size=(2, 5))
    rows = rng.normal(size=(600, 2)) @ loadings + 0.05 * rng.normal(size=(600, 5))
    return Frame.of(rows * [1, 10, 0.1, 5, 1] + [0, 100, 3, -7, 1])


@pytest.mark.parametrize("weight", [0.0, 0.5, 1.0])
def test_both_parts_are_those_of_a_principal_component_analysis(
    plane: Frame, weight: float, context: FitContext
) -> None:
    fitted = Pca(explained_variance=0.95, error_weight=weight).fit(plane, None, context)
    points = scaled(plane.numeric(), fitted.center, fitted.scale)
    peer = PCA(n_components=2, svd_solver="full").fit(points)
    factors = peer.transform(points)
    error = ((points - peer.inverse_transform(factors)) ** 2).sum(axis=1)
    hotelling = (factors**2 / factors.var(axis=0)).sum(axis=1)
    expected = weight * error / error.mean() + (1 - weight) * hotelling / hotelling.mean()
    np.testing.assert_allclose(fitted.score(plane), expected, rtol=1e-6, atol=1e-9)


def test_a_row_off_the_plane_beats_one_far_out_on_it(
    plane: Frame, context: FitContext, rng: np.random.Generator
) -> None:
    fitted = Pca(error_weight=1.0).fit(plane, None, context)
    values = plane.numeric()
    on = values.mean(axis=0) + 5 * (values[0] - values.mean(axis=0))
    off = values.mean(axis=0) + values.std(axis=0) * [1, -1, 1, -1, 1]
    on_score, off_score = fitted.score(Frame.of([on, off]))
    assert off_score > 3 * on_score


def test_the_whole_variance_leaves_a_bounded_form(plane: Frame, context: FitContext) -> None:
    fitted = Pca(explained_variance=1.0).fit(plane, None, context)
    assert np.isfinite(fitted.score(plane)).all()
    assert np.linalg.eigvalsh(fitted.precision).min() >= 0
