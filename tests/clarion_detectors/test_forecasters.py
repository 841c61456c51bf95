from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression, Ridge

from clarion.detectors import QuadraticForm
from clarion.errors import LimitExceededError, TooFewRowsError
from clarion.features import FitContext
from clarion.frames import Frame
from clarion_detectors.ar import Ar
from clarion_detectors.lag_quadratic import FittedLagQuadratic
from clarion_detectors.pca import Pca
from clarion_detectors.sub_pca import SubPca
from clarion_detectors.var import Var


@pytest.fixture
def series(rng: np.random.Generator) -> Frame:
    """Two signals that follow each other, in different units."""
    rows = np.zeros((500, 2))
    for t in range(1, 500):
        rows[t] = [[0.8, 0.1], [-0.3, 0.5]] @ rows[t - 1] + rng.normal(size=2)
    return Frame.of(rows * [1, 50] + [3, -200], ["flow", "level"])


def unrolled(fitted: FittedLagQuadratic, frame: Frame) -> Frame:
    return fitted.unroll(fitted.start(), frame)[0].frame


def windows(frame: Frame, fitted: FittedLagQuadratic, lags: int) -> np.ndarray:
    """Windows in the detector's coordinates, shape (m, lags + 1, d)."""
    d = len(frame.signals)
    u = (frame.numeric() - fitted.form.center[:d]) / fitted.form.scale[:d]
    return np.stack([u[t - lags : t + 1] for t in range(lags, len(u))])


def test_ar_adds_up_squared_forecast_errors(series: Frame, context: FitContext) -> None:
    fitted = Ar(lags=3).fit(series, None, context)
    cut = windows(series, fitted, 3)
    expected = np.zeros(len(cut))
    for j in range(2):
        past, now = cut[:, :-1, j], cut[:, -1, j]
        error = now - LinearRegression().fit(past, now).predict(past)
        expected += error**2 / error.var()
    np.testing.assert_allclose(fitted.score(unrolled(fitted, series)), expected, rtol=1e-6)
    assert isinstance(fitted, QuadraticForm)


def test_var_scores_the_distance_of_forecast_errors(series: Frame, context: FitContext) -> None:
    fitted = Var(lags=2, penalty=0.01).fit(series, None, context)
    cut = windows(series, fitted, 2)
    past, now = cut[:, :-1, :].reshape(len(cut), -1), cut[:, -1, :]
    error = now - Ridge(alpha=0.01 * len(cut)).fit(past, now).predict(past)
    scores = fitted.score(unrolled(fitted, series))
    inverse = np.linalg.inv(np.cov(error.T, bias=True))
    expected = np.einsum("ij,jk,ik->i", error, inverse, error)
    assert np.corrcoef(scores, expected)[0, 1] > 0.999  # the covariance is shrunk a little
    assert scores.mean() == pytest.approx(2, rel=0.05)


def test_var_sees_what_ar_cannot(series: Frame, context: FitContext) -> None:
    broken = series.numeric().copy()
    broken[300:, 1] = broken[300:, 1][::-1]  # each signal alone still behaves
    frame = series.with_numeric(broken)
    ar, var = Ar(lags=2).fit(series, None, context), Var(lags=2).fit(series, None, context)
    rise = [
        np.median(f.score(unrolled(f, frame))[300:]) / np.median(f.score(unrolled(f, series)))
        for f in (ar, var)
    ]
    assert rise[1] > rise[0]


def test_sub_pca_is_a_pca_of_windows(series: Frame, context: FitContext) -> None:
    fitted = SubPca(window=6).fit(series, None, context)
    rows = unrolled(fitted, series)
    location, matrix = Pca(error_weight=1.0).form(fitted.coordinates(rows))
    offset = fitted.coordinates(rows) - location
    expected = np.einsum("ij,jk,ik->i", offset, matrix, offset)
    np.testing.assert_allclose(fitted.score(rows), expected, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("detector", [Ar(lags=20), Var(lags=20), SubPca(window=21)])
def test_a_window_longer_than_the_data_is_refused(detector: Ar, context: FitContext) -> None:
    with pytest.raises(TooFewRowsError, match="longer than the data"):
        detector.fit(Frame.of(np.arange(20.0)[:, None]), None, context)


def test_a_window_of_too_many_cells_is_refused(context: FitContext) -> None:
    with pytest.raises(LimitExceededError, match="has 2020 cells, more than 2000"):
        Var(lags=100).fit(Frame.of(np.zeros((200, 20))), None, context)
