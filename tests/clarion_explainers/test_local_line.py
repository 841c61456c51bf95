import numpy as np
import pytest
from sklearn.linear_model import LinearRegression

from clarion_explainers.local_line import LocalLine


@pytest.mark.parametrize("d", [1, 2, 17])
def test_equals_the_weighted_regression_of_scikit_learn(d: int) -> None:
    rng = np.random.default_rng(d)
    design, weights = 5 + rng.normal(size=(60, d)), rng.uniform(0.1, 2.0, 60)
    target = design.sum(axis=1) + rng.normal(size=60)
    line, peer = LocalLine(), LinearRegression()
    line.fit(design, target, sample_weight=weights)
    peer.fit(design, target, sample_weight=weights)
    np.testing.assert_allclose(line.coef_, peer.coef_, rtol=1e-10)
    assert line.intercept_ == pytest.approx(peer.intercept_, rel=1e-9)
    np.testing.assert_allclose(line.predict(design), peer.predict(design))
    own = line.score(design, target, sample_weight=weights)
    assert own == pytest.approx(peer.score(design, target, sample_weight=weights), rel=1e-10)


@pytest.mark.parametrize("seed", range(20))
def test_a_column_that_follows_from_others_gets_no_slope(seed: int) -> None:
    rng = np.random.default_rng(seed)
    a, b, c = rng.normal(size=(3, 50))
    line = LocalLine()
    line.fit(
        np.stack([a, b, a / 3 + b / 7, c], axis=1),
        a - 2 * b + 4 * c,
        sample_weight=rng.uniform(size=50),
    )
    np.testing.assert_allclose(line.coef_, [1.0, -2.0, 0.0, 4.0], atol=1e-10)


def test_huge_targets_have_a_finite_quality() -> None:
    rng = np.random.default_rng(0)
    design, line = rng.normal(size=(50, 2)), LocalLine()
    target = 1e200 * design[:, 0]
    line.fit(design, target, sample_weight=np.ones(50))
    assert line.score(design, target, sample_weight=np.ones(50)) == pytest.approx(1.0)
