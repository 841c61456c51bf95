"""Which signals moved: those that did, and hardly ever one that did not."""

from __future__ import annotations

import numpy as np
import pytest

from clarion.arrays import FloatArray
from clarion.explaining.background import Background
from clarion.explaining.ranking import SignalRanking
from clarion.frames import Frame
from clarion.pipeline.moved import RECENT_ROWS, SignalReference

D = 6


def reference(values: FloatArray, rng: np.random.Generator) -> SignalReference:
    frame = Frame.of(values, [f"s{j}" for j in range(values.shape[1])])
    rows = frame.take(np.sort(rng.choice(len(frame), 128, replace=False)))
    ranking = SignalRanking.learn(frame, ordered=False)
    return SignalReference.of(ranking, Background(rows, rows, 0))


def quiet(rng: np.random.Generator, n: int, follows: float = 0.0) -> FloatArray:
    """Rows in bar and in millivolt, each following the last with that correlation."""
    noise = rng.standard_normal((n + 50, D))
    for i in range(1, len(noise)):
        noise[i] = follows * noise[i - 1] + np.sqrt(1 - follows**2) * noise[i]
    return np.asarray(noise[50:] * [1, 100, 1, 1e-3, 1, 1] + [0, 5_000, 3, 0, 0, -1])


@pytest.mark.parametrize("follows", [0.0, 0.8])
def test_quiet_signals_are_hardly_ever_told(follows: float) -> None:
    rng, told = np.random.default_rng(0), 0
    for _ in range(60):
        made = reference(quiet(rng, 2_000, follows), rng)
        told += bool(made.moved(quiet(rng, RECENT_ROWS, follows)))
    assert told <= 2


def test_a_shift_and_a_wider_spread_are_told_with_their_sizes() -> None:
    rng = np.random.default_rng(1)
    made, recent = reference(quiet(rng, 5_000), rng), quiet(rng, RECENT_ROWS)
    recent[:, 1] += 100.0
    recent[:, 4] *= 1.5
    moved = made.moved(recent)
    assert {m.signal for m in moved} == {"s1", "s4"}
    by_name = {m.signal: m for m in moved}
    assert by_name["s1"].shift == pytest.approx(1.0, abs=0.25)
    assert by_name["s1"].spread == pytest.approx(1.0, abs=0.2)
    assert by_name["s4"].shift == pytest.approx(0.0, abs=0.25)
    assert by_name["s4"].spread == pytest.approx(1.5, abs=0.25)
    assert moved[0].evidence >= moved[1].evidence


def test_a_signal_that_never_moved_and_one_that_stands_still_are_told() -> None:
    rng = np.random.default_rng(2)
    values, recent = quiet(rng, 5_000), quiet(rng, RECENT_ROWS)
    values[:, 0], recent[:, 0] = 7.0, 7.5
    recent[:, 2] = 3.0
    moved = {m.signal: m for m in reference(values, rng).moved(recent)}
    assert set(moved) == {"s0", "s2"}
    assert [moved[name].spread for name in ("s0", "s2")] == pytest.approx([0.0, 0.0])


def test_missing_values_and_too_few_rows_tell_nothing() -> None:
    rng = np.random.default_rng(3)
    made, recent = reference(quiet(rng, 2_000), rng), quiet(rng, RECENT_ROWS)
    recent[:, 0] = np.nan
    recent[::2, 1] = np.nan
    recent[-1] = 1e300
    assert made.moved(recent) == ()
    assert made.moved(recent[:1]) == ()
    assert made.moved(recent[:0]) == ()
