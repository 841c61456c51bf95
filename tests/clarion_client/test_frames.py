from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from clarion_api.v1 import frame_pb2
from clarion_client import InvalidFrameError, Words, frame

TYPES: list[Any] = [np.dtype("<f4"), np.dtype("<f8"), np.dtype(">f8")]


def block(message: frame_pb2.Frame) -> np.ndarray[Any, Any]:
    matrix = message.matrix
    small = matrix.element_type == frame_pb2.ELEMENT_TYPE_FLOAT32
    values = np.frombuffer(matrix.values, "<f4" if small else "<f8")
    return values.reshape(-1, len(matrix.signal_names))


def words(column: frame_pb2.Column) -> list[str | None]:
    codes = np.frombuffer(column.words.codes, "<i4")
    return [column.words.vocabulary[c] if c >= 0 else None for c in codes]


@given(
    hnp.arrays(
        st.sampled_from(TYPES),
        hnp.array_shapes(min_dims=2, max_dims=2, max_side=5),
        elements=st.floats(-1e6, 1e6, width=32) | st.just(float("nan")),
    ),
    st.booleans(),
)
def test_an_array_travels_bit_by_bit(values: np.ndarray[Any, Any], fortran: bool) -> None:
    sent = frame(np.asfortranarray(values) if fortran else values)
    np.testing.assert_array_equal(block(sent), values)
    assert list(sent.matrix.signal_names) == [f"x{j}" for j in range(values.shape[1])]


def test_float32_stays_and_whole_numbers_become_float64() -> None:
    small = frame(np.ones((2, 2), np.float32), names=["a", "b"])
    assert small.matrix.element_type == frame_pb2.ELEMENT_TYPE_FLOAT32
    assert len(small.matrix.values) == 2 * 2 * 4
    whole = frame(np.array([[1, 2], [3, 4]]), names=["a", "b"])
    np.testing.assert_array_equal(block(whole), [[1.0, 2.0], [3.0, 4.0]])


TABLE = {
    "at": ["2024-01-01T00:00:00+01:00", "2024-01-01T01:00:00+01:00", "2024-01-01T02:00:00+01:00"],
    "pump": ["p2", "p1", "p2"],
    "id": [7, 8, 9],
    "flow": [1.0, None, 3.0],
    "valve": ["open", None, "shut"],
    "port": [80, 443, 80],
}


def as_records() -> list[dict[str, Any]]:
    rows = [dict(zip(TABLE, row, strict=True)) for row in zip(*TABLE.values(), strict=True)]
    return [{k: v for k, v in row.items() if v is not None} for row in rows]


@pytest.mark.parametrize(
    "data", [TABLE, pd.DataFrame(TABLE), as_records()], ids=["columns", "pandas", "records"]
)
def test_tables_columns_and_records_are_one(data: Any) -> None:
    sent = frame(
        data,
        times="at",
        assets="pump",
        row_ids="id",
        units={"flow": "l/s"},
        categorical=["port"],
    )
    flow, valve, port = sent.columns.columns
    assert [flow.name, valve.name, port.name] == ["flow", "valve", "port"]
    np.testing.assert_array_equal(np.frombuffer(flow.doubles, "<f8"), [1.0, np.nan, 3.0])
    assert words(valve) == ["open", None, "shut"]
    assert words(port) == ["80", "443", "80"]
    hours = np.frombuffer(sent.event_times, "<i8").astype("datetime64[ns]")
    first = np.datetime64("2023-12-31T23:00:00", "ns")
    np.testing.assert_array_equal(hours, first + np.arange(3) * np.timedelta64(1, "h"))
    assert [asset.name for asset in sent.assets] == ["p1", "p2"]
    np.testing.assert_array_equal(np.frombuffer(sent.asset_indices, "<i4"), [1, 0, 1])
    assert list(sent.row_ids) == ["7", "8", "9"]
    assert [(s.name, s.unit) for s in sent.signals] == [("flow", "l/s")]


def test_a_table_of_numbers_is_a_matrix() -> None:
    table = pd.DataFrame({"a": [1, 2], "b": [True, False], "c": [0.5, None]})
    np.testing.assert_array_equal(block(frame(table)), [[1, 1, 0.5], [2, 0, np.nan]])


@pytest.mark.parametrize(
    "times",
    [
        [dt.datetime(2024, 5, 1, 12, tzinfo=dt.UTC)],
        [dt.datetime(2024, 5, 1, 14, tzinfo=dt.timezone(dt.timedelta(hours=2)))],
        ["2024-05-01 12:00:00"],
        np.array(["2024-05-01T12"], "datetime64[h]"),
        [1_714_564_800_000_000_000],
        pd.Series(["2024-05-01 12:00"]).astype("datetime64[ns]").dt.tz_localize("UTC"),
    ],
)
def test_times_in_every_form_are_nanoseconds_of_utc(times: Any) -> None:
    sent = frame(np.ones((1, 1)), times=times)
    assert np.frombuffer(sent.event_times, "<i8").tolist() == [1_714_564_800_000_000_000]


def test_coded_words_travel_as_they_are() -> None:
    sent = frame({"valve": Words(np.array([1, -1, 0], np.int32), ("shut", "open"))})
    assert words(sent.columns.columns[0]) == ["open", None, "shut"]


def test_a_finished_frame_is_sent_as_it_is() -> None:
    sent = frame(np.ones((1, 1)), names=["a"])
    assert frame(sent) is sent
    with pytest.raises(InvalidFrameError, match="takes no options"):
        frame(sent, names=["b"])


@pytest.mark.parametrize(
    ("data", "options", "message"),
    [
        (np.ones(3), {}, "2 dimensions, not 1"),
        (np.array([["a"]]), {}, "array of <U1"),
        (np.ones((1, 2)), {"names": ["a"]}, "1 names for 2 columns"),
        (np.ones((1, 2)), {"names": ["a", "a"]}, "'a' is named twice"),
        ({"a": [1.0], "b": [1.0, 2.0]}, {}, "column 'b' has 2 rows, and 'a' has 1"),
        ({"a": [1.0]}, {"times": "at"}, "times='at' is no column of the data; it has: a"),
        ({"a": [1.0]}, {"times": ["noon"]}, "times cannot be read"),
        ({"a": [1.0]}, {"times": [None]}, "times cannot be read"),
        ({"a": [1.0]}, {"times": np.array(["NaT"], "datetime64[ns]")}, "row 0 has no time"),
        ({"a": [1.0]}, {"assets": [None]}, "row 0 has no asset"),
        ({"a": [1.0]}, {"categorical": ["b"]}, "categorical='b' is no column"),
        ({}, {}, "at least one signal"),
        (7, {}, "int cannot be a frame"),
        ([1.0, 2.0], {}, "list cannot be a frame"),
    ],
)
def test_what_cannot_be_a_frame_is_named(data: Any, options: Any, message: str) -> None:
    with pytest.raises(InvalidFrameError, match=message):
        frame(data, **options)
