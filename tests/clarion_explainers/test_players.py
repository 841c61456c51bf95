"""Players of several features: their values are those of the game in which they come and go as one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pytest

from clarion.arrays import FloatArray, Int64Array
from clarion.detectors import KernelSum, Quadratic
from clarion.explainers import Attribution, Explainer, Label, Scorable
from clarion.frames import Frame
from clarion.kernels.quadratic import quadratic_form
from clarion_explainers import permutation_shap, product_kernel
from clarion_explainers.additive import Additive
from clarion_explainers.neighbours import NeighbourTerms
from clarion_explainers.permutation_shap import PermutationShap
from clarion_explainers.product_kernel import ProductKernelShap
from clarion_explainers.quadratic import QuadraticShap

PLAYERS = np.array([0, 1, 0, 2, 1, 0])
"""Of six features; no player's features stand side by side."""


@dataclass(frozen=True)
class Sum:
    def terms(self, frame: Frame) -> FloatArray:
        return frame.numeric() ** 3

    def score(self, frame: Frame) -> FloatArray:
        return np.asarray(self.terms(frame).sum(axis=1))


@dataclass(frozen=True)
class Form:
    form: Quadratic

    def coordinates(self, frame: Frame) -> FloatArray:
        return frame.numeric() / 2

    def quadratic(self) -> Quadratic:
        return self.form

    def score(self, frame: Frame) -> FloatArray:
        return quadratic_form(self.coordinates(frame), self.form.center, self.form.matrix)


@dataclass(frozen=True)
class Kernels:
    kernels: KernelSum

    def coordinates(self, frame: Frame) -> FloatArray:
        return frame.numeric()

    def kernel_sum(self) -> KernelSum:
        return self.kernels

    def score(self, frame: Frame) -> FloatArray:
        k, u = self.kernels, self.coordinates(frame)
        distance = (k.gamma * (u[:, None] - k.points) ** 2).sum(axis=2)
        return np.asarray(k.offset + (k.weights * np.exp(-distance)).sum(axis=1))


@dataclass(frozen=True)
class Nearest:
    """The mean squared distance to rows that are the same for all."""

    reference: FloatArray

    def coordinates(self, frame: Frame) -> FloatArray:
        return frame.numeric()

    def neighbours(self, frame: Frame) -> FloatArray:
        return np.broadcast_to(self.reference, (len(frame), *self.reference.shape))

    def score(self, frame: Frame) -> FloatArray:
        gaps = self.coordinates(frame)[:, None] - self.reference
        return np.asarray((gaps**2).sum(axis=2).mean(axis=1))


def form() -> Form:
    half = np.random.default_rng(3).normal(size=(6, 6))
    return Form(Quadratic(np.full(6, 0.3), half @ half.T))


def kernels() -> Kernels:
    rng = np.random.default_rng(4)
    weights, points = -rng.uniform(size=40), rng.normal(size=(40, 6))
    return Kernels(KernelSum(points, weights, rng.uniform(0.05, 0.4, 6), 2.0))


def scorable(detector: Sum | Form | Kernels, players: Int64Array | None = PLAYERS) -> Scorable:
    background = Frame.of(np.random.default_rng(0).normal(size=(7, 6)))
    return Scorable(detector.score, background, detector, players)


def rows(n: int) -> Frame:
    return Frame.of(1.5 * np.random.default_rng(1).normal(size=(n, 6)))


def explain(explainer: Explainer, case: Scorable, frame: Frame) -> Attribution:
    support = explainer.supports(case)
    assert support is not None
    seeds = np.arange(len(frame), dtype=np.uint64)
    return explainer.explain(case, frame, evaluations=support.evaluations, seeds=seeds)


def group_game(case: Scorable, row: FloatArray) -> Callable[[tuple[int, ...]], float]:
    def worth(present: tuple[int, ...]) -> float:
        mixed = np.array(case.background.numeric())
        columns = [j for j, player in enumerate(case.player_of) if player in present]
        mixed[:, columns] = row[columns]
        return float(case.score(case.background.with_numeric(mixed)).mean())

    return worth


Exact = tuple[Explainer, Sum | Form | Kernels]
EXACT: dict[str, Exact] = {
    "additive": (Additive(), Sum()),
    "quadratic": (QuadraticShap(), form()),
    "product_kernel": (ProductKernelShap(), kernels()),
}
Shapley = Callable[[Callable[[tuple[int, ...]], float], int], FloatArray]


@pytest.mark.parametrize("players", [PLAYERS, np.zeros(6, np.int64), np.arange(6)[::-1].copy()])
@pytest.mark.parametrize("exact", list(EXACT.values()), ids=list(EXACT))
def test_exact_values_are_those_of_the_game_among_players(
    exact: Exact, players: Int64Array, shapley_values: Shapley
) -> None:
    case, frame = scorable(exact[1], players), rows(3)
    answer = explain(exact[0], case, frame)
    assert answer.label is Label.EXACT
    assert answer.contributions.shape == (3, case.n_players)
    for row, got in zip(frame.numeric(), answer.contributions, strict=True):
        wanted = shapley_values(group_game(case, row), case.n_players)
        size = max(1.0, float(np.abs(wanted).sum()))
        np.testing.assert_allclose(got, wanted, atol=1e-11 * size)
    assert answer.base_value == pytest.approx(np.full(3, case.mean_score()))
    assert answer.additivity_error.max() <= 1e-11


def test_a_sum_of_members_would_not_do_for_kernels() -> None:
    """Else the game among players had not to be played at all."""
    alone = scorable(kernels(), None)
    together = explain(ProductKernelShap(), scorable(kernels()), rows(2)).contributions
    summed = scorable(kernels()).by_player(
        explain(ProductKernelShap(), alone, rows(2)).contributions
    )
    assert np.abs(together - summed).max() > 1e-3 * np.abs(together).max()


def test_estimates_are_of_the_game_among_players(shapley_values: Shapley) -> None:
    case, frame = scorable(kernels()), rows(2)
    support = PermutationShap().supports(case)
    assert support is not None
    assert support.evaluations == 16 * 2 * 2  # pairs, walks, steps between three players
    answer = PermutationShap().explain(
        case, frame, evaluations=4000, seeds=np.array([1, 2], np.uint64)
    )
    assert answer.standard_error is not None
    assert answer.standard_error.shape == answer.contributions.shape == (2, 3)
    for i, row in enumerate(frame.numeric()):
        wanted = shapley_values(group_game(case, row), 3)
        off = np.abs(answer.contributions[i] - wanted)
        assert (off <= 6 * answer.standard_error[i] + 1e-12).all()
        assert (off <= 0.02 * np.abs(wanted).sum()).all()


def test_one_player_of_all_features_takes_it_all_without_an_evaluation() -> None:
    case = scorable(kernels(), np.zeros(6, np.int64))
    support = PermutationShap().supports(case)
    assert support is not None
    assert support.evaluations == 0
    answer = explain(PermutationShap(), case, rows(2))
    np.testing.assert_allclose(answer.contributions[:, 0], case.score(rows(2)) - answer.base_value)


def test_frozen_neighbours_are_additive_so_players_get_sums() -> None:
    detector = Nearest(np.random.default_rng(8).normal(size=(4, 6)))
    background, frame = Frame.of(np.random.default_rng(0).normal(size=(7, 6))), rows(3)
    alone = Scorable(detector.score, background, detector)
    grouped = replace(alone, players=PLAYERS)
    answer, features = (explain(NeighbourTerms(), case, frame) for case in (grouped, alone))
    assert answer.label is Label.ADDITIVE
    assert answer.contributions.tobytes() == grouped.by_player(features.contributions).tobytes()
    assert answer.additivity_error.max() <= 1e-12


@pytest.mark.parametrize("name", [*EXACT, "permutation_shap"])
def test_a_row_gets_the_same_bits_alone_in_a_batch_and_in_parts(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    explainer, detector = EXACT.get(name, (PermutationShap(), kernels()))
    frame, seeds = rows(40), np.arange(40, dtype=np.uint64)
    together = explainer.explain(scorable(detector), frame, evaluations=500, seeds=seeds)
    monkeypatch.setattr(permutation_shap, "_CELLS", 70)
    for i in (0, 17, 39):
        one = frame.take(np.array([i]))
        alone = explainer.explain(scorable(detector), one, evaluations=500, seeds=seeds[i : i + 1])
        assert alone.contributions.tobytes() == together.contributions[i].tobytes()


def test_a_background_too_large_to_hold_is_worked_through_in_parts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole = explain(ProductKernelShap(), scorable(kernels()), rows(5))
    monkeypatch.setattr(product_kernel, "_CELLS", 6 * 40 * 2)
    in_parts = explain(ProductKernelShap(), scorable(kernels()), rows(5))
    np.testing.assert_allclose(in_parts.contributions, whole.contributions, atol=1e-13)
