from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
from scipy import stats

from clarion.arrays import FloatArray
from clarion.detectors import KernelSum
from clarion.errors import UnsupportedPairError
from clarion.explainers import Attribution, Label, Scorable
from clarion.frames import Frame
from clarion.kernels.product_shap import quadrature
from clarion_explainers import product_kernel
from clarion_explainers.product_kernel import ProductKernelShap


@dataclass(frozen=True)
class Kernels:
    kernels: KernelSum

    def coordinates(self, frame: Frame) -> FloatArray:
        return frame.numeric() / 2

    def kernel_sum(self) -> KernelSum:
        return self.kernels

    def score(self, frame: Frame) -> FloatArray:
        k, u = self.kernels, self.coordinates(frame)
        distance = (k.gamma * (u[:, None] - k.points) ** 2).sum(axis=2)
        scores: FloatArray = k.offset + (k.weights * np.exp(-distance)).sum(axis=1)
        return scores


def scorable(d: int, m: int = 6, points: int = 40, seed: int = 0) -> Scorable:
    rng = np.random.default_rng(seed)
    kernels = KernelSum(
        rng.normal(size=(points, d)), -rng.uniform(size=points), rng.uniform(0.1, 1, d), 7.5
    )
    detector = Kernels(kernels)
    return Scorable(detector.score, Frame.of(rng.normal(size=(m, d))), detector)


def rows(n: int, d: int) -> Frame:
    return Frame.of(2 * np.random.default_rng(1).normal(size=(n, d)))


def explain(case: Scorable, frame: Frame, background_rows: int | None = None) -> Attribution:
    explainer = ProductKernelShap(background_rows=background_rows)
    return explainer.explain(case, frame, evaluations=0, seeds=np.zeros(len(frame), np.uint64))


@pytest.mark.parametrize(
    ("d", "m", "points"), [(1, 1, 1), (1, 4, 3), (2, 6, 33), (5, 1, 40), (8, 3, 64)]
)
def test_equals_enumeration_over_all_coalitions(
    d: int, m: int, points: int, marginal_shapley: Callable[[Scorable, Frame], FloatArray]
) -> None:
    case, frame = scorable(d, m, points), rows(3, d)
    answer = explain(case, frame)
    np.testing.assert_allclose(answer.contributions, marginal_shapley(case, frame), atol=1e-12)
    assert answer.label is Label.EXACT
    assert answer.base_value == pytest.approx(np.full(3, case.score(case.background).mean()))
    assert answer.additivity_error.max() <= 1e-12


def test_a_row_far_away_in_every_feature_shares_the_loss_equally() -> None:
    """One kernel, at the background row: any feature takes the kernel to 0, as an AND does."""
    d = 200
    detector = Kernels(KernelSum(np.zeros((1, d)), np.array([-3.0]), np.ones(d)))
    case = Scorable(detector.score, Frame.of(np.zeros((1, d))), detector)
    answer = explain(case, Frame.of(np.full((1, d), 1e9)))
    np.testing.assert_allclose(answer.contributions, np.full((1, d), 3.0 / d), rtol=1e-11)


@pytest.mark.parametrize("d", [1, 2, 3, 16, 17, 38, 63, 65, 100, 200, 1000, 4000])
def test_the_quadrature_is_exact_for_every_product_of_d_factors(d: int) -> None:
    """The integrands are nonnegative mixtures of Bernstein polynomials: their errors bound all."""
    nodes, weights = quadrature(d)
    assert nodes.min() > 0
    assert nodes.max() < 1
    basis = stats.binom.pmf(np.arange(d), d - 1, nodes[:, None])
    errors = (weights[:, None] * basis).sum(axis=0) - 1 / d
    assert np.abs(errors).sum() <= 1e-13


def test_a_feature_that_the_kernels_ignore_gets_nothing() -> None:
    case = scorable(4)
    assert isinstance(case.capability, Kernels)
    case.capability.kernels.gamma[:, 2] = 0.0
    assert not explain(case, rows(5, 4)).contributions[:, 2].any()


def test_adds_up_for_rows_beyond_all_scales() -> None:
    frame = Frame.of([[1e9] * 3, [-1e9, 0.0, 1e150], [0.0, 0.0, 0.0]])
    answer = explain(scorable(3), frame)
    assert answer.additivity_error.max() <= 1e-12


def test_a_row_gets_the_same_bits_alone_and_in_a_batch() -> None:
    frame = rows(40, 7)
    together = explain(scorable(7), frame)
    for i in (0, 20, 39):
        alone = explain(scorable(7), frame.take(np.array([i])))
        assert alone.contributions.tobytes() == together.contributions[i].tobytes()
        assert alone.additivity_error[0] == together.additivity_error[i]


def test_a_background_too_large_to_hold_is_worked_through_in_parts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    frame = rows(5, 3)
    whole = explain(scorable(3, m=11), frame)
    monkeypatch.setattr(product_kernel, "_CELLS", 3 * 40 * 2)
    in_parts = explain(scorable(3, m=11), frame)
    np.testing.assert_allclose(in_parts.contributions, whole.contributions, atol=1e-13)


def test_fewer_background_rows_are_the_game_over_those_rows() -> None:
    case, frame = scorable(3, m=9), rows(4, 3)
    fewer = explain(case, frame, background_rows=3)
    subset = Scorable(case.score, case.background.take(np.array([0, 3, 6])), case.capability)
    assert fewer.contributions.tobytes() == explain(subset, frame).contributions.tobytes()
    assert fewer.value_function == "marginal over 3 of the background's 9 rows"
    assert fewer.additivity_error.max() <= 1e-12
    # What was kept for 3 rows is not what 9 rows need.
    assert explain(case, frame).additivity_error.max() <= 1e-12


def test_detectors_that_are_no_sum_of_kernels_are_refused() -> None:
    case = scorable(2)
    alone = Scorable(case.score, case.background)
    assert ProductKernelShap().supports(alone) is None
    with pytest.raises(UnsupportedPairError, match="ProductKernel"):
        explain(alone, rows(1, 2))
