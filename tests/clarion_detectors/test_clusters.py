from __future__ import annotations

import numpy as np
import pytest
from sklearn.neighbors import NearestNeighbors

from clarion.detectors import Neighbours
from clarion.errors import TooFewRowsError
from clarion.features import FitContext
from clarion.frames import Frame
from clarion.inputs import scaled
from clarion_detectors.bagged_knn import BaggedKnn
from clarion_detectors.dbscan import Dbscan
from clarion_detectors.kmeans import Kmeans


@pytest.fixture
def blobs(rng: np.random.Generator) -> Frame:
    """Three dense clusters, and five rows of noise at the end."""
    centers = np.array([[0, 0], [10, 0], [0, 10]])
    rows = np.vstack([rng.normal(c, 0.5, size=(100, 2)) for c in centers])
    return Frame.of(np.vstack([rows, rng.uniform(20, 30, size=(5, 2))]))


def test_kmeans_scores_the_distance_to_the_nearest_centre(
    blobs: Frame, context: FitContext
) -> None:
    fitted = Kmeans(clusters=4).fit(blobs, None, context)
    u = scaled(blobs.numeric(), fitted.center, fitted.scale)
    distances = ((u[:, None, :] - fitted.reference[None, :, :]) ** 2).sum(axis=2).min(axis=1)
    np.testing.assert_allclose(fitted.score(blobs), distances, rtol=1e-12)
    between = Frame.of([[5.0, 5.0]])
    assert fitted.score(between)[0] > 5 * np.median(fitted.score(blobs))
    assert isinstance(fitted, Neighbours)


def test_kmeans_takes_no_more_clusters_than_there_are_different_rows(context: FitContext) -> None:
    fitted = Kmeans(clusters=5).fit(Frame.of([[1.0], [2.0]] * 10), None, context)
    assert len(fitted.reference) == 2


@pytest.mark.parametrize("hierarchical", [False, True])
def test_dbscan_does_not_take_noise_for_normal(
    blobs: Frame, hierarchical: bool, context: FitContext
) -> None:
    fitted = Dbscan(hierarchical=hierarchical, min_samples=8).fit(blobs, None, context)
    scores = fitted.score(blobs)
    assert scores[-5:].min() > 20 * np.quantile(scores[:-5], 0.95)


def test_dbscan_keeps_the_cores_that_counting_finds(blobs: Frame, context: FitContext) -> None:
    fitted = Dbscan(radius=0.2, min_samples=4).fit(blobs, None, context)
    u = scaled(blobs.numeric(), fitted.center, fitted.scale)
    near = (((u[:, None, :] - u[None, :, :]) ** 2).sum(axis=2) <= 0.04).sum(axis=1)
    assert len(fitted.reference) == (near >= 4).sum()


def test_dbscan_without_any_core_takes_all_rows(blobs: Frame, context: FitContext) -> None:
    fitted = Dbscan(radius=1e-9).fit(blobs, None, context)
    assert len(fitted.reference) == len(blobs)


def test_bagged_knn_averages_over_its_samples(blobs: Frame, context: FitContext) -> None:
    fitted = BaggedKnn(neighbours=2, bags=4).fit(blobs, None, context)
    u = fitted.coordinates(blobs)
    each = [
        NearestNeighbors(n_neighbors=2).fit(rows).kneighbors(u)[0] ** 2 for rows in fitted.samples
    ]
    np.testing.assert_allclose(fitted.score(blobs), np.mean(each, axis=0).mean(axis=1), rtol=1e-9)
    frozen = ((u[:, None, :] - fitted.neighbours(blobs)) ** 2).sum(axis=2).mean(axis=1)
    np.testing.assert_allclose(fitted.score(blobs), frozen, rtol=1e-12)


def test_bagged_knn_flags_an_anomaly_that_was_in_the_fit(blobs: Frame, context: FitContext) -> None:
    scores = BaggedKnn().fit(blobs, None, context).score(blobs)
    assert scores[-5:].min() > scores[:-5].max()


def test_too_small_a_sample_is_refused(context: FitContext) -> None:
    with pytest.raises(TooFewRowsError, match="3 neighbours in a sample"):
        BaggedKnn(share=0.1).fit(Frame.of(np.zeros((20, 1))), None, context)
