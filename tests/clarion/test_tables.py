"""Frames from tables, columns and records: whatever library they come from, by duck typing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clarion.errors import InvalidFrameError
from clarion.frames import SignalKind
from clarion.tables import coded, from_columns, from_records, from_table, nanoseconds

SECOND = 1_000_000_000


@dataclass
class FakeSeries:
    """What polars' Series and Arrow's ChunkedArray have in common."""

    cells: list[Any]

    def to_numpy(self) -> np.ndarray[Any, Any]:
        return np.array(self.cells)


@dataclass
class FakePolars:
    """A table whose ``columns`` are names."""

    data: dict[str, list[Any]]

    @property
    def columns(self) -> list[str]:
        return list(self.data)

    def __getitem__(self, name: str) -> FakeSeries:
        return FakeSeries(self.data[name])


@dataclass
class FakeArrow:
    """A table whose ``columns`` are arrays, and ``column_names`` their names."""

    data: dict[str, list[Any]]

    @property
    def column_names(self) -> list[str]:
        return list(self.data)

    @property
    def columns(self) -> list[FakeSeries]:
        return [FakeSeries(cells) for cells in self.data.values()]

    def __getitem__(self, name: str) -> FakeSeries:
        return FakeSeries(self.data[name])


DATA: dict[str, list[Any]] = {
    "flow": [1.5, 2.5, 3.5],
    "valve": ["open", "closed", "open"],
    "count": [1, 2, 3],
    "on": [True, False, True],
    "pump": ["b", "a", "b"],
    "at": [10, 20, 30],
    "id": ["x", "y", "z"],
}


@pytest.mark.parametrize("table", [pd.DataFrame(DATA), FakePolars(DATA), FakeArrow(DATA)])
def test_a_table_of_any_library_becomes_the_same_frame(table: Any) -> None:
    frame = from_table(table, time="at", asset="pump", row_id="id", units={"flow": "l/s"})
    assert frame.names == ("flow", "valve", "count", "on")
    assert [signal.unit for signal in frame.signals] == ["l/s", "", "", ""]
    assert frame.signals[1].kind is SignalKind.CATEGORICAL
    assert frame.signals[1].vocabulary == ("closed", "open")
    assert frame.values.tolist() == [[1.5, 1, 1], [2.5, 2, 0], [3.5, 3, 1]]
    assert frame.codes[:, 0].tolist() == [1, 0, 1]
    assert frame.time is not None
    assert frame.time.tolist() == [10, 20, 30]
    assert [frame.asset_of(row).name for row in range(3)] == ["b", "a", "b"]
    assert frame.row_ids == ("x", "y", "z")


def test_every_kind_of_missing_cell_is_missing() -> None:
    table = pd.DataFrame(
        {
            "plain": [1.0, np.nan],
            "nullable": pd.array([1, None], dtype="Int64"),
            "flag": pd.array([True, None], dtype="boolean"),
            "object": np.array([2, None], object),
            "nothing": np.array([None, None], object),
            "text": np.array(["a", None], object),
            "string": pd.array(["a", None], dtype="string"),
            "category": pd.Categorical(["a", None]),
        }
    )
    frame = from_table(table)
    assert [s.name for s in frame.of_kind(numeric=True)] == [
        "plain", "nullable", "flag", "object", "nothing",
    ]  # fmt: skip
    assert frame.values[0, :4].tolist() == [1, 1, 1, 2]
    assert np.isnan(frame.values[1]).all()
    assert np.isnan(frame.values[0, 4])
    assert frame.codes.tolist() == [[0, 0, 0], [-1, -1, -1]]


def test_records_may_lack_keys() -> None:
    frame = from_records([{"a": 1, "b": "x"}, {"b": "y", "c": 2.5}, {}])
    assert frame.names == ("a", "b", "c")
    np.testing.assert_array_equal(frame.values, [[1, np.nan], [np.nan, 2.5], [np.nan, np.nan]])
    assert frame.codes[:, 0].tolist() == [0, 1, -1]


@pytest.mark.parametrize(
    ("records", "options", "said"),
    [
        ([], {}, "at least one signal"),
        ([{}], {}, "at least one signal"),
        ([{"a": 1}, 2], {}, "record 1 is not an object"),
        ([{"a": 1}], {"time": "at"}, "no column 'at'"),
        ([{"a": 1}], {"asset": "pump"}, "no column 'pump'"),
        ([{"a": 1, "pump": None}], {"asset": "pump"}, "row 0 has no asset"),
        ([{"a": float("inf")}], {}, "'a' is infinite"),
        ([{"a": 10**400}], {}, "'a' holds a number beyond the range"),
    ],
)
def test_records_that_are_no_frame_are_refused(
    records: Sequence[Any], options: dict[str, str], said: str
) -> None:
    with pytest.raises(InvalidFrameError, match=said):
        from_records(records, **options)


def test_columns_must_be_columns_of_one_length() -> None:
    with pytest.raises(InvalidFrameError, match=r"different lengths: \[2, 3\]"):
        from_columns({"a": np.zeros(2), "b": np.zeros(3)})
    with pytest.raises(InvalidFrameError, match="'b' has 2 dimensions"):
        from_columns({"a": np.zeros(2), "b": np.zeros((2, 2))})


@given(st.lists(st.one_of(st.none(), st.text(max_size=4)), max_size=20))
def test_codes_spell_the_same_words(words: list[str | None]) -> None:
    column = np.empty(len(words), object)
    column[:] = words
    codes, vocabulary = coded(column)
    assert [None if code < 0 else vocabulary[code] for code in codes] == words
    assert list(vocabulary) == sorted({word for word in words if word is not None})
    assert codes.dtype == np.int32


def test_one_long_text_does_not_widen_all_others() -> None:
    column = np.empty(50_000, object)
    column[:] = "x"
    column[0] = "y" * 100_000  # as an array of texts: 20 GB
    codes, vocabulary = coded(column)
    assert len(vocabulary) == 2
    assert codes.sum() == 1


TWO_EAST = timezone(timedelta(hours=2))


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (np.array([5, -7], np.int32), [5, -7]),
        (np.array([5], np.uint64), [5]),
        (np.array([1_700_000_000_123_456_789, 3], object), [1_700_000_000_123_456_789, 3]),
        (np.array(["1970-01-01T00:00:01"], "datetime64[s]"), [SECOND]),
        (np.array(["1970-01-01T00:00:01", "1970-01-01 00:00:02"], object), [SECOND, 2 * SECOND]),
        (np.array(["1970-01-01T02:00:01+02:00"], object), [SECOND]),
        (np.array(["1970-01-01T00:00:01Z"]), [SECOND]),
        (np.array([datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)], object), [SECOND]),
        (np.array([datetime(1970, 1, 1, 2, 0, 1, tzinfo=TWO_EAST)], object), [SECOND]),
        (np.array([pd.Timestamp(123_456_789, tz="UTC")], object), [123_456_789]),
        (np.array([], object), []),
        (np.array([]), []),
    ],
)
def test_times_become_nanoseconds(cells: np.ndarray[Any, Any], expected: list[int]) -> None:
    stamps = nanoseconds(cells)
    assert stamps.dtype == np.int64
    assert stamps.tolist() == expected


@given(st.lists(st.integers(-(2**62), 2**62), max_size=5))
def test_pandas_times_survive_with_and_without_a_zone(expected: list[int]) -> None:
    plain = pd.DataFrame({"at": pd.to_datetime(pd.Series(expected, dtype="int64")), "x": 1.0})
    zoned = plain.assign(at=plain["at"].dt.tz_localize("UTC").dt.tz_convert("Asia/Kolkata"))
    for table in (plain, zoned):
        time = from_table(table, time="at").time
        assert time is not None
        assert time.tolist() == expected


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        (np.array([1.5]), "fractional"),
        (np.array([1.0, None], object), "Invalid isoformat"),
        (np.array(["yesterday"]), "Invalid isoformat"),
        (np.array(["NaT"], "datetime64[ns]"), "row 0 has no time"),
        (np.array([pd.NaT], object), "row 0 has no time"),
        (np.array([True]), "Invalid isoformat"),
        (np.array(["2300-01-01"], "datetime64[D]"), "outside the years"),
        (np.array(["9999-12-31"], object), "outside the years"),
        (np.array(["0001-01-01"], object), "outside the years"),
        (np.array([2**63], np.uint64), "64 bits"),
        (np.array([2**63], object), "too large"),
        (np.array([2**70], object), "too large"),
    ],
)
def test_what_is_no_time_is_refused(cells: np.ndarray[Any, Any], said: str) -> None:
    with pytest.raises(InvalidFrameError, match=f"column 'at' cannot be read as times.*{said}"):
        nanoseconds(cells, "at")
