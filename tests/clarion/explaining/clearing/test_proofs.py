"""Minimum sets against all subsets: what is called proven is the fewest there is."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import pytest

from clarion.arrays import FloatArray
from clarion.detectors import Quadratic
from clarion.explaining.background import Background
from clarion.explaining.clearing.downdates import Freed, held_alone
from clarion.explaining.clearing.model import ClearingModel
from clarion.explaining.clearing.task import Clearing
from clarion.explaining.pull_back import Origins
from clarion.frames import Frame
from clarion.pipeline.chain import Chain
from clarion.pipeline.constraints import SignalConstraint
from clarion.pipeline.constraints import by_signal as constrained


@dataclass(frozen=True)
class Form:
    """A quadratic score of raw cells."""

    form: Quadratic

    def coordinates(self, frame: Frame) -> FloatArray:
        return frame.numeric()

    def quadratic(self) -> Quadratic:
        return self.form

    def score(self, frame: Frame) -> FloatArray:
        gap = frame.numeric() - self.form.center
        return np.asarray((gap * (gap @ self.form.matrix)).sum(axis=1) + self.form.offset)


@dataclass(frozen=True)
class Bumps:
    """A sum of uneven terms, so that the nearest value is not the best."""

    def terms(self, frame: Frame) -> FloatArray:
        values = frame.numeric()
        return np.asarray(np.abs(values) + np.cos(7 * values) * np.arange(values.shape[1]))

    def score(self, frame: Frame) -> FloatArray:
        return np.asarray(self.terms(frame).sum(axis=1))


def cleared(
    detector: Form | Bumps,
    background: Frame,
    row: FloatArray,
    threshold: float,
    constraints: tuple[SignalConstraint, ...] = (),
) -> Clearing:
    names = background.names
    model = ClearingModel(
        "tried",
        detector.score,
        cast("Any", detector),
        Chain(),
        Background(background, background, 0),
        Origins.make(names, names, {}),
    )
    clearer = model.within(constrained(constraints, background.signals))
    return clearer.clear(Frame.of(row[None, :], names), threshold).clearing


def least(form: Quadratic, gap: FloatArray, free: tuple[int, ...]) -> float:
    """The smallest score that ``free`` coordinates can give, by least squares from the definition."""
    values, vectors = np.linalg.eigh(form.matrix)
    half = np.sqrt(np.maximum(values, 0.0))[:, None] * vectors.T
    held = [j for j in range(len(gap)) if j not in free]
    target = -half[:, held] @ gap[held]
    best = np.linalg.lstsq(half[:, list(free)], target, rcond=1e-10)[0]
    rest = half[:, list(free)] @ best - target
    return float(rest @ rest) + form.offset


def fewest(worth: Callable[[tuple[int, ...]], float], d: int, threshold: float) -> int | None:
    sizes = range(1, d + 1)
    every = ((k, worth(s)) for k in sizes for s in itertools.combinations(range(d), k))
    return next((k for k, value in every if value < threshold), None)


@pytest.mark.parametrize("rank", [7, 4])
def test_a_proven_quadratic_minimum_is_that_of_all_subsets(rank: int) -> None:
    """Of full rank, and of a residual space, where freeing some coordinates frees others."""
    rng = np.random.default_rng(rank)
    sizes, proven = [], 0
    for _ in range(60):
        half = rng.normal(size=(7, rank))
        form = Quadratic(rng.normal(size=7), half @ half.T, 0.5)
        row = rng.normal(size=7) * rng.choice([1, 8], 7)
        threshold = float(rng.uniform(0.6, 8))
        if Form(form).score(Frame.of(row[None, :]))[0] < threshold:
            continue
        found = cleared(Form(form), Frame.of(rng.normal(size=(9, 7))), row, threshold)
        expected = fewest(lambda s: least(form, row - form.center, s), 7, threshold)  # noqa: B023
        assert found.score < threshold
        if found.proven:
            assert len(found.signals) == expected
            proven += 1
            sizes.append(expected)
        assert len(found.signals) >= (expected or 0)
    assert proven >= 45
    assert len(set(sizes)) >= 3


def test_a_huge_reading_does_not_hide_what_else_is_needed() -> None:
    rng = np.random.default_rng(3)
    half = rng.normal(size=(6, 6))
    form = Quadratic(np.zeros(6), half @ half.T + np.eye(6))
    row = np.array([0.1, 1e9, 0.2, 6.0, -0.1, 0.3])
    found = cleared(Form(form), Frame.of(rng.normal(size=(9, 6))), row, 4.0)
    without = np.delete(row, 1)
    precision = np.linalg.inv(np.delete(np.delete(np.linalg.inv(form.matrix), 1, 0), 1, 1))
    alone = Quadratic(np.zeros(5), precision)
    expected = fewest(lambda s: least(alone, without, s), 5, 4.0)
    assert expected is not None
    assert found.proven
    assert len(found.signals) == expected + 1
    assert 1 in found.signals


def test_freed_coordinates_are_a_schur_complement() -> None:
    rng = np.random.default_rng(0)
    half = rng.normal(size=(6, 6))
    matrix, gap = half @ half.T, rng.normal(size=6)
    form = Quadratic(np.zeros(6), matrix)
    freed = Freed.start(matrix, gap).then(np.array([4])).then(np.array([1, 4]))
    assert freed.value == pytest.approx(least(form, gap, (1, 4)))
    sets = [np.array([0]), np.array([2, 3]), np.array([1]), np.array([4, 5])]
    wanted = [least(form, gap, (*{1, 4, *s.tolist()},)) for s in sets]
    np.testing.assert_allclose(freed.value - freed.gains(sets), wanted, atol=1e-9)
    np.testing.assert_allclose(held_alone(matrix), 1 / np.linalg.inv(matrix).diagonal())


def test_a_proven_additive_minimum_is_that_of_all_subsets_and_all_background_values() -> None:
    rng, sizes = np.random.default_rng(1), []
    for _ in range(40):
        usual = Frame.of(rng.normal(size=(6, 5)))
        row, threshold = rng.normal(size=5) * 6, float(rng.uniform(0, 12))
        own, terms = Bumps().terms(Frame.of(row[None, :]))[0], Bumps().terms(usual)
        if own.sum() < threshold:
            continue
        expected = fewest(
            lambda s: sum(terms[:, j].min() if j in s else own[j] for j in range(5)),  # noqa: B023
            5,
            threshold,
        )
        found = cleared(Bumps(), usual, row, threshold)
        assert (len(found.signals) or None) == expected
        assert found.proven == (expected is not None)
        if expected is not None:
            assert found.score < threshold
            sizes.append(expected)
    assert len(set(sizes)) >= 3


def test_constraints_hold_and_the_others_make_up_for_them() -> None:
    rng = np.random.default_rng(5)
    proposed = 0
    for _ in range(40):
        half = rng.normal(size=(5, 5))
        form = Quadratic(np.zeros(5), half @ half.T + 0.1 * np.eye(5))
        row = rng.normal(size=5) * [1, 6, 6, 6, 6]
        if Form(form).score(Frame.of(row[None, :]))[0] < 9.0:
            continue
        constraints = (
            SignalConstraint("x0", immutable=True),
            SignalConstraint("x1", integer=True),
            SignalConstraint("x2", minimum=-0.5, maximum=1.5),
            SignalConstraint("x3", integer=True, minimum=1),
        )
        found = cleared(Form(form), Frame.of(rng.normal(size=(30, 5))), row, 9.0, constraints)
        assert 0 not in found.signals
        changed = {signal: round(float(found.row[signal]), 12) for signal in found.signals}
        assert changed.get(1, 0.0) == np.rint(changed.get(1, 0.0))
        assert -0.5 <= changed.get(2, 0.0) <= 1.5
        assert changed.get(3, 1.0) == np.rint(changed.get(3, 1.0)) >= 1
        if found.signals:
            assert found.score < 9.0
            proposed += 1
        free = cleared(Form(form), Frame.of(rng.normal(size=(30, 5))), row, 9.0)
        assert len(free.signals) <= len(found.signals) or not found.signals
    assert proposed > 15
