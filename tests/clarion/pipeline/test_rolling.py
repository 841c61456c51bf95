"""Rolling calibration: follows its stream, but only so far from the frozen reference."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest

from clarion.arrays import FloatArray
from clarion.errors import ArtifactCorruptError
from clarion.pipeline.calibrate import Calibration
from clarion.pipeline.rolling import RENEWED, WALK, WINDOW, Rolling

N = 2_000
RATE = 0.01


def fed(rolling: Rolling, p_values: FloatArray) -> Rolling:
    while len(p_values):
        taken = rolling.until_renewed
        rolling, p_values = rolling.fed(p_values[:taken]), p_values[taken:]
    return rolling


def distances(rng: np.random.Generator, n: int, scale: float = 1.0) -> FloatArray:
    """Squared distances of normal rows of five signals."""
    return np.asarray(scale * (rng.standard_normal((n, 5)) ** 2).sum(axis=1))


def test_a_quiet_stream_changes_nothing_much() -> None:
    rng = np.random.default_rng(0)
    rates = []
    for _ in range(20):
        calibration = Calibration.of(distances(rng, N), RATE)
        rolling = fed(Rolling(N), calibration.p_values(distances(rng, 3_000)))
        fresh = calibration.p_values(distances(rng, 5_000))
        rates.append((rolling.p_values(fresh) <= RATE).mean())
        assert not rolling.disagrees
    assert np.mean(rates) == pytest.approx(RATE, rel=0.2)


def test_before_it_has_seen_rows_it_is_the_frozen_reference() -> None:
    grid = np.arange(1, N + 2) / (N + 1)
    np.testing.assert_allclose(Rolling(N).p_values(grid), grid, atol=1.1 / (WINDOW + 1))


@pytest.mark.parametrize("scale", [0.8, 1.2])
def test_it_corrects_what_the_frozen_calibration_gets_wrong(scale: float) -> None:
    rng = np.random.default_rng(1)
    calibration = Calibration.of(distances(rng, N), RATE)
    rolling = fed(Rolling(N), calibration.p_values(distances(rng, 4_000, scale)))
    fresh = calibration.p_values(distances(rng, 20_000, scale))
    frozen, rolled = (fresh <= RATE).mean(), (rolling.p_values(fresh) <= RATE).mean()
    assert abs(np.log(rolled / RATE)) < 0.7 * abs(np.log(frozen / RATE))
    assert rolling.disagrees


def test_slow_poisoning_keeps_nine_tenths_of_the_recall() -> None:
    """Rows rise from quiet to just below the strangest calibration row, and stay there."""
    rng = np.random.default_rng(2)
    held = np.sort(distances(rng, N))
    calibration = Calibration.of(held, RATE)
    walk = np.concatenate([np.linspace(np.median(held), held[-2], 6_000), np.full(4_000, held[-2])])
    rolling = fed(Rolling(N), calibration.p_values(walk))
    assert rolling.excluded == 0
    sick = rng.standard_normal((4_000, 5))
    sick[:, 0] += 5.0
    anomalies = calibration.p_values((sick**2).sum(axis=1))
    frozen, after = (anomalies <= RATE).mean(), (rolling.p_values(anomalies) <= RATE).mean()
    assert frozen > 0.8
    assert after >= 0.9 * frozen
    assert rolling.disagrees


@pytest.mark.parametrize("walk", [1.1 / N, 0.3, 1.0])
def test_wherever_it_is_led_it_stays_within_its_bounds(walk: float) -> None:
    rolling = fed(Rolling(N), np.full(10_000, walk))
    grid = np.arange(1, N + 2) / (N + 1)
    rolled = rolling.p_values(grid)
    assert (rolled >= grid / WALK).all()
    assert (rolled <= np.minimum(grid * WALK, 1)).all()
    assert (np.diff(rolled) >= 0).all()
    for rate in (0.001, 0.01, 0.3):
        assert rate / WALK - 1 / N <= rolling.level(rate) <= rate * WALK


@pytest.mark.parametrize("n", [99, 300, N])
def test_a_level_says_which_rows_are_anomalous(n: int) -> None:
    rng = np.random.default_rng(3)
    rolling = fed(Rolling(n), rng.beta(0.8, 1, 3_000).clip(1 / (n + 1), 1))
    grid = np.arange(1, n + 2) / (n + 1)
    for rate in (1 / (n + 1), 0.01, 0.1, 0.5):
        by_level = grid <= rolling.level(rate)
        assert by_level.tolist() == (rolling.p_values(grid) <= rate).tolist()


def test_what_is_beyond_all_calibration_rows_is_counted_and_never_learned() -> None:
    quiet = np.linspace(0.01, 1, 1_000)
    alone, rolling = fed(Rolling(N), quiet), Rolling(N)
    for part in np.split(quiet, 20):
        rolling = fed(rolling, np.concatenate([part, np.full(30, 1 / (N + 1)), np.full(20, 1e-5)]))
    assert rolling.excluded == 1_000
    assert rolling.window.tolist() == alone.window.tolist()
    strange = np.array([1 / (N + 1), 1e-5])
    assert rolling.p_values(strange).tolist() == strange.tolist()


def test_any_cut_gives_the_same() -> None:
    rng = np.random.default_rng(4)
    p_values = rng.random(3_777).clip(1 / (N + 1))
    whole, told = Rolling(N), list[float]()
    for block in np.split(p_values, range(RENEWED, len(p_values), RENEWED)):
        told += whole.p_values(block).tolist()
        whole = whole.fed(block)
    rolling, said = Rolling(N), list[float]()
    edges = [0, 1, 499, 500, 501, *np.sort(rng.integers(502, 3_777, 20)).tolist()]
    edges = sorted({*edges, *range(0, 3_777, RENEWED), 3_777})
    for start, stop in itertools.pairwise(edges):
        rolling = Rolling.from_state(rolling.state())
        said += rolling.p_values(p_values[start:stop]).tolist()
        rolling = rolling.fed(p_values[start:stop])
    assert said == told
    assert rolling.window.tolist() == whole.window.tolist()
    assert rolling.sorted.tolist() == whole.sorted.tolist()
    assert (rolling.rows, rolling.excluded) == (whole.rows, whole.excluded)


def test_its_identity_is_that_of_its_rows() -> None:
    rng = np.random.default_rng(5)
    one = fed(Rolling(N), rng.random(RENEWED))
    later = one.fed(rng.random(RENEWED - 1))
    assert one.id("abc") == later.id("abc") != one.id("abd")
    assert later.fed(rng.random(1)).id("abc") != one.id("abc")


@pytest.mark.parametrize(
    "change",
    [
        {"version": 2},
        {"parameters": {"n": 0, "rows": 3, "excluded": 1}},
        {"parameters": {"n": 9, "rows": 3, "excluded": 4}},
        {"parameters": {"n": 9, "rows": 2, "excluded": 1}},
        {"arrays": {"window": np.array([0.5, 2.0]), "sorted": np.array([0.5])}},
        {"arrays": {"window": np.array([0.5, 0.2]), "sorted": np.array([0.5, 0.2])}},
        {"arrays": {"window": np.ones(WINDOW + 1), "sorted": np.ones(1)}},
    ],
)
def test_a_damaged_window_is_refused(change: dict[str, object]) -> None:
    good = Rolling(9, np.array([0.5, 0.2]), np.array([0.2, 0.5]), 3, 1).state()
    assert Rolling.from_state(good).excluded == 1
    with pytest.raises(ArtifactCorruptError):
        Rolling.from_state(replace(good, **change))  # type: ignore[arg-type]
