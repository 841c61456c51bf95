from __future__ import annotations

import numpy as np
import pytest

from clarion.frames import Asset, Frame
from clarion.pipeline.answer import ExplainedRows, ExplanationPolicy
from clarion.pipeline.calibrate import Calibration
from clarion.pipeline.fit import fit
from clarion.pipeline.pace import EVENT_ROWS, Pace
from clarion.pipeline.spec import PipelineSpec, Step
from clarion.registry import Registries

WEEK = 7 * 24 * 3600


def frame_of(steps: dict[str, int], n: int = 400) -> Frame:
    """Return ``n`` rows of each asset, at its own step in seconds, one asset after the other."""
    times = [np.arange(n) * step * 10**9 for step in steps.values()]
    index = np.repeat(np.arange(len(steps)), n).astype(np.int32)
    values = np.random.default_rng(3).normal(size=(n * len(steps), 2))
    assets = tuple(Asset(name) for name in steps)
    return Frame.of(values, time=np.concatenate(times), asset=index, assets=assets)


def pace_of(frame: Frame, scores: np.ndarray, held: np.ndarray) -> Pace | None:
    return Pace.of(frame, np.arange(len(frame)), scores, held)


def test_the_step_is_the_median_over_assets_and_gaps_do_not_count() -> None:
    frame = frame_of({"a": 60, "b": 60, "c": 5})
    assert frame.time is not None
    late = frame.time.copy()
    late[200:400] += 10**15  # a gap
    held = np.ones(len(frame), np.bool_)
    gapped = Frame.of(frame.values, time=late, asset=frame.asset, assets=frame.assets)
    for given in (frame, gapped):
        pace = pace_of(given, np.zeros(len(given)), held)
        assert pace is not None
        assert pace.step_seconds == 60.0


@pytest.mark.parametrize("time", [None, np.zeros(50, np.int64)])
def test_without_times_that_pass_there_is_no_pace(time: np.ndarray | None) -> None:
    frame = Frame.of(np.zeros((50, 1)), time=time)
    assert pace_of(frame, np.zeros(50), np.ones(50, np.bool_)) is None


def test_blocks_are_of_one_asset_and_of_rows_held_out_only() -> None:
    frame = frame_of({"a": 60, "b": 60}, 45)
    scores, held = np.arange(90.0), np.ones(90, np.bool_)
    held[:5] = held[45:50] = False
    pace = pace_of(frame, scores, held)
    assert pace is not None
    assert pace.maxima.tolist() == [14, 24, 34, 44, 59, 69, 79, 89]


def test_independent_rows_have_as_many_false_alarms_and_events_as_said() -> None:
    rng, rate = np.random.default_rng(4), 0.01
    frame = frame_of({"a": 60}, 40_000)
    scores = rng.normal(size=40_000)
    pace = pace_of(frame, scores, np.ones(40_000, np.bool_))
    made = Calibration.of(scores, rate, pace=pace)
    level = made.levels(rate).pooled
    fresh = rng.normal(size=WEEK // 60 * 40) >= level.threshold
    assert made.false_alarms_per_week(level) == pytest.approx(fresh.sum() / 40, rel=0.1)
    events = fresh.reshape(-1, EVENT_ROWS).any(axis=1).sum() / 40
    assert pace is not None
    assert pace.events_per_week(level.threshold) == pytest.approx(events, rel=0.1)


def test_alarms_that_cluster_are_few_events() -> None:
    rng = np.random.default_rng(5)
    bursts = np.repeat(rng.normal(size=4000), EVENT_ROWS)
    pace = pace_of(frame_of({"a": 60}, 40_000), bursts, np.ones(40_000, np.bool_))
    assert pace is not None
    events = pace.events_per_week(float(np.quantile(bursts, 0.99)))
    assert events == pytest.approx(pace.alarms_per_week(0.01) / EVENT_ROWS, rel=0.1)


def test_too_few_blocks_say_nothing_of_events() -> None:
    pace = pace_of(frame_of({"a": 60}, 199), np.arange(199.0), np.ones(199, np.bool_))
    assert pace is not None
    assert pace.events_per_week(5.0) is None
    assert pace.alarms_per_week(0.01) == pytest.approx(WEEK / 60 * 0.01)


def test_only_ordered_models_with_times_tell_of_weeks(installed: Registries) -> None:
    timed = frame_of({"a": 60, "b": 60})
    timeless = Frame.of(timed.values, asset=timed.asset, assets=timed.assets)
    everything = ExplanationPolicy(ExplainedRows.ALL)
    for frame, ordered, known in (
        (timed, True, True),
        (timed, False, False),
        (timeless, True, False),
    ):
        spec = PipelineSpec(Step("mahalanobis"), ordered=ordered, false_alarm_rate=0.05)
        model = fit(spec, frame, registries=installed)
        answer, _ = model.run(frame.take(slice(0, 3)), everything)
        level = model.calibration.levels(0.05).pooled
        for record in answer.explanations:
            said = record.false_alarms_per_week
            assert said == (pytest.approx(level.expected_rate * WEEK / 60) if known else None)
            assert ("in a week" in record.summary) is known


def test_the_state_gives_the_same_pace_back() -> None:
    pace = pace_of(frame_of({"a": 60}), np.arange(400.0), np.ones(400, np.bool_))
    assert pace is not None
    before = Calibration.of(np.arange(400.0), 0.01, pace=pace)
    after = Calibration.from_state(before.state())
    assert after.id == before.id
    assert after.pace is not None
    assert after.pace.step_seconds == 60.0
    assert after.pace.maxima.tolist() == pace.maxima.tolist()
    assert Calibration.of(np.arange(400.0), 0.01).id != before.id
