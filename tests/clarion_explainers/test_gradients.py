"""What `integrated_gradients` and `expected_gradients` promise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from clarion.arrays import FloatArray
from clarion.detectors import Quadratic
from clarion.errors import BudgetExceededError, InvalidFrameError, UnsupportedPairError
from clarion.explainers import Attribution, Explainer, Label, Role, Scorable
from clarion.explaining import ladder
from clarion.features import FitContext
from clarion.frames import Frame
from clarion.plugins import load_plugins
from clarion.registry import Registries
from clarion_detectors.autoencoder import Autoencoder
from clarion_detectors.deep_sad import DeepSad
from clarion_detectors.dnn import Dnn
from clarion_detectors.kitnet import Kitnet
from clarion_detectors.networks import dense_tensor
from clarion_explainers import gradient_paths, integrated_gradients
from clarion_explainers.expected_gradients import ExpectedGradients
from clarion_explainers.integrated_gradients import IntegratedGradients
from clarion_explainers.orders import enough_to_visit, visits
from clarion_explainers.quadratic import QuadraticShap

Function = Callable[[FloatArray], FloatArray]


@dataclass(frozen=True)
class Smooth:
    """A score ``value`` of rows (n, d), and its gradients ``slopes``."""

    value: Function
    slopes: Function

    def score(self, frame: Frame) -> FloatArray:
        return self.value(self.coordinates(frame))

    def coordinates(self, frame: Frame) -> FloatArray:
        return np.array(frame.numeric())

    def gradients(self, points: FloatArray) -> FloatArray:
        return self.slopes(points)

    def over(self, background: Any) -> Scorable:
        return Scorable(self.score, Frame.of(background), self)


LINEAR = Smooth(lambda u: u @ [1.0, -2.0, 3.0], lambda u: np.tile([1.0, -2.0, 3.0], (len(u), 1)))
MATRIX = np.array([[2.0, 1.0, 0.0], [1.0, 3.0, -1.0], [0.0, -1.0, 1.0]])
QUADRATIC = Smooth(lambda u: ((u @ MATRIX) * u).sum(axis=1), lambda u: 2 * u @ MATRIX)


def _tangled(u: FloatArray) -> FloatArray:
    a, b, c = np.tanh(u).T
    return np.asarray((2 + a) * (1 - b) * (2 + c) + a * a)


def _by_tangled(u: FloatArray) -> FloatArray:
    a, b, c = np.tanh(u).T
    by_a, by_b, by_c = (1 - b) * (2 + c) + 2 * a, -(2 + a) * (2 + c), (2 + a) * (1 - b)
    return np.asarray(np.column_stack([by_a, by_b, by_c]) * (1 - np.tanh(u) ** 2))


TANGLED = Smooth(_tangled, _by_tangled)


def _by_hinge(u: FloatArray) -> FloatArray:
    first = (u[:, 0] >= u[:, 1]) * 1.0
    return np.column_stack([first, 1 - first, np.zeros(len(u))])


HINGE = Smooth(lambda u: np.maximum(u[:, 0], u[:, 1]), _by_hinge)


def normal(m: int, d: int = 3) -> FloatArray:
    return np.random.default_rng(0).normal(size=(m, d))


def strange(n: int, d: int = 3) -> FloatArray:
    return 3 * np.random.default_rng(1).normal(size=(n, d))


def explain(
    explainer: Explainer, case: Scorable, rows: Any, evaluations: int = 0, seed: int = 0
) -> Attribution:
    frame, support = Frame.of(rows), explainer.supports(case)
    assert support is not None
    assert support.label is Label.ADDITIVE
    answer = explainer.explain(
        case,
        frame,
        evaluations=max(evaluations, support.evaluations),
        seeds=np.arange(seed, seed + len(frame), dtype=np.uint64),
    )
    assert answer.label is Label.ADDITIVE
    assert answer.additivity_error.max(initial=0.0) <= 1e-12
    return answer


def errors(answer: Attribution) -> FloatArray:
    assert answer.standard_error is not None
    return answer.standard_error


def integral(case: Smooth, start: FloatArray, row: FloatArray, places: int = 4000) -> FloatArray:
    """Return path integrals from rows ``start`` (m, d), by a fine sum, averaged over the rows."""
    at = (np.arange(places) + 0.5) / places
    points = start[:, None] + at[:, None] * (row - start)[:, None]
    slopes = case.gradients(points.reshape(-1, len(row))).reshape(points.shape)
    return np.asarray((slopes.mean(axis=1) * (row - start)).mean(axis=0))


# Integrated gradients -----------------------------------------------------------------------------


def test_a_linear_score_is_shared_out_from_the_median() -> None:
    background = [[0.0, 1.0, 5.0], [2.0, 3.0, 5.0], [1.0, 100.0, 5.0], [9.0, 2.0, 5.0]]
    answer = explain(IntegratedGradients(), LINEAR.over(background), [[4.0, 4.0, 4.0]])
    np.testing.assert_allclose(answer.base_value, [1.0 - 2 * 2.0 + 3 * 5.0])
    np.testing.assert_allclose(answer.contributions, [[3.0, -4.0, -3.0]], atol=1e-12)
    assert errors(answer).max() < 1e-12


def test_a_quadratic_score_is_shared_out_by_the_closed_form() -> None:
    """From one baseline b its Shapley values are ``(u - b) A (u + b)``."""
    base, rows = np.array([1.0, -2.0, 0.5]), strange(5)
    answer = explain(IntegratedGradients(nodes=2), QUADRATIC.over([base]), rows)
    np.testing.assert_allclose(answer.contributions, (rows - base) * ((rows + base) @ MATRIX))


def test_a_kink_on_the_way_is_within_the_errors_given() -> None:
    """From (0, 1) to (2, 0) the second feature leads for a third of the way."""
    answer = explain(IntegratedGradients(), HINGE.over([[0.0, 1.0, 7.0]]), [[2.0, 0.0, 9.0]])
    off = np.abs(answer.contributions - [[4 / 3, -1 / 3, 0.0]])
    assert (off <= errors(answer)).all()
    assert (errors(answer)[0, :2] > 1e-4).all()
    assert [answer.contributions[0, 2], errors(answer)[0, 2]] == [0.0, 0.0]


def test_more_nodes_close_the_gap() -> None:
    """What is shared out, and what is reported, falls as the quadrature gets better."""
    row, case = strange(1), TANGLED.over(normal(9))
    baseline = np.median(normal(9), axis=0)[None, :]
    truth = integral(TANGLED, baseline, row[0], places=200_000)
    answers = [explain(IntegratedGradients(nodes=nodes), case, row) for nodes in (2, 4, 8, 16)]
    off = np.array([np.abs(answer.contributions[0] - truth).max() for answer in answers])
    reported = np.array([errors(answer).max() for answer in answers])
    assert (off[1:] < off[:-1] / 50).all()
    assert (reported[1:] < reported[:-1]).all()
    assert (off < reported).all()
    assert reported[0] < np.abs(truth).sum()


@pytest.mark.parametrize("explainer", [IntegratedGradients(), ExpectedGradients()], ids=str)
@pytest.mark.parametrize("case", [LINEAR, QUADRATIC, TANGLED, HINGE])
def test_a_background_that_never_moves_is_no_trouble(explainer: Explainer, case: Smooth) -> None:
    rows = np.vstack([strange(3), np.ones((1, 3))])
    for background in (np.ones((5, 3)), np.ones((1, 3))):
        answer = explain(explainer, case.over(background), rows)
        np.testing.assert_allclose(answer.base_value, case.value(np.ones((1, 3)))[0])
        assert not answer.contributions[3].any()
        assert not errors(answer)[3].any()


@pytest.mark.parametrize("explainer", [IntegratedGradients(), ExpectedGradients()], ids=str)
def test_players_get_the_sums_of_their_features(explainer: Explainer) -> None:
    alone, rows = TANGLED.over(normal(12)), strange(4)
    grouped = replace(alone, players=np.array([1, 0, 1]))
    wanted = grouped.by_player(explain(explainer, alone, rows).contributions)
    answer = explain(explainer, grouped, rows)
    assert answer.contributions.shape == (4, 2)
    # Sampled ones are corrected by regressions of their own.
    tolerance = 1e-12 if isinstance(explainer, IntegratedGradients) else 8 * errors(answer)
    assert (np.abs(answer.contributions - wanted) <= tolerance).all()


@pytest.mark.parametrize("explainer", [IntegratedGradients(), ExpectedGradients()], ids=str)
def test_small_parts_change_no_bit(explainer: Explainer, monkeypatch: pytest.MonkeyPatch) -> None:
    case, rows = TANGLED.over(normal(20)), strange(9)
    wanted = explain(explainer, case, rows)
    for module, name, size in (
        (integrated_gradients, "CELLS", 2 * 3 * 48),
        (gradient_paths, "CELLS", 3 * 5),
        (gradient_paths, "_POINTS", 2),
    ):
        monkeypatch.setattr(module, name, size)
        answer = explain(explainer, TANGLED.over(normal(20)), rows)
        assert answer.contributions.tobytes() == wanted.contributions.tobytes()
        assert errors(answer).tobytes() == errors(wanted).tobytes()


# Expected gradients -------------------------------------------------------------------------------


def test_a_linear_score_is_shared_out_from_the_mean() -> None:
    background = normal(10)
    answer = explain(ExpectedGradients(), LINEAR.over(background), strange(4), evaluations=100)
    wanted = [1.0, -2.0, 3.0] * (strange(4) - background.mean(axis=0))
    np.testing.assert_allclose(answer.contributions, wanted, rtol=1e-9, atol=1e-9)
    assert errors(answer).max() < 1e-9


def test_the_whole_background_gives_a_quadratic_score_its_shap_values() -> None:
    """Aumann and Shapley's values are Shapley's there, and two places make the integral."""

    class Form(Smooth):
        def quadratic(self) -> Quadratic:
            return Quadratic(np.zeros(3), MATRIX)

    case, rows = Form(QUADRATIC.value, QUADRATIC.slopes).over(normal(12)), strange(4)
    answer = explain(ExpectedGradients(), case, rows, evaluations=10_000)
    exact = QuadraticShap().explain(
        case, Frame.of(rows), evaluations=0, seeds=np.zeros(4, np.uint64)
    )
    np.testing.assert_allclose(answer.contributions, exact.contributions, atol=1e-9)
    np.testing.assert_allclose(answer.base_value, exact.base_value)
    assert errors(answer).max() < 1e-6


@pytest.mark.parametrize("case", [TANGLED, HINGE], ids=["smooth", "kinked"])
@pytest.mark.parametrize(("m", "pairs"), [(1, 16), (6, 16), (100, 32), (100, 118)])
def test_estimates_are_unbiased_and_their_standard_errors_honest(
    case: Smooth, m: int, pairs: int
) -> None:
    """With all, and with few of the background's rows visited."""
    repeats, row = 300, np.array([1.5, -1.0, 0.7])
    truth = integral(case, normal(m), row)
    rows = np.tile(row, (repeats, 1))
    answer = explain(ExpectedGradients(), case.over(normal(m)), rows, evaluations=2 * pairs)
    off = answer.contributions - truth
    actual = off.std(axis=0)
    # A regression's own bias is of the order of 1 / pairs of what is left of the deviation.
    assert (np.abs(off.mean(axis=0)) < (4 / np.sqrt(repeats) + 4 / pairs) * actual + 1e-6).all()
    reported = np.sqrt((errors(answer) ** 2).mean(axis=0))
    assert (0.85 * actual < reported + 1e-9).all()
    assert (reported < 1.3 * actual + 1e-9).all()


def test_no_more_is_drawn_than_visits_the_whole_background() -> None:
    asked: list[int] = []

    def slopes(points: FloatArray) -> FloatArray:
        asked.append(len(points))
        return TANGLED.slopes(points)

    case = Smooth(TANGLED.value, slopes).over(normal(30))
    for evaluations, wanted in ((32, 32), (50, 50), (10_000, 2 * enough_to_visit(30))):
        asked.clear()
        explain(ExpectedGradients(), case, strange(1), evaluations=evaluations)
        assert sum(asked) == wanted


@pytest.mark.parametrize("rows", [4, 5, 29, 35, 36, 200])
def test_enough_to_visit_is_enough_and_no_more(rows: int) -> None:
    pairs = enough_to_visit(rows)
    drawn = [len(visits(p, rows, np.random.default_rng(0))[0]) for p in (pairs, pairs - 1)]
    assert drawn[0] == rows
    assert drawn[1] == rows - 1 or pairs == 8


def test_another_seed_draws_others() -> None:
    one, other = (
        explain(ExpectedGradients(), TANGLED.over(normal(50)), strange(1), seed=seed)
        for seed in (1, 2)
    )
    assert (one.contributions != other.contributions).all()


# Real detectors -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def kitnet() -> Scorable:
    frame = Frame.of(normal(200, 5) @ np.triu(np.ones((5, 5))))
    fitted = Kitnet().fit(frame, None, FitContext(np.random.default_rng(0), Registries()))
    return Scorable(fitted.score, frame.take(slice(0, 40)), fitted)


def test_the_gradient_family_stands_before_permutations(kitnet: Scorable) -> None:
    able = ladder.rungs(kitnet, load_plugins(), Role.DECOMPOSITION)
    order = [rung.name for rung in able if rung.name != "kernel_shap"]
    assert order == ["expected_gradients", "integrated_gradients", "permutation_shap"]
    assert ladder.best(able, 2048).name == "expected_gradients"


@pytest.mark.parametrize("explainer", [IntegratedGradients(), ExpectedGradients()], ids=str)
def test_what_cannot_be_explained_is_said(explainer: Explainer, kitnet: Scorable) -> None:
    seeds = np.zeros(1, np.uint64)
    row = kitnet.background.take(slice(0, 1))
    with pytest.raises(BudgetExceededError, match=r"needs \d+ evaluations a row, not 31"):
        explainer.explain(kitnet, row, evaluations=31, seeds=seeds)
    opaque = Scorable(kitnet.score, kitnet.background)
    assert explainer.supports(opaque) is None
    with pytest.raises(UnsupportedPairError, match="Differentiable"):
        explainer.explain(opaque, row, evaluations=2048, seeds=seeds)
    values = row.numeric().copy()
    values[0, 2] = np.nan
    with pytest.raises(InvalidFrameError, match="x2"):
        explainer.explain(kitnet, Frame.of(values), evaluations=2048, seeds=seeds)


@pytest.mark.parametrize("explainer", [IntegratedGradients(), ExpectedGradients()], ids=str)
def test_a_row_far_beyond_all_others_still_has_its_culprit(
    explainer: Explainer, kitnet: Scorable
) -> None:
    values = np.array(kitnet.background.numeric()[:3])
    values[0, 1], values[1, 3], values[2, 4] = 1e8, -1e30, 1.7e308
    answer = explain(explainer, kitnet, values)
    assert np.argmax(answer.contributions, axis=1).tolist() == [1, 3, 4]
    assert np.isfinite(errors(answer)).all()


def _score_tensor(detector: Any, fitted: Any, points: Any) -> Any:
    """Return the score of coordinates, as torch computes it."""
    import torch

    weights = {name: torch.tensor(weight) for name, weight in fitted.weights.items()}
    shown = points.clamp(-fitted.reach, fitted.reach)
    outputs = dense_tensor(
        {name: w for name, w in weights.items() if name != "middle"}, "layer", shown
    )
    if isinstance(detector, Autoencoder):
        return (points - outputs).square().sum(1)
    return (
        outputs[:, 0]
        if isinstance(detector, Dnn)
        else (outputs - weights["middle"]).square().sum(1)
    )


@pytest.mark.parametrize(
    "detector",
    [Autoencoder(epochs=4), Dnn(epochs=4), DeepSad(epochs=4)],
    ids=lambda d: type(d).__name__,
)
def test_captum_integrates_the_same_network_to_the_same(detector: Any) -> None:
    """Nodes for nodes, up to the gap that is shared out."""
    pytest.importorskip("torch", reason="the extra 'deep' is not installed")
    captum = pytest.importorskip("captum.attr", reason="the extra 'deep' is not installed")
    import torch

    labels = np.arange(120) % 10 == 9
    values = normal(120, 6) + 4.0 * labels[:, None]
    context = FitContext(np.random.default_rng(0), Registries())
    fitted = detector.fit(Frame.of(values), labels, context)
    background, rows = Frame.of(normal(21, 6)), Frame.of(strange(5, 6))
    case = Scorable(fitted.score, background, fitted)
    ours = explain(IntegratedGradients(nodes=20), case, rows.numeric())
    baseline = Frame.of(np.median(background.numeric(), axis=0)[None, :])
    theirs, gap = captum.IntegratedGradients(
        lambda u: _score_tensor(detector, fitted, u)
    ).attribute(
        torch.tensor(fitted.coordinates(rows)),
        torch.tensor(fitted.coordinates(baseline)),
        n_steps=20,
        method="gausslegendre",
        return_convergence_delta=True,
    )
    theirs, gap = theirs.numpy(), gap.numpy()
    mended = theirs - gap[:, None] * np.abs(theirs) / np.abs(theirs).sum(axis=1, keepdims=True)
    # captum takes its places and weights in single precision.
    off = np.abs(ours.contributions - mended).max(axis=1)
    assert (off <= 1e-6 * np.abs(mended).sum(axis=1)).all()
    assert (np.abs(ours.contributions - theirs) <= errors(ours) + off[:, None]).all()
    assert np.abs(gap).max() > 1e-6
