"""The drift test's capital: hardly ever 100 on quiet streams, soon on drifting ones."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest

from clarion.arrays import FloatArray
from clarion.errors import ArtifactCorruptError
from clarion.kernels.online_tests import BETS, place_bets, sequential_p_values
from clarion.pipeline.calibrate import Calibration
from clarion.pipeline.martingale import ALARM, EPOCH, Martingale


def scores(rng: np.random.Generator, n: int) -> FloatArray:
    return np.abs(rng.standard_t(4, n))


def alarm(calibration: Calibration, stream: FloatArray) -> int | None:
    """Return the row of the first alarm."""
    told, _ = Martingale.start(calibration.rows).follow(calibration.p_values(stream))
    raised = np.flatnonzero(told >= ALARM)
    return int(raised[0]) if len(raised) else None


def test_quiet_streams_hardly_ever_raise_a_false_alarm() -> None:
    """Over 300 streams, each with a calibration of its own; SCIENCE 4 (v)."""
    rng, false = np.random.default_rng(5), 0
    for _ in range(300):
        calibration = Calibration.of(scores(rng, 1_000), 0.01)
        false += alarm(calibration, scores(rng, 5_000)) is not None
    assert false / 300 <= 0.02


def test_one_small_calibration_set_does_not_look_like_drift_in_the_end() -> None:
    """Its luck stays in every frozen p-value; ranks among the stream's own rows too are free of it."""
    rng, false = np.random.default_rng(6), 0
    for _ in range(40):
        calibration = Calibration.of(scores(rng, 200), 0.05)
        false += alarm(calibration, scores(rng, EPOCH - 1)) is not None
    assert false <= 2


def test_drifting_streams_are_found_soon_however_long_they_were_quiet() -> None:
    rng = np.random.default_rng(7)
    for quiet in (0, 500, 10_000):
        delays = list[int]()
        for _ in range(25):
            calibration = Calibration.of(scores(rng, 1_000), 0.01)
            stream = np.concatenate([scores(rng, quiet), 1.5 * scores(rng, 2_000)])
            raised = alarm(calibration, stream)
            delays.append(2_000 if raised is None else raised - quiet)
        assert np.median(delays) <= 300


def test_a_slow_drift_is_flagged_where_a_static_calibration_breaks_its_promise() -> None:
    """Scores grow by half over 20,000 rows; SCIENCE 4 (vi)."""
    rng = np.random.default_rng(8)
    calibration = Calibration.of(scores(rng, 2_000), 0.01)
    stream = scores(rng, 19_999) * np.linspace(1, 1.5, 19_999)
    realised = (calibration.p_values(stream)[10_000:] <= 0.01).mean()
    assert realised > 0.015
    raised = alarm(calibration, stream)
    assert raised is not None
    assert raised < 15_000


def test_equal_scores_are_no_drift() -> None:
    for values in (np.zeros(3_000), np.repeat([0.0, 1.0], 1_500)):
        rng = np.random.default_rng(9)
        mixed = rng.permutation(values)
        calibration = Calibration.of(mixed[:1_000], 0.01)
        assert alarm(calibration, mixed[1_000:]) is None


def test_any_cut_gives_the_same_capital() -> None:
    rng = np.random.default_rng(10)
    calibration = Calibration.of(scores(rng, 300), 0.05)
    p_values = calibration.p_values(scores(rng, EPOCH + 700))
    whole, after = Martingale.start(300).follow(p_values)
    now, told = Martingale.start(300), list[float]()
    edges = [0, 0, 1, 2, *np.sort(rng.integers(3, EPOCH, 30)).tolist(), EPOCH, len(p_values)]
    for start, stop in itertools.pairwise(edges):
        part, now = now.follow(p_values[start:stop])
        now = Martingale.from_state(now.state())
        told += part.tolist()
    assert told == whole.tolist()
    assert now.capital.tolist() == after.capital.tolist()
    assert (now.rows, now.log10) == (after.rows, after.log10)
    assert (now.rows, now.log10) == pytest.approx((700, told[-1]))


def test_an_epoch_begins_with_nothing_won_or_seen() -> None:
    drifted = np.full(EPOCH, 0.01)
    told, after = Martingale.start(999).follow(drifted)
    assert told[-1] > ALARM
    assert (after.log10, after.rows, after.seen.sum()) == pytest.approx((0.0, 0, 0))


def test_bets_are_fair() -> None:
    """A bet's mean over uniform p-values is 1, so that capital is kept in the mean."""
    grid = (np.arange(1_000_000) + 0.5) / 1_000_000
    for k in range(1, BETS + 1):
        capital = np.zeros(BETS + 1)
        capital[k] = 1.0
        e = k / 20
        won = [
            10 ** place_bets(np.array([p]), capital, np.ones(BETS + 1), 0.0, 0.0)[0][0]
            for p in (0.001, 0.3, 1.0)
        ]
        np.testing.assert_allclose(won, [e * p ** (e - 1) for p in (0.001, 0.3, 1.0)])
        assert (e * grid ** (e - 1)).mean() < 1.0


def test_ranks_are_those_of_counting() -> None:
    rng = np.random.default_rng(11)
    held, stream = rng.random(19), rng.random(60)
    bins = 1 + (held[None, :] >= stream[:, None]).sum(axis=1)
    told, _ = sequential_p_values(bins, 19, np.zeros(21, np.int64), 0)
    by_hand = [(bins[i] + (bins[:i] <= bins[i]).sum()) / (20 + i) for i in range(60)]
    np.testing.assert_allclose(told, by_hand)
    exact = [
        (1 + (held >= s).sum() + (stream[:i] >= s).sum()) / (20 + i) for i, s in enumerate(stream)
    ]
    assert (told >= np.array(exact) - 1e-12).all()


def test_capital_without_end_does_not_overflow() -> None:
    start = Martingale.start(100)
    told, capital, scale = place_bets(np.full(5_000, 1e-6), start.capital, start.capital, 1e-3, 0.0)
    assert 1_000 < told[-1] < np.inf
    assert (capital > 0).all()
    assert np.log10(capital.sum()) + scale == pytest.approx(told[-1])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("calibration_rows", 0),
        ("rows", -1),
        ("rows", EPOCH),
        ("scale", float("nan")),
        ("rows", "1"),
    ],
)
def test_a_damaged_martingale_is_refused(name: str, value: object) -> None:
    good = Martingale.start(100).state()
    with pytest.raises(ArtifactCorruptError):
        Martingale.from_state(replace(good, parameters={**good.parameters, name: value}))


def test_a_martingale_of_another_version_or_form_is_refused() -> None:
    good = Martingale.start(100).state()
    for bad in (
        replace(good, version=2),
        replace(good, arrays={**good.arrays, "capital": np.zeros(BETS + 1)}),
        replace(good, arrays={**good.arrays, "seen": np.zeros(4, np.int64)}),
        replace(good, arrays={**good.arrays, "seen": good.arrays["seen"] + 1}),
    ):
        with pytest.raises(ArtifactCorruptError):
            Martingale.from_state(bad)
