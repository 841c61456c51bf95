from __future__ import annotations

import numpy as np
import pytest
from sklearn.kernel_approximation import Nystroem
from sklearn.linear_model import SGDOneClassSVM
from sklearn.svm import OneClassSVM

from clarion.detectors import ProductKernel
from clarion.errors import ArtifactCorruptError, TooFewRowsError
from clarion.features import FitContext
from clarion.frames import Frame
from clarion.registry import Registries
from clarion.state import State
from clarion_detectors.kernel_score import FittedKernelSum
from clarion_detectors.one_class_svm import OneClassSvm


def ring(rng: np.random.Generator, rows: int = 300) -> Frame:
    angle, radius = rng.uniform(0, 2 * np.pi, rows), 1 + 0.1 * rng.normal(size=rows)
    points = np.column_stack(
        [radius * np.cos(angle), radius * np.sin(angle), rng.normal(size=rows)]
    )
    return Frame.of(points * [1, 500, 0.01] + [0, 40, 0])


@pytest.mark.parametrize("options", [{}, {"nu": 0.4}, {"gamma": 3.0}])
def test_it_scores_as_scikit_learn(
    rng: np.random.Generator, context: FitContext, options: dict[str, float]
) -> None:
    frame = ring(rng)
    fitted = OneClassSvm(**options).fit(frame, None, context)  # type: ignore[arg-type]  # one type for all options
    nu, gamma = options.get("nu", 0.05), options.get("gamma", "scale")
    peer = OneClassSVM(nu=nu, gamma=gamma).fit(fitted.coordinates(frame))
    given = Frame.of(np.vstack([ring(rng, 100).values, [[0.0, 40.0, 0.0], [9.0, 900.0, 1.0]]]))
    expected = -peer.decision_function(fitted.coordinates(given))
    np.testing.assert_allclose(fitted.score(given), expected, atol=1e-10)


def test_the_kernel_sum_is_the_score(rng: np.random.Generator, context: FitContext) -> None:
    frame = ring(rng)
    fitted = OneClassSvm().fit(frame, None, context)
    kernels = fitted.kernel_sum()
    gaps = fitted.coordinates(frame)[:, None, :] - kernels.points
    factors = np.exp(-kernels.gamma * np.square(gaps))
    expected = kernels.offset + factors.prod(axis=2) @ kernels.weights
    np.testing.assert_allclose(fitted.score(frame), expected, atol=1e-12)
    assert isinstance(fitted, ProductKernel)


def test_the_middle_of_a_ring_is_strange(rng: np.random.Generator, context: FitContext) -> None:
    frame = ring(rng)
    fitted = OneClassSvm(gamma=1.0).fit(frame, None, context)
    assert fitted.score(Frame.of([[0.0, 40.0, 0.0]]))[0] > np.quantile(fitted.score(frame), 0.99)


def test_fitted_rows_are_bounded_and_drawn_by_the_seed(rng: np.random.Generator) -> None:
    frame = ring(rng)
    contexts = [FitContext(np.random.default_rng(seed), Registries()) for seed in (1, 1, 2)]
    plugin = OneClassSvm(max_fit_rows=40, nu=0.99)
    first, again, other = (plugin.fit(frame, None, c).kernels.points for c in contexts)
    assert first.shape == (40, 3)
    assert first.tobytes() == again.tobytes() != other.tobytes()


def test_huge_and_constant_values_stay_finite(context: FitContext) -> None:
    fitted = OneClassSvm().fit(Frame.of([[1.0, 5.0]] * 20), None, context)
    huge, same = fitted.score(Frame.of([[1.7e308, -1.7e308], [1.0, 5.0]]))
    assert np.isfinite(huge)
    assert huge > same


def test_two_rows_are_the_least(context: FitContext) -> None:
    with pytest.raises(TooFewRowsError, match="at least 2 rows"):
        OneClassSvm().fit(Frame.of([[1.0]]), None, context)


def test_the_state_gives_the_same_bits_back(rng: np.random.Generator, context: FitContext) -> None:
    frame = ring(rng)
    fitted = OneClassSvm().fit(frame, None, context)
    state = fitted.state()
    again = FittedKernelSum.from_state(state)
    assert again.score(frame).tobytes() == fitted.score(frame).tobytes()
    short = {**state.arrays, "weights": state.arrays["weights"][1:]}
    with pytest.raises(ArtifactCorruptError, match="weights"):
        FittedKernelSum.from_state(State(1, state.parameters, short))


def test_the_approximation_scores_as_scikit_learn(
    rng: np.random.Generator, context: FitContext
) -> None:
    frame = Frame.of(rng.normal(size=(800, 3)))
    fitted = OneClassSvm(landmarks=60, gamma=0.3).fit(frame, None, context)
    seed = int(np.random.default_rng(11).integers(2**32))
    u = fitted.coordinates(frame)
    features = Nystroem(gamma=0.3, n_components=60, random_state=seed).fit(u)
    peer = SGDOneClassSVM(nu=0.05, random_state=seed).fit(features.transform(u))
    theirs = -peer.decision_function(features.transform(u))
    np.testing.assert_allclose(fitted.score(frame), theirs, atol=1e-9)
    assert len(fitted.kernels.points) == 60
