from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from scipy.spatial import distance

from clarion.arrays import FloatArray
from clarion.detectors import AdditiveTerms, FittedSequenceDetector
from clarion.errors import ArtifactCorruptError, LimitExceededError, TooFewRowsError
from clarion.features import FitContext
from clarion.frames import Frame
from clarion.state import State
from clarion_detectors.online_gaussian import FittedOnlineGaussian, OnlineGaussian

MIXING = np.array([[1.0, 0.8, 0.0], [0.0, 0.6, 0.3], [0.0, 0.0, 0.5]])


def rows(rng: np.random.Generator, n: int) -> FloatArray:
    mixed: FloatArray = rng.normal(size=(n, 3)) @ MIXING
    return mixed * [1, 50, 0.01] + [0, 900, 2]


def fit(context: FitContext, values: FloatArray, **options: float) -> FittedOnlineGaussian:
    return OnlineGaussian(**options).fit(Frame.of(values), None, context)


def terms_of(fitted: FittedOnlineGaussian, values: FloatArray) -> FloatArray:
    return fitted.terms(fitted.unroll(fitted.start(), Frame.of(values))[0].frame)


def test_every_row_is_judged_by_those_before_it(
    rng: np.random.Generator, context: FitContext
) -> None:
    fitted = fit(context, rows(rng, 300), weight=0.02)
    values = rows(rng, 60)
    values[20:25] += 9 * values.std(axis=0)  # beyond the gate
    mean, covariance, learning = fitted.mean, fitted.covariance, fitted.learning
    expected, learned = [], 0
    for point in (values - fitted.center) / fitted.scale:
        expected.append(distance.mahalanobis(point, mean, np.linalg.inv(covariance)) ** 2)
        if expected[-1] <= learning.gate:
            learned += 1
            outer = np.outer(point - mean, point - mean)
            covariance = 0.98 * covariance + learning.gain * outer + learning.floor * np.eye(3)
            mean = mean + 0.02 * (point - mean)
    np.testing.assert_allclose(terms_of(fitted, values).sum(axis=1), expected, rtol=1e-9)
    assert 45 <= learned <= 55
    after = fitted.unroll(fitted.start(), Frame.of(values))[1]
    np.testing.assert_allclose(after.arrays["covariance"], covariance, rtol=1e-9)
    assert isinstance(fitted, FittedSequenceDetector)
    assert isinstance(fitted, AdditiveTerms)


def test_the_parts_are_shapley_values_from_the_mean(
    rng: np.random.Generator, context: FitContext
) -> None:
    fitted = fit(context, rows(rng, 300))
    values = rows(rng, 1) + np.array([2.0, -50.0, 0.01])
    precision = np.linalg.inv(fitted.covariance)
    delta = ((values - fitted.center) / fitted.scale - fitted.mean)[0]
    shapley = np.zeros(3)
    for order in permutations(range(3)):
        present = np.zeros(3)
        for j in order:
            before = present @ precision @ present
            present[j] = delta[j]
            shapley[j] += (present @ precision @ present - before) / 6
    np.testing.assert_allclose(terms_of(fitted, values)[0], shapley, rtol=1e-9)


def test_rows_like_the_fitted_ones_keep_it_in_place(
    rng: np.random.Generator, context: FitContext
) -> None:
    """Leaving out the farthest rows would shrink the covariance, did growth not make up for it."""
    fitted = fit(context, rows(rng, 4000), weight=0.01, outside=0.1)
    memory, traces = fitted.start(), []
    for _ in range(60):
        memory = fitted.unroll(memory, Frame.of(rows(rng, 200)))[1]
        traces.append(np.trace(np.linalg.solve(fitted.covariance, memory.arrays["covariance"])))
    assert np.mean(traces[10:]) == pytest.approx(3.0, rel=0.1)


def test_it_follows_a_slow_drift_and_learns_nothing_from_anomalies(
    rng: np.random.Generator, context: FitContext
) -> None:
    fitted = fit(context, rows(rng, 500), weight=0.02)
    spread = rows(rng, 500).std(axis=0)
    drift = np.linspace(0, 2, 1500)[:, None] * spread
    drifting = rows(rng, 1500) + drift
    assert np.median(terms_of(fitted, drifting).sum(axis=1)[-200:]) < 9
    stuck = np.tile(fitted.center + 8 * spread, (500, 1))
    scores = terms_of(fitted, stuck).sum(axis=1)
    assert scores[0] == scores[-1] > fitted.learning.gate


def test_however_slowly_someone_walks_it_stays_near_what_was_fitted(
    rng: np.random.Generator, context: FitContext
) -> None:
    """The memory is the checkpoint; what was fitted stays beside it as the frozen reference."""
    fitted = fit(context, rows(rng, 500), weight=0.05)
    spread = rows(rng, 500).std(axis=0)
    memory = fitted.start()
    for step in np.linspace(0, 40, 400):
        memory = fitted.unroll(memory, Frame.of(rows(rng, 20) + step * spread))[1]
    walked = memory.arrays["mean"] - fitted.mean
    farthest = walked @ np.linalg.solve(fitted.covariance, walked)
    assert 1.0 < farthest <= 4 * fitted.learning.gate == fitted.learning.farthest
    far = Frame.of(fitted.center + 15 * spread[None, :])
    assert fitted.score(fitted.unroll(memory, far)[0].frame)[0] > 3 * fitted.learning.gate
    assert fitted.start().arrays["mean"].tolist() == fitted.mean.tolist()


def test_constant_and_collinear_signals_stay_finite(context: FitContext) -> None:
    column = np.random.default_rng(2).normal(size=200)
    fitted = fit(context, np.column_stack([column, column, np.full(200, 7.0)]), weight=0.1)
    usual = terms_of(fitted, np.column_stack([column, column, np.full(200, 7.0)])).sum(axis=1)
    odd = terms_of(fitted, np.array([[1.0, -1.0, 7.0], [0.0, 0.0, 8.0]])).sum(axis=1)
    assert (usual > -1e-9).all()
    assert odd.min() > 5 * np.median(usual)
    huge = terms_of(fitted, np.array([[1e300, -1.7e308, 0.0]] * 3))
    assert np.isfinite(huge).all()


def test_what_cannot_be_fitted_is_said(context: FitContext) -> None:
    with pytest.raises(TooFewRowsError, match="at least 2 rows"):
        fit(context, np.ones((1, 2)))
    with pytest.raises(LimitExceededError, match=r"301 signals are too many: .* MiB"):
        fit(context, np.ones((2, 301)))


def test_a_damaged_memory_is_refused(rng: np.random.Generator, context: FitContext) -> None:
    fitted = fit(context, rows(rng, 50))
    memory = fitted.start()
    for covariance in (np.zeros((3, 3)), -np.eye(3), np.eye(2)):
        damaged = State(1, {}, {**memory.arrays, "covariance": covariance})
        with pytest.raises(ArtifactCorruptError, match="covariance"):
            fitted.unroll(damaged, Frame.of(rows(rng, 3)))
