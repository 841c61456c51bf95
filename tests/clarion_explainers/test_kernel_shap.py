from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest
from scipy import stats

from clarion.arrays import FloatArray
from clarion.errors import BudgetExceededError, MissingExtraError, UnsupportedPairError
from clarion.explainers import Attribution, Label, Role, Scorable
from clarion.explaining import ladder
from clarion.frames import Frame, Signal, SignalKind
from clarion.plugins import load_plugins
from clarion_explainers.kernel_shap import KernelShap
from clarion_explainers.permutation_shap import PermutationShap

pytest.importorskip("shap", reason="the extra 'explain' is not installed")


def tangled(frame: Frame) -> FloatArray:
    """Every set of features interacts."""
    a, b, c, d, e = np.tanh(frame.numeric()).T
    return np.asarray((2 + a) * (1 - b) * (2 + c) * (1 + d) * (2 - e))


def scorable(m: int) -> Scorable:
    return Scorable(tangled, Frame.of(np.random.default_rng(0).normal(size=(m, 5))))


def explain(
    case: Scorable, frame: Frame, explainer: KernelShap | None = None, evaluations: int = 0
) -> Attribution:
    explainer = explainer or KernelShap()
    support = explainer.supports(case)
    assert support is not None
    assert support.label is Label.SAMPLED
    answer = explainer.explain(
        case,
        frame,
        evaluations=max(evaluations, support.evaluations),
        seeds=np.arange(len(frame), dtype=np.uint64),
    )
    assert answer.additivity_error.max(initial=0.0) <= 1e-12
    return answer


def errors(answer: Attribution) -> FloatArray:
    assert answer.standard_error is not None
    return answer.standard_error


def test_and_and_xor_of_two_features() -> None:
    both = Scorable(lambda f: f.numeric().prod(axis=1), Frame.of([[0.0, 0.0]]))
    answer = explain(both, Frame.of([[1.0, 1.0]]))
    np.testing.assert_allclose(answer.contributions, [[0.5, 0.5]], atol=1e-9)
    assert errors(answer).max() < 1e-9
    one = Scorable(lambda f: (f.numeric()[:, 0] != f.numeric()[:, 1]) * 1.0, both.background)
    answer = explain(one, Frame.of([[1.0, 1.0], [1.0, 0.0]]))
    np.testing.assert_allclose(answer.contributions, [[0.0, 0.0], [1.0, 0.0]], atol=1e-9)


def _linear(weights: FloatArray, frame: Frame) -> FloatArray:
    return np.asarray(frame.numeric() @ weights)


def test_a_linear_score_is_exact_also_when_it_is_tiny_or_huge() -> None:
    weights, base = np.array([1.0, -2.0, 3.0, 0.0]), np.array([1.0, 2.0, 3.0, 4.0])
    rows = np.random.default_rng(1).normal(size=(2, 4))
    for unit in (1.0, 1e-20, 1e250):
        score = partial(_linear, unit * weights)
        answer = explain(Scorable(score, Frame.of(base[None, :])), Frame.of(rows))
        np.testing.assert_allclose(
            answer.contributions / unit, weights * (rows - base), atol=1e-8, rtol=1e-9
        )


@pytest.mark.parametrize("m", [4, 60])
def test_the_truth_is_as_far_as_the_standard_errors_say(
    m: int, marginal_shapley: Callable[[Scorable, Frame], FloatArray]
) -> None:
    """With fewer masks than there are, over backgrounds that are visited in whole and in part."""
    case, repeats = scorable(m), 50
    frame = Frame.of([[1.0, -0.5, 0.8, -1.2, 0.3]]).take(np.zeros(repeats, np.int64))
    answer = explain(case, frame, KernelShap(runs=12, masks=1))
    off = answer.contributions - marginal_shapley(case, frame.take(slice(0, 1)))
    actual = off.std(axis=0)
    assert actual.min() > 1e-3
    assert (np.abs(off.mean(axis=0)) < 0.7 * actual).all()
    ratio = np.median(errors(answer), axis=0) / actual
    assert (ratio > 0.6).all()
    assert (ratio < 2.0).all()
    # Nine in ten, were the draws normal; few draws of unlike rows fall somewhat short.
    inside = np.abs(off) <= stats.t(8).ppf(0.95) * errors(answer)
    assert (inside.mean(axis=0) > 0.75).all()


def test_numpys_global_generator_neither_matters_nor_moves() -> None:
    case, frame = scorable(8), Frame.of(np.ones((1, 5)))
    few = KernelShap(masks=1)
    np.random.seed(1)  # noqa: NPY002
    one = explain(case, frame, few)
    drawn = np.random.random()  # noqa: NPY002
    np.random.seed(2)  # noqa: NPY002
    other = explain(case, frame, few)
    assert one.contributions.tobytes() == other.contributions.tobytes()
    np.random.seed(1)  # noqa: NPY002
    assert np.random.random() == drawn  # noqa: NPY002


def test_words_are_mixed_as_words_whatever_codes_they_have() -> None:
    """Load counts double in the mode 'fast', which the background never was in."""

    def coded(load: float, code: int, words: tuple[str, ...]) -> Frame:
        mode = Signal("mode", SignalKind.CATEGORICAL, vocabulary=words)
        return Frame((Signal("load"), mode), np.array([[load]]), np.array([[code]], np.int32))

    def score(frame: Frame) -> FloatArray:
        words = np.array(frame.signals[1].vocabulary)[frame.codes[:, 0]]
        return np.asarray(frame.values[:, 0] * np.where(words == "fast", 2.0, 1.0))

    case = Scorable(score, coded(1.0, 1, ("idle", "slow")))
    answer = explain(case, coded(4.0, 0, ("fast", "slow")))
    # Worths: none 1, load 4, mode 2, both 8.
    np.testing.assert_allclose(answer.contributions, [[4.5, 2.5]], atol=1e-9)


def test_features_of_a_player_come_and_go_together() -> None:
    """With (a, d) as one, b and (c, e), the game has three players: its own, not sums of theirs."""
    alone = scorable(1)
    case = replace(alone, players=np.array([0, 1, 2, 0, 2]))
    frame = Frame.of([[1.0, -0.5, 0.8, -1.2, 0.3]])
    wanted = PermutationShap().explain(case, frame, evaluations=40_000, seeds=np.ones(1, np.uint64))
    answer = explain(case, frame)
    assert wanted.standard_error is not None
    off = np.abs(answer.contributions - wanted.contributions)
    assert (off < 6 * wanted.standard_error + 1e-6).all()
    sums = case.by_player(explain(alone, frame).contributions)
    assert np.abs(answer.contributions - sums).max() > 0.01


def test_one_player_takes_it_all() -> None:
    case = Scorable(lambda f: f.numeric()[:, 0] ** 2, Frame.of([[1.0], [3.0]]))
    answer = explain(case, Frame.of([[5.0]]))
    np.testing.assert_allclose(answer.contributions, [[20.0]])
    assert errors(answer).max() < 1e-12


def test_the_budget_is_kept_and_the_whole_background_is_enough() -> None:
    scored: list[int] = []

    def counting(frame: Frame) -> FloatArray:
        scored.append(len(frame))
        return tangled(frame)

    for evaluations, runs in ((0, 27), (10**9, 63)):
        scored.clear()
        case = Scorable(counting, scorable(56).background)
        explain(case, Frame.of(np.ones((1, 5))), evaluations=evaluations)
        assert sum(scored) == 1 + 56 + 30 * runs  # the row, the background, and all masks each time
    with pytest.raises(BudgetExceededError, match="needs 832 evaluations a row, not 831"):
        KernelShap().explain(
            case, Frame.of(np.ones((1, 5))), evaluations=831, seeds=np.zeros(1, np.uint64)
        )


def test_too_many_players_are_refused() -> None:
    case = Scorable(lambda f: f.numeric()[:, 0], Frame.of(np.zeros((1, 2000))))
    assert KernelShap().supports(case) is None
    with pytest.raises(UnsupportedPairError, match="2000 players"):
        KernelShap().explain(case, case.background, evaluations=10**9, seeds=np.zeros(1, np.uint64))
    assert KernelShap().supports(replace(case, players=np.arange(2000) % 9)) is not None


@pytest.mark.parametrize("d", [1, 2, 3, 8, 60])
def test_the_ladder_prefers_permutations(d: int) -> None:
    case = Scorable(lambda f: f.numeric()[:, 0], Frame.of(np.zeros((3, d))))
    able = ladder.rungs(case, load_plugins(), Role.DECOMPOSITION)
    assert [rung.name for rung in able] == ["permutation_shap", "kernel_shap"]


def test_without_the_library_it_is_passed_over_and_by_name_the_cure_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    missing: Any = None
    monkeypatch.setitem(sys.modules, "shap", missing)
    registries = load_plugins()
    able = ladder.rungs(scorable(3), registries, Role.DECOMPOSITION)
    assert [rung.name for rung in able] == ["permutation_shap"]
    with pytest.raises(MissingExtraError, match=r"pip install 'clarion\[explain\]'"):
        ladder.named(scorable(3), registries, "kernel_shap", Role.DECOMPOSITION)
    with pytest.raises(MissingExtraError, match="shap"):
        KernelShap().explain(
            scorable(3), Frame.of(np.ones((1, 5))), evaluations=832, seeds=np.zeros(1, np.uint64)
        )
