from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from clarion.errors import InvalidParameterError
from clarion.evaluation.events import (
    NameRecall,
    asset_days,
    event_figures,
    events,
    recall_by_name,
)
from clarion.frames import Asset, Frame

HOUR = 3600 * 10**9


def flags(text: str) -> np.ndarray:
    """Rows from a picture: ``.`` is quiet, anything else is flagged."""
    return np.array([mark != "." for mark in text], np.bool_)


def plain(n: int, **rows: Any) -> Frame:
    return Frame.of(np.zeros((n, 1)), **rows)


def test_an_event_is_a_run_of_rows() -> None:
    marks = flags("##..#...###")
    found = [list(event.rows) for event in events(plain(len(marks)), marks)]
    assert found == [[0, 1], [4], [8, 9, 10]]
    assert events(plain(3), flags("...")) == []


def test_assets_interleave_without_joining_their_events() -> None:
    frame = plain(6, assets=(Asset("a"), Asset("b")), asset=np.array([0, 1, 0, 1, 0, 1], np.int32))
    found = [list(event.rows) for event in events(frame, flags("#.##.#"))]
    assert found == [[0, 2], [3, 5]]


def test_figures_by_hand() -> None:
    truth = flags("..####....##....###.")
    alarm = flags("....###.....##......")
    times = np.arange(20, dtype=np.int64) * HOUR
    got = event_figures(plain(20, time=times), alarm, truth)
    assert (got.true_events, got.alarm_events) == (3, 2)
    assert got.recall == pytest.approx(1 / 3)
    assert got.precision == pytest.approx(1 / 2)  # rows 12 and 13 come a row too late
    assert got.delay_rows == 2.0
    assert got.delay_seconds == 7200.0
    assert got.alarms_per_asset_day == pytest.approx(5 / (20 / 24))
    assert got.false_events_per_asset_day == pytest.approx(1 / (20 / 24))


def test_no_point_adjustment_one_alarm_makes_one_row() -> None:
    truth, alarm = flags("..##########.."), flags("...#..........")
    got = event_figures(plain(14), alarm, truth)
    assert got.recall == got.precision == 1.0
    assert got.delay_rows == 1.0
    assert math.isnan(got.delay_seconds)
    assert math.isnan(got.alarms_per_asset_day)


def test_delays_count_the_rows_of_the_events_own_asset() -> None:
    frame = plain(
        8,
        assets=(Asset("a"), Asset("b")),
        asset=np.array([0, 1, 0, 1, 0, 1, 0, 1], np.int32),
        time=np.arange(8, dtype=np.int64) * HOUR,
    )
    got = event_figures(frame, flags("....#..."), flags("#.#.#.#."))
    assert got.delay_rows == 2.0
    assert got.delay_seconds == 4 * 3600.0


def test_silence_and_peace_are_told_apart() -> None:
    silent = event_figures(plain(4), flags("...."), flags(".##."))
    assert (silent.recall, silent.alarm_events) == (0.0, 0)
    assert math.isnan(silent.precision)
    assert math.isnan(silent.delay_rows)
    peaceful = event_figures(plain(4), flags(".#.."), flags("...."))
    assert peaceful.precision == 0.0
    assert math.isnan(peaceful.recall)


def test_asset_days_count_each_asset_and_skip_gaps() -> None:
    steps = np.array([0, 1, 2, 3, 100, 101, 102, 103], np.int64) * HOUR
    assert asset_days(plain(8, time=steps)) == pytest.approx(8 / 24)
    both = plain(
        8,
        time=np.repeat(np.arange(4, dtype=np.int64), 2) * HOUR,
        assets=(Asset("a"), Asset("b")),
        asset=np.array([0, 1] * 4, np.int32),
    )
    assert asset_days(both) == pytest.approx(8 / 24)
    assert asset_days(plain(1, time=steps[:1])) == 0.0
    assert asset_days(plain(2)) == 0.0


def test_recall_by_name() -> None:
    names = ["", "dos", "dos", "probe", "", "dos"]
    got = recall_by_name(flags("###..."), flags(".###.#"), names)
    assert got == {"dos": NameRecall(3, 2 / 3), "probe": NameRecall(1, 0.0)}


def test_rows_and_labels_must_fit() -> None:
    with pytest.raises(InvalidParameterError, match="2 rows and 3 labels"):
        event_figures(plain(3), flags(".."), flags("..."))
    with pytest.raises(InvalidParameterError, match="1 rows and 2 labels"):
        recall_by_name(flags(".."), flags(".#"), ["x"])
