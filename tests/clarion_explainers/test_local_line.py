import numpy as np
import pytest
from sklearn.linear_model import LinearRegression

from clarion.arrays import FloatArray
from clarion_explainers.local_line import LocalLine


def mirrored(half: FloatArray, weights: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The row itself, the points, their mirror images; and the weights of all."""
    design = np.concatenate([np.zeros((1, half.shape[1])), half, -half])
    return design, np.concatenate([[1.0], weights, weights])


@pytest.mark.parametrize("d", [1, 2, 17])
def test_equals_the_weighted_regression_of_scikit_learn(d: int) -> None:
    rng = np.random.default_rng(d)
    design, weights = mirrored(rng.normal(size=(64, d)), rng.uniform(0.1, 2.0, 64))
    target = 7 + design.sum(axis=1) + rng.normal(size=129)
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
    a, b, c = rng.normal(size=(3, 32))
    half = np.stack([a, b, a / 3 + b / 7, c], axis=1)
    design, weights = mirrored(half, rng.uniform(0.1, 1.0, 32))
    line = LocalLine()
    line.fit(design, design @ [1.0, -2.0, 0.0, 4.0], sample_weight=weights)
    np.testing.assert_allclose(line.coef_, [1.0, -2.0, 0.0, 4.0], atol=1e-10)
    off = line.replicates(rng)
    assert np.abs(off).max() < 1e-9
    assert not off[:, 2].any()


def test_huge_targets_have_a_finite_quality() -> None:
    rng = np.random.default_rng(0)
    design, weights = mirrored(rng.normal(size=(32, 2)), np.ones(32))
    line, target = LocalLine(), 1e200 * design[:, 0]
    line.fit(design, target, sample_weight=weights)
    assert line.score(design, target, sample_weight=weights) == pytest.approx(1.0)


@pytest.mark.parametrize("p", [32, 1024])
def test_replicates_spread_as_pairs_left_out_say(p: int) -> None:
    """HC3 over pairs: the sum of squared changes of the slopes as each pair is left out in turn."""
    rng = np.random.default_rng(4)
    half, weights = rng.normal(size=(p, 3)), rng.uniform(0.1, 2.0, p)
    design, both = mirrored(half, weights)
    target = design[:, 0] + rng.normal(size=len(design)) * (1 + design[:, 1] ** 2)
    line, left_out = LocalLine(), np.zeros(3)
    line.fit(design, target, sample_weight=both)
    for i in range(p):
        kept = np.delete(np.arange(2 * p + 1), [1 + i, 1 + p + i])
        peer = LinearRegression(fit_intercept=False)
        peer.fit(design[kept], target[kept], sample_weight=both[kept])
        left_out += (peer.coef_ - line.coef_) ** 2
    off = line.replicates(rng)
    assert off.shape == (max(p, 512), 3)
    np.testing.assert_allclose((off**2).mean(axis=0), left_out, rtol=1e-9)
