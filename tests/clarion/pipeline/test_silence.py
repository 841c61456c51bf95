from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from clarion.errors import ArtifactCorruptError
from clarion.frames import Asset, Frame
from clarion.pipeline.cadence import RATE, Cadence
from clarion.pipeline.confidence import StreamRules
from clarion.pipeline.fit import fit
from clarion.pipeline.memory import Memory
from clarion.pipeline.run import FittedPipeline
from clarion.pipeline.silence import Silence
from clarion.pipeline.spec import PipelineSpec, Step
from clarion.plugins import load_plugins
from clarion.state import State

START = 1_700_000_000
DAY = 86_400


def rows(*seen: tuple[str, float]) -> Frame:
    """A row of an asset at each of these seconds after the start."""
    names = tuple(dict.fromkeys(name for name, _ in seen))
    return Frame.of(
        np.zeros((len(seen), 1)),
        time=np.array([int((START + at) * 1e9) for _, at in seen], np.int64),
        assets=tuple(Asset(name) for name in names),
        asset=np.array([names.index(name) for name, _ in seen], np.int32),
    )


def learned() -> Cadence:
    """A reports every minute, b every hour; some come late by up to a half."""
    rng = np.random.default_rng(1)
    minute = np.cumsum(60 * rng.choice([1.0, 1.5], 400, p=[0.9, 0.1]))
    hour = np.cumsum(3600 * rng.choice([1.0, 1.5], 60, p=[0.9, 0.1]))
    cadence = Cadence.learn(rows(*(("a", t) for t in minute), *(("b", t) for t in hour)))
    assert cadence is not None
    return cadence


def told(silence: Silence) -> list[tuple[str, bool]]:
    return [(one.asset, one.returned) for one in silence.told]


def follow(*frames: Frame, most: int = 100) -> Silence:
    silence = Silence(most)
    for frame in frames:
        silence = silence.after(frame, learned())
    return silence


def test_each_asset_has_its_own_cadence_and_others_the_fleet_s() -> None:
    cadence = learned()
    assert cadence.duty("a").expected == 60
    assert cadence.duty("a").bound == 120  # the longest gap, 90 s, is but one report that is late
    assert (cadence.duty("b").expected, cadence.duty("b").bound) == (3600, 7200)
    assert cadence.duty("c").expected == (60 + 3600) / 2


def test_the_bound_is_exceeded_by_few_gaps_of_the_same_law() -> None:
    rng = np.random.default_rng(2)
    broken = []
    for _ in range(200):
        gaps = rng.exponential(60, 2000)
        cadence = Cadence.learn(rows(*(("a", t) for t in np.cumsum(gaps[:1000]))))
        assert cadence is not None
        broken.append((gaps[1000:] > cadence.duty("a").bound).mean())
    assert np.mean(broken) <= 1.3 / 1001  # promised: 1 / (gaps + 1) on average over fits


def test_a_large_fleet_s_bound_is_exceeded_as_rarely_as_promised() -> None:
    rng = np.random.default_rng(3)
    gaps = rng.exponential(60, (150, 200))
    seen = [(f"a{i}", float(t)) for i, own in enumerate(gaps) for t in np.cumsum(own)]
    cadence = Cadence.learn(rows(*seen))
    assert cadence is not None
    realised = (rng.exponential(60, 10**6) > cadence.duty("new").bound).mean()
    assert RATE / 4 < realised < 2 * RATE


def test_a_silent_asset_is_told_once_and_once_more_when_it_returns() -> None:
    frames = [rows(("a", 0), ("b", 0))]
    frames += [rows(("b", 60.0 * i)) for i in (1, 2, 3, 4)]
    silence, seen = Silence(100), []
    for frame in [*frames, rows(("a", 300))]:
        silence = silence.after(frame, learned())
        seen.append(told(silence))
    assert seen == [[], [], [], [("a", False)], [], [("a", True)]]
    back = silence.told[0]
    assert (back.silent_seconds, back.expected_seconds, back.bound_seconds) == (300, 60, 120)
    assert back.last_seen == START * 10**9
    assert back.p_value == pytest.approx(1 / (399 + 59 + 1))
    assert "Asset a is back after 300 s" in back.summary
    again = silence.after(rows(("b", 500)), learned())
    assert told(again) == [("a", False)]
    assert "has been silent for 200 s" in again.told[0].summary


def test_another_s_silence_does_not_tell_the_first_again() -> None:
    silence = follow(rows(("a", 0), ("b", 0), ("c", 0)), rows(("b", 200)))
    assert told(silence) == [("a", False)]
    silence = silence.after(rows(("b", 4000)), learned())
    assert told(silence) == [("c", False)]
    assert silence.silent == {"a", "c"}


def test_assets_that_report_are_never_told() -> None:
    frames = [
        rows(("a", 60.0 * i), *([("b", 60.0 * i)] if i % 60 == 0 else [])) for i in range(200)
    ]
    silence = Silence(100)
    for frame in frames:
        silence = silence.after(frame, learned())
        assert not silence.told


def test_the_order_and_the_cut_of_rows_within_reach_do_not_matter() -> None:
    seen = [("a", 0.0), ("b", 0.0), ("b", 100.0), ("b", 200.0)]
    whole = follow(rows(*seen))
    assert told(whole) == told(follow(rows(*seen[::-1]))) == [("a", False)]
    cut = [follow(*(rows(one) for one in seen[:i])) for i in (1, 2, 3, 4)]
    assert [told(one) for one in cut] == [[], [], [], [("a", False)]]
    assert cut[-1].last_seen == whole.last_seen


def test_late_rows_do_not_move_the_clock_back() -> None:
    silence = follow(rows(("a", 100), ("b", 100)), rows(("a", 40)))
    assert silence.clock == (START + 100) * 10**9
    assert silence.last_seen["a"] == (START + 100) * 10**9
    assert (silence.jumps, silence.doubted) == (0, 0)


@pytest.mark.parametrize("years", [30, -30])
def test_one_asset_s_broken_clock_silences_nobody(years: int) -> None:
    broken = rows(("a", 60), ("b", years * 365.0 * DAY))
    silence = follow(rows(("a", 0), ("b", 0)), broken, rows(("a", 120)))
    assert not silence.told
    assert (silence.jumps, silence.doubted) == (0, 1)
    assert silence.clock == (START + 120) * 10**9


@pytest.mark.parametrize("days", [3000, -3000])
def test_a_stream_that_moves_as_a_whole_is_nobody_s_silence(days: int) -> None:
    jumped = rows(("b", days * DAY), ("b", days * DAY + 60))
    silence = follow(rows(("a", 0), ("b", 0)), jumped)
    assert not silence.told
    assert (silence.jumps, silence.doubted) == (1, 0)
    later = silence.after(rows(("b", days * DAY + 130)), learned())
    assert told(later) == [("a", False)]


def test_what_is_watched_is_bounded() -> None:
    frames = [rows((f"x{i}", float(i))) for i in range(20)]
    silence = follow(*frames, most=5)
    assert list(silence.last_seen) == [f"x{i}" for i in range(15, 20)]


def test_the_largest_times_do_not_break_it() -> None:
    ends = np.iinfo(np.int64)
    frame = replace(rows(("a", 0), ("b", 0)), time=np.array([ends.min, ends.max]))
    silence = follow(frame, rows(("a", 0)), frame)
    assert silence.jumps >= 1


def test_without_times_or_with_few_rows_there_is_no_cadence() -> None:
    assert Cadence.learn(rows(*(("a", 60.0 * i) for i in range(20)))) is None
    assert Cadence.learn(rows(*(("a", 60.0 * i) for i in range(21)))) is not None
    assert Cadence.learn(replace(rows(*(("a", float(i)) for i in range(50))), time=None)) is None


def model() -> FittedPipeline:
    rng = np.random.default_rng(0)
    frame = rows(*((f"m{i % 2}", 30.0 * i) for i in range(400)))
    frame = replace(frame, values=rng.normal(size=(400, 1)))
    spec = PipelineSpec(Step("zscore"), false_alarm_rate=0.05)
    return fit(spec, frame, registries=load_plugins())


def test_a_stream_tells_silence_and_a_batch_does_not() -> None:
    fitted = model()
    stored = FittedPipeline.from_state(fitted.state(), fitted.calibration, load_plugins())
    frames = [rows(("m0", 0), ("m1", 0)), rows(("m1", 60)), rows(("m1", 130))]
    for pipeline in (fitted, stored):
        memory, seen = Memory(), []
        for frame in frames:
            answer, memory = pipeline.run(frame, memory=memory, rules=StreamRules())
            assert answer.silence is not None
            seen.append(told(answer.silence))
        assert seen == [[], [], [("m0", False)]]
    assert fitted.run(frames[0])[0].silence is None


@pytest.mark.parametrize("name", ["expected", "bound", "longest"])
def test_a_damaged_cadence_is_refused(name: str) -> None:
    state = learned().state()
    bad = np.append(state.arrays[name], np.nan) if name == "longest" else -state.arrays[name]
    with pytest.raises(ArtifactCorruptError):
        Cadence.from_state(State(1, state.parameters, {**state.arrays, name: bad}))
