"""False discoveries on streams: how many there are, and what a stream has to remember for it."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest

from clarion.arrays import BoolArray, FloatArray
from clarion.errors import ArtifactCorruptError, InvalidParameterError, UnreachableRateError
from clarion.kernels.online_tests import lord_levels
from clarion.pipeline.fdr import KEPT, LONGEST_MEMORY, FdrMemory, FdrRule
from clarion.state import State

Q = 0.1
EXACT = FdrRule.of(Q, 1e-300)


def bursts(rate: float, rows: int, rng: np.random.Generator) -> tuple[FloatArray, BoolArray]:
    """Return p-values of a stream, uniform but in bursts of 10 anomalies, and which those are."""
    strange = np.zeros(rows, np.bool_)
    for start in rng.choice(rows - 10, max(1, int(rows * rate / 10)), replace=False):
        strange[start : start + 10] = True
    return np.where(strange, rng.beta(0.03, 1, rows), rng.random(rows)), strange


@pytest.mark.parametrize("rate", [0.001, 0.01, 0.05])
def test_no_more_than_the_promised_share_of_discoveries_is_false(rate: float) -> None:
    """Over 50 streams; SCIENCE 4 (iv)."""
    rng, false, power = np.random.default_rng(4), [], []
    for _ in range(50):
        p_values, strange = bursts(rate, 20_000, rng)
        _, found, _ = FdrMemory().test(p_values, EXACT)
        false.append((found & ~strange).sum() / max(found.sum(), 1))
        power.append(found[strange].mean())
    assert np.mean(false) <= Q + 0.05
    assert np.mean(power) >= 0.6


def test_a_long_quiet_run_does_not_make_it_blind() -> None:
    """The floor is reached, and never left: without it the level would fall like 1 / t."""
    quiet = np.full(50_000, 0.5)
    levels, _, after = FdrMemory().test(quiet, EXACT)
    assert levels[-1] == EXACT.floor == pytest.approx(0.5 * Q / LONGEST_MEMORY)
    _, found, _ = after.test(np.array([0.9 * EXACT.floor]), EXACT)
    assert found.all()


@pytest.mark.parametrize("smallest", [1 / 2_001, 1 / 10_000, 1e-9])
def test_the_smallest_p_value_there_is_can_be_rejected_at_any_time(smallest: float) -> None:
    rule = FdrRule.of(Q, smallest)
    p_values = np.full(30_000, 0.5)
    p_values[[0, 11_000, 29_999]] = smallest
    _, found, _ = FdrMemory().test(p_values, rule)
    assert np.flatnonzero(found).tolist() == [0, 11_000, 29_999]


def test_levels_are_those_of_the_formula() -> None:
    rule = replace(EXACT, memory=50.0)
    p_values = np.full(40, 0.5)
    p_values[[3, 10]] = 1e-9
    levels, _, _ = FdrMemory().test(p_values, rule)
    age = np.arange(1.0, 41)
    gamma = 0.07908 * np.log(np.maximum(age, 2)) / (age * np.exp(np.sqrt(np.log(age))))
    by_hand = np.maximum(0.5 * Q * gamma, 0.5 * Q / 50)
    for at in (3, 10):
        by_hand[at + 1 :] += Q * (0.98**age * gamma)[: 39 - at]
    np.testing.assert_allclose(levels, by_hand, rtol=1e-12)


def test_what_is_spent_never_exceeds_what_there_is() -> None:
    """At every row, the decayed sum of levels is at most q times (decayed rejections + 1/2)."""
    rng = np.random.default_rng(1)
    for rule in (replace(EXACT, memory=30.0), replace(EXACT, memory=1_000.0)):
        p_values, _ = bursts(0.05, 5_000, rng)
        levels, found, _ = FdrMemory().test(p_values, rule)
        spent, earned, kept = 0.0, 0.0, 1 - 1 / rule.memory
        for level, hit in zip(levels, found, strict=True):
            spent, earned = kept * spent + level, kept * earned
            assert spent <= Q * (earned + 0.5) * (1 + 1e-12)
            earned += hit


@pytest.mark.parametrize("rate", [0.01, 0.5])
def test_any_cut_gives_the_same_levels(rate: float) -> None:
    rng = np.random.default_rng(2)
    p_values, _ = bursts(rate, 3_000, rng)
    whole, found, after = FdrMemory().test(p_values, EXACT)
    memory, levels, hits = FdrMemory(), list[float](), list[bool]()
    edges = [0, 0, 1, 2, *np.sort(rng.integers(3, 3_000, 40)).tolist(), 3_000]
    for start, stop in itertools.pairwise(edges):
        told, hit, memory = memory.test(p_values[start:stop], EXACT)
        memory = FdrMemory.from_state(memory.state())
        levels += told.tolist()
        hits += hit.tolist()
    assert levels == whole.tolist()
    assert hits == found.tolist()
    assert memory.state().parameters == after.state().parameters
    assert memory.rejected.tolist() == after.rejected.tolist()


def test_a_flood_of_anomalies_is_bounded_and_counted() -> None:
    memory = FdrMemory()
    for _ in range(5):
        _, found, memory = memory.test(np.full(1_000, 1e-12), EXACT)
        assert found.all()
    assert len(memory.rejected) == KEPT
    assert memory.fallen == 5_000 - KEPT


def test_a_forgotten_rejection_only_lowers_levels() -> None:
    rng = np.random.default_rng(3)
    p_values, _ = bursts(0.3, 2_000, rng)
    first, regained = np.full(1, 0.001), np.full(5_000, 0.0001)
    none = np.empty(0, np.int64)
    few = lord_levels(p_values, first, regained, 0, none, 3)[0]
    many = lord_levels(p_values, first, regained, 0, none, 5_000)[0]
    assert (few <= many).all()
    assert (few < many).any()


def test_a_calibration_too_small_for_the_rate_is_refused() -> None:
    with pytest.raises(UnreachableRateError, match=r"below 0\.01"):
        FdrRule.of(Q, 0.01)


@pytest.mark.parametrize("q", [0.0, -1.0, 0.51, float("nan")])
def test_a_rate_out_of_range_is_refused(q: float) -> None:
    with pytest.raises(InvalidParameterError, match=r"\(0, 0.5\]"):
        FdrRule.of(q, 1e-4)


@pytest.mark.parametrize(
    "change",
    [
        {"version": 2},
        {"parameters": {"tested": 3, "fallen": 0}},
        {"parameters": {"tested": 9, "fallen": -1}},
        {"arrays": {"rejected": np.array([5, 4])}},
        {"arrays": {"rejected": np.arange(KEPT + 1) - 500}},
        {"arrays": {"rejected": np.array([0.5])}},
    ],
)
def test_a_damaged_memory_is_refused(change: dict[str, object]) -> None:
    good = State(1, {"tested": 9, "fallen": 0}, {"rejected": np.array([4, 5])})
    assert FdrMemory.from_state(good).tested == 9
    with pytest.raises(ArtifactCorruptError):
        FdrMemory.from_state(replace(good, **change))  # type: ignore[arg-type]
