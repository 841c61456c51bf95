from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from clarion.arrays import FloatArray
from clarion.detectors import Layers
from clarion.errors import BudgetExceededError, MissingExtraError, UnsupportedPairError
from clarion.explainers import Attribution, Label, Role, Scorable
from clarion.explaining import ladder
from clarion.features import FitContext
from clarion.frames import Frame
from clarion.plugins import load_plugins
from clarion.registry import Registries
from clarion_detectors.autoencoder import Autoencoder
from clarion_detectors.dnn import Dnn
from clarion_explainers.deep_shap import DeepShap

pytest.importorskip("shap", reason="the extra 'explain' is not installed")
torch = pytest.importorskip("torch", reason="the extra 'deep' is not installed")


@dataclass(frozen=True)
class Network:
    """Layers over the signals themselves."""

    parts: Layers

    def layers(self) -> Layers:
        return self.parts

    def coordinates(self, frame: Frame) -> FloatArray:
        return np.array(frame.numeric())

    def score(self, frame: Frame) -> FloatArray:
        values = self.coordinates(frame)
        for i, (weights, biases) in enumerate(
            zip(self.parts.weights, self.parts.biases, strict=True)
        ):
            values = values @ weights + biases
            if i < len(self.parts.weights) - 1:
                values = np.where(values < 0, self.parts.slope * values, values)
        return np.ascontiguousarray(values[:, 0])

    def over(self, background: Any) -> Scorable:
        return Scorable(self.score, Frame.of(background), self)


def explain(case: Scorable, frame: Frame) -> Attribution:
    support = DeepShap().supports(case)
    assert support is not None
    assert support.label is Label.ADDITIVE
    seeds = np.zeros(len(frame), np.uint64)
    answer = DeepShap().explain(case, frame, evaluations=support.evaluations, seeds=seeds)
    assert answer.additivity_error.max(initial=0.0) <= 1e-12
    np.testing.assert_array_equal(answer.base_value, case.mean_score())
    return answer


@pytest.fixture(scope="module")
def dnn() -> Scorable:
    rng = np.random.default_rng(0)
    labels = np.arange(300) % 10 == 9
    frame = Frame.of(rng.normal(size=(300, 6)) + 3.0 * labels[:, None] * [1, 0, 0, -1, 0, 0])
    fitted = Dnn(epochs=10).fit(frame, labels, FitContext(rng, Registries()))
    return Scorable(fitted.score, Frame.of(rng.normal(size=(12, 6))), fitted)


def test_a_network_without_hidden_layers_is_linear() -> None:
    layers = Layers((np.array([[2.0], [-1.0]]),), (np.array([5.0]),), 0.01)
    answer = explain(Network(layers).over([[0.0, 1.0], [2.0, 3.0]]), Frame.of([[4.0, 4.0]]))
    np.testing.assert_allclose(answer.contributions, [[6.0, -2.0]])


def test_one_rectifier_is_shared_out_by_its_secant() -> None:
    """Its input goes from -1 to 2, its output from -0.1 to 2: 0.7 for each 1 of the input."""
    layers = Layers(
        (np.array([[1.0], [1.0]]), np.array([[10.0]])), (np.array([-1.0]), np.array([3.0])), 0.1
    )
    answer = explain(Network(layers).over([[0.0, 0.0]]), Frame.of([[4.0, -1.0]]))
    np.testing.assert_allclose(answer.contributions, [[28.0, -7.0]])


def test_captum_gives_a_trained_network_the_same(dnn: Scorable) -> None:
    """DeepLIFT against each background row, averaged, by another library on a network built apart."""
    captum = pytest.importorskip("captum.attr", reason="the extra 'deep' is not installed")
    fitted: Any = dnn.capability
    parts: list[Any] = []
    for i in range(3):
        weights, biases = (fitted.weights[f"layer{i}.{kind}"] for kind in ("weights", "biases"))
        linear = torch.nn.Linear(*weights.shape).double()
        with torch.no_grad():
            linear.weight.copy_(torch.tensor(weights.T.copy()))
            linear.bias.copy_(torch.tensor(biases))
        parts += [linear, torch.nn.LeakyReLU(0.01)]
    peer = captum.DeepLift(torch.nn.Sequential(*parts[:-1]))
    frame = Frame.of(np.random.default_rng(2).normal(size=(4, 6)) * 3)
    points, background = (
        torch.tensor(fitted.coordinates(rows)) for rows in (frame, dnn.background)
    )
    wanted = np.mean(
        [
            peer.attribute(points, base[None, :].expand(4, 6), target=0).detach().numpy()
            for base in background
        ],
        axis=0,
    )
    np.testing.assert_allclose(explain(dnn, frame).contributions, wanted, rtol=1e-6, atol=1e-6)


def test_a_row_gets_the_same_bits_alone_and_nothing_else_moves(dnn: Scorable) -> None:
    frame = Frame.of(np.random.default_rng(3).normal(size=(5, 6)) * 2)
    torch.manual_seed(4)
    together = explain(dnn, frame)
    drawn = torch.rand(1)
    torch.manual_seed(4)
    assert torch.rand(1) == drawn
    for i in (4, 0):
        alone = explain(dnn, frame.take(slice(i, i + 1)))
        assert alone.contributions.tobytes() == together.contributions[i].tobytes()


def test_a_row_beyond_the_networks_reach_adds_up(dnn: Scorable) -> None:
    answer = explain(dnn, Frame.of([[1e300, 0.0, 0.0, -1e12, 0.0, 0.0]]))
    assert np.isfinite(answer.contributions).all()


def test_errors_of_copies_are_not_for_it(dnn: Scorable) -> None:
    rng = np.random.default_rng(0)
    frame = Frame.of(rng.normal(size=(50, 4)))
    fitted = Autoencoder(epochs=1).fit(frame, None, FitContext(rng, Registries()))
    case, seeds = Scorable(fitted.score, frame, fitted), np.zeros(1, np.uint64)
    assert DeepShap().supports(case) is None
    with pytest.raises(UnsupportedPairError, match="FeedForward"):
        DeepShap().explain(case, frame.take(slice(0, 1)), evaluations=10**6, seeds=seeds)
    row = dnn.background.take(slice(0, 1))
    with pytest.raises(BudgetExceededError, match="needs 112 evaluations a row, not 111"):
        DeepShap().explain(dnn, row, evaluations=111, seeds=seeds)


@pytest.mark.parametrize("m", [1, 12])
def test_the_ladder_prefers_the_gradient_family(m: int, dnn: Scorable) -> None:
    case = Scorable(dnn.score, dnn.background.take(slice(0, m)), dnn.capability)
    able = ladder.rungs(case, load_plugins(), Role.DECOMPOSITION)
    assert [rung.name for rung in able] == [
        "expected_gradients",
        "integrated_gradients",
        "deep_shap",
        "permutation_shap",
        "kernel_shap",
    ]


@pytest.mark.parametrize(("library", "extra"), [("shap", "explain"), ("torch", "deep")])
def test_without_a_library_it_is_passed_over_and_by_name_the_cure_is_told(
    library: str, extra: str, dnn: Scorable, monkeypatch: pytest.MonkeyPatch
) -> None:
    missing: Any = None
    monkeypatch.setitem(sys.modules, library, missing)
    registries = load_plugins()
    able = ladder.rungs(dnn, registries, Role.DECOMPOSITION)
    assert "deep_shap" not in [rung.name for rung in able]
    with pytest.raises(MissingExtraError, match=rf"pip install 'clarion\[{extra}\]'"):
        ladder.named(dnn, registries, "deep_shap", Role.DECOMPOSITION)
