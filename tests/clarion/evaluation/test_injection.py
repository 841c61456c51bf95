from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest

from clarion.errors import InvalidFrameError, InvalidParameterError, TooFewRowsError
from clarion.evaluation.injection import (
    AMPLITUDES,
    Injected,
    Injection,
    eligible,
    inject,
    suite,
)
from clarion.evaluation.injectors import UNORDERED, Injector
from clarion.frames import Asset, Frame

CASES = [
    *((case, True) for case in suite(6, ordered=True)),
    *((case, False) for case in suite(6, ordered=False)),
]


@pytest.fixture
def clean(rng: np.random.Generator) -> Frame:
    """Six smooth signals of different size and level, two assets interleaved."""
    walk = np.cumsum(rng.normal(size=(1200, 6)), axis=0) * 0.1 + rng.normal(size=(1200, 6))
    return Frame.of(
        walk * [1, 10, 1e-3, 5, 2, 1] + [0, 300, 7, -20, 1, 0],
        list("abcdef"),
        assets=(Asset("left"), Asset("right")),
        asset=np.arange(1200, dtype=np.int32) % 2,
        time=np.arange(1200, dtype=np.int64),
    )


def put(
    frame: Frame, injector: Injector, amplitude: float = 3.0, signals: int = 2, seed: int = 3
) -> Injected:
    case = Injection(injector, amplitude, signals)
    return inject(frame, case, rng=np.random.default_rng(seed), ordered=True)


@pytest.mark.parametrize(("case", "ordered"), CASES, ids=str)
def test_nothing_changes_but_what_the_segments_name(
    clean: Frame, case: Injection, ordered: bool
) -> None:
    made = inject(clean, case, rng=np.random.default_rng(5), ordered=ordered)
    allowed = np.zeros(clean.values.shape, np.bool_)
    for segment in made.segments:
        columns = np.array([clean.names.index(name) for name in segment.signals])
        assert len(set(columns)) == case.signals
        allowed[np.ix_(segment.rows, columns)] = True
    changed = made.frame.values != clean.values
    assert (changed <= allowed).all()
    for segment in made.segments:
        assert changed[segment.rows].any()
    np.testing.assert_array_equal(made.labels, allowed.any(axis=1))
    assert made.frame.time is clean.time
    assert made.frame.assets == clean.assets


@pytest.mark.parametrize("ordered", [True, False])
def test_the_same_seed_makes_the_same_anomalies(clean: Frame, ordered: bool) -> None:
    for case in itertools.islice(suite(6, ordered=ordered), 0, None, 5):
        first, again, other = (
            inject(clean, case, rng=np.random.default_rng(seed), ordered=ordered)
            for seed in (1, 1, 2)
        )
        assert first.frame.values.tobytes() == again.frame.values.tobytes()
        assert first.frame.values.tobytes() != other.frame.values.tobytes()


def test_segments_stay_within_an_asset_and_apart(clean: Frame) -> None:
    for case in suite(6, ordered=True):
        if (case.amplitude, case.signals) != (3.0, 2):
            continue
        made = inject(clean, case, rng=np.random.default_rng(5), ordered=True, share=0.3)
        for segment in made.segments:
            assert clean.asset is not None
            assert len(set(clean.asset[segment.rows])) == 1
            assert (np.diff(segment.rows) == 2).all()  # every second row is this asset's
        for parity in (0, 1):
            ends = [s.rows for s in made.segments if s.rows[0] % 2 == parity]
            for before, behind in itertools.pairwise(ends):
                assert behind[0] - before[-1] > 2
                assert not made.labels[before[-1] + 2]


def test_the_suite_has_every_injector_amplitude_and_count() -> None:
    ordered = list(suite(6, ordered=True))
    assert len(ordered) == 7 * 3 * 3 + 3 * 2  # a swap takes two signals at least
    assert {case.injector for case in ordered} == set(Injector)
    assert {case.injector for case in suite(6, ordered=False)} == set(UNORDERED)
    assert {case.signals for case in suite(2, ordered=True)} == {1, 2}
    assert {case.injector for case in suite(1, ordered=False)} == set(UNORDERED) - {Injector.SWAP}


def moved(clean: Frame, made: Injected, segment: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Old and new values of one segment, in its asset's own scales, shape (rows, signals)."""
    found = made.segments[segment]
    columns = np.array([clean.names.index(name) for name in found.signals])
    of_asset = clean.values[found.rows[0] % 2 :: 2][:, columns]
    scale = of_asset.std(axis=0)
    rows = np.ix_(found.rows, columns)
    center = of_asset.mean(axis=0)
    return (clean.values[rows] - center) / scale, (made.frame.values[rows] - center) / scale


@pytest.mark.parametrize("injector", [Injector.SPIKE, Injector.LEVEL])
def test_spikes_and_levels_shift_by_the_amplitude(clean: Frame, injector: Injector) -> None:
    old, new = moved(clean, put(clean, injector))
    np.testing.assert_allclose(np.abs(new - old), 3.0)
    assert len(old) == 1 if injector is Injector.SPIKE else len(old) >= 10
    assert (np.ptp(new - old, axis=0) < 1e-9).all()


def test_drift_grows_to_the_amplitude(clean: Frame) -> None:
    old, new = moved(clean, put(clean, Injector.DRIFT))
    steps = np.abs(new - old)
    np.testing.assert_allclose(steps[-1], 3.0)
    np.testing.assert_allclose(np.diff(steps, axis=0), 3.0 / len(steps))


def test_gain_multiplies_deviations(clean: Frame) -> None:
    old, new = moved(clean, put(clean, Injector.GAIN))
    np.testing.assert_allclose(new, 4.0 * old)


def test_variance_adds_noise_of_the_amplitude(clean: Frame) -> None:
    made = put(clean, Injector.VARIANCE, amplitude=6.0)
    added = np.concatenate(
        [np.subtract(*moved(clean, made, i)).ravel() for i in range(len(made.segments))]
    )
    assert added.std() == pytest.approx(6.0, rel=0.25)
    assert abs(added.mean()) < 1.5


def test_freeze_holds_or_replays_what_was_there(clean: Frame) -> None:
    held = replayed = 0
    for seed in range(6):
        made = put(clean, Injector.FREEZE, signals=1, seed=seed)
        for segment in made.segments:
            column = clean.names.index(segment.signals[0])
            values = made.frame.values[segment.rows, column]
            past = clean.values[segment.rows[0] % 2 : segment.rows[0] : 2, column]
            if len(past) and np.isclose(values, past[-1]).all():
                held += 1
                continue
            windows = np.lib.stride_tricks.sliding_window_view(past, len(values))
            assert np.isclose(windows, values).all(axis=1).any()
            replayed += 1
    assert held
    assert replayed


def test_freezes_last_longer_the_stronger(clean: Frame) -> None:
    lengths = [
        max(len(s.rows) for s in put(clean, Injector.FREEZE, amplitude=a).segments)
        for a in AMPLITUDES
    ]
    assert lengths == sorted(lengths)
    assert lengths[-1] > 2 * lengths[0]


def test_a_whole_swap_trades_places(clean: Frame) -> None:
    old, new = moved(clean, put(clean, Injector.SWAP, amplitude=6.0))
    np.testing.assert_allclose(new, old[:, ::-1], atol=1e-9)
    old, new = moved(clean, put(clean, Injector.SWAP, amplitude=3.0))
    np.testing.assert_allclose(new, (old + old[:, ::-1]) / 2, atol=1e-9)


def test_jitter_takes_values_from_near_by(clean: Frame) -> None:
    made = put(clean, Injector.JITTER, amplitude=1.5, signals=1)
    for segment in made.segments:
        column = clean.names.index(segment.signals[0])
        for row in segment.rows:
            near = clean.values[max(row - 6, row % 2) : row + 7 : 2, column]
            assert np.isclose(made.frame.values[row, column], near).any()


def test_missing_cells_switches_and_words_stay_as_they_are(clean: Frame) -> None:
    values = clean.values.copy()
    values[::7, 0] = np.nan
    values[:, 5] = np.arange(1200) % 3 > 1
    values[:, 4] = 8.0
    frame = replace(clean, values=values)
    assert list(eligible(frame)) == [0, 1, 2, 3]
    for injector in (Injector.FREEZE, Injector.JITTER, Injector.LEVEL):
        made = put(frame, injector, signals=4)
        np.testing.assert_array_equal(np.isnan(made.frame.values), np.isnan(values))
    assert {name for segment in made.segments for name in segment.signals} <= set("abcd")


def test_float32_stays_float32(clean: Frame) -> None:
    single = replace(clean, values=clean.values.astype(np.float32))
    made = put(single, Injector.LEVEL)
    assert made.frame.values.dtype == np.float32
    same = ~made.labels
    np.testing.assert_array_equal(made.frame.values[same], single.values[same])


def test_what_cannot_be_injected_is_said(clean: Frame, rng: np.random.Generator) -> None:
    def attempt(case: Injection, frame: Frame = clean, **options: float) -> None:
        inject(frame, case, rng=rng, ordered=False, **options)

    with pytest.raises(InvalidParameterError, match="'drift' needs rows in time order"):
        attempt(Injection(Injector.DRIFT, 3.0, 1))
    with pytest.raises(InvalidParameterError, match="at least 2 signals, not 1"):
        attempt(Injection(Injector.SWAP, 3.0, 1))
    with pytest.raises(InvalidParameterError, match="above 0, not 0"):
        attempt(Injection(Injector.LEVEL, 0.0, 1))
    with pytest.raises(InvalidParameterError, match=r"in \(0, 0.5\], not 0.7"):
        attempt(Injection(Injector.LEVEL, 3.0, 1), share=0.7)
    with pytest.raises(InvalidFrameError, match="7 signals are to be hit, and the frame has 6"):
        attempt(Injection(Injector.LEVEL, 3.0, 7))
    short = clean.take(slice(0, 6))
    with pytest.raises(TooFewRowsError, match="no room for a level"):
        inject(short, Injection(Injector.LEVEL, 3.0, 1), rng=rng, ordered=True)
