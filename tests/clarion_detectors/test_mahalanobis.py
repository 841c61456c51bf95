from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial import distance
from sklearn.covariance import LedoitWolf

from clarion.errors import InvalidFrameError, TooFewRowsError
from clarion.features import FitContext
from clarion.frames import Frame
from clarion_detectors.mahalanobis import Mahalanobis
from clarion_detectors.quadratic_score import FittedQuadratic


def correlated(rng: np.random.Generator, rows: int) -> Frame:
    mix = rng.normal(size=(4, 4))
    return Frame.of(rng.normal(size=(rows, 4)) @ mix * [1, 50, 1e-3, 7] + [0, 900, 2, -5])


def test_the_score_is_scipys_distance_squared_under_scikit_learns_covariance(
    rng: np.random.Generator, context: FitContext
) -> None:
    frame = correlated(rng, 300)
    fitted = Mahalanobis().fit(frame, None, context)
    points = fitted.coordinates(frame)
    peer = LedoitWolf().fit(points)
    expected = [distance.mahalanobis(u, peer.location_, peer.precision_) ** 2 for u in points]
    np.testing.assert_allclose(fitted.score(frame), expected, rtol=1e-10)


def test_scores_do_not_depend_on_the_units_of_the_signals(
    rng: np.random.Generator, context: FitContext
) -> None:
    frame = correlated(rng, 200)
    other_units = Frame.of(frame.values * [1000.0, 0.01, 3.6, 1.8] + [0, 273.15, 0, 32])
    scores = [Mahalanobis().fit(f, None, context).score(f) for f in (frame, other_units)]
    np.testing.assert_allclose(scores[0], scores[1], rtol=1e-9)


def test_the_quadratic_form_is_the_score(rng: np.random.Generator, context: FitContext) -> None:
    frame = correlated(rng, 50)
    fitted = Mahalanobis().fit(frame, None, context)
    form = fitted.quadratic()
    delta = fitted.coordinates(frame) - form.center
    expected = np.einsum("ij,jk,ik->i", delta, form.matrix, delta) + form.offset
    np.testing.assert_allclose(fitted.score(frame), expected, rtol=1e-12)
    assert (form.matrix == form.matrix.T).all()
    assert np.linalg.eigvalsh(form.matrix).min() > 0


def test_a_constant_signal_counts_in_percent_of_its_size(context: FitContext) -> None:
    frame = Frame.of([[0.0, 20.0], [2.0, 20.0], [4.0, 20.0]])
    fitted = Mahalanobis(shrinkage=0.0).fit(frame, None, context)
    changed = Frame.of([[2.0, 20.0], [2.0, 21.0]])
    np.testing.assert_allclose(fitted.score(changed), [0.0, 25.0])


def test_collinear_signals_stay_finite_and_break_loudly(
    rng: np.random.Generator, context: FitContext
) -> None:
    column = rng.normal(size=100)
    fitted = Mahalanobis(shrinkage=0.0).fit(
        Frame.of(np.column_stack([column, column])), None, context
    )
    together, apart = fitted.score(Frame.of([[3.0, 3.0], [1.0, -1.0]]))
    assert apart > 1e5 * together
    huge = fitted.score(Frame.of([[1e300, -1e300], [-1.7e308, 1.7e308]]))
    assert np.isfinite(huge).all()


def test_two_rows_are_the_least(context: FitContext) -> None:
    with pytest.raises(TooFewRowsError, match="at least 2 rows, and there are 1"):
        Mahalanobis().fit(Frame.of([[1.0, 2.0]]), None, context)


def test_a_missing_cell_is_named(context: FitContext) -> None:
    fitted = Mahalanobis().fit(Frame.of([[1.0], [2.0]], ["flow"]), None, context)
    with pytest.raises(InvalidFrameError, match=r"'flow' is missing .* row 1"):
        fitted.score(Frame.of([[1.0], [np.nan]], ["flow"]))


def test_the_state_gives_the_same_bits_back(rng: np.random.Generator, context: FitContext) -> None:
    frame = correlated(rng, 64)
    fitted = Mahalanobis().fit(frame, None, context)
    again = FittedQuadratic.from_state(fitted.state())
    assert again.score(frame).tobytes() == fitted.score(frame).tobytes()


def test_a_robust_covariance_does_not_follow_a_fifth_of_bad_rows(
    rng: np.random.Generator, context: FitContext
) -> None:
    good = rng.multivariate_normal([0, 0], [[1, 0.9], [0.9, 1]], size=800)
    bad = rng.normal([6, -6], 0.3, size=(200, 2))
    mixed = Frame.of(np.vstack([good, bad]))
    plain, robust = (
        Mahalanobis(robust=option).fit(mixed, None, context) for option in (False, True)
    )
    assert robust.score(mixed)[800:].min() > 10 * np.quantile(robust.score(mixed)[:800], 0.99)
    assert plain.score(mixed)[800:].min() < np.quantile(plain.score(mixed)[:800], 0.99)


def test_a_robust_covariance_of_few_or_constant_rows_is_the_plain_one(context: FitContext) -> None:
    for rows in ([[1.0, 2.0], [2.0, 1.0], [3.0, 3.0]], [[4.0, 4.0]] * 20):
        frame = Frame.of(rows)
        plain, robust = (
            Mahalanobis(robust=option).fit(frame, None, context) for option in (False, True)
        )
        assert plain.score(frame).tobytes() == robust.score(frame).tobytes()
