"""Frames off the wire are the frames that were put on it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from clarion.errors import InvalidFrameError, LimitExceededError
from clarion.frames import Frame, Signal, SignalKind
from clarion.server.convert.frames import FrameLimits, frame_from_proto
from clarion_api.v1 import frame_pb2 as pb

finite = st.floats(allow_infinity=False, allow_nan=True)
blocks = hnp.array_shapes(min_dims=2, max_dims=2, max_side=6).flatmap(
    lambda shape: hnp.arrays(np.float64, shape, elements=finite)
)


def names(width: int) -> list[str]:
    return [f"s{j}" for j in range(width)]


def matrix(block: Any) -> pb.Frame:
    element = pb.ELEMENT_TYPE_FLOAT32 if block.dtype == np.float32 else pb.ELEMENT_TYPE_FLOAT64
    message = pb.Matrix(
        signal_names=names(block.shape[1]), element_type=element, values=block.tobytes()
    )
    return pb.Frame(matrix=message)


def columns(block: Any) -> pb.Frame:
    message = pb.Columns(
        columns=[
            pb.Column(name=name, doubles=block[:, j].tobytes())
            for j, name in enumerate(names(block.shape[1]))
        ]
    )
    return pb.Frame(columns=message)


def records(block: Any) -> pb.Frame:
    frame = pb.Frame()
    for row in block:
        cells = {
            n: None if np.isnan(v) else float(v) for n, v in zip(names(len(row)), row, strict=True)
        }
        frame.records.rows.add().update(cells)
    return frame


@given(blocks)
def test_a_matrix_comes_through_bit_for_bit_without_a_copy(block: Any) -> None:
    frame = frame_from_proto(matrix(block))
    assert frame.values.tobytes() == block.tobytes()
    assert not frame.values.flags.owndata
    assert frame.names == tuple(names(block.shape[1]))


@given(blocks)
def test_columns_and_records_hold_the_same_numbers(block: Any) -> None:
    for message in (columns(block), records(block)):
        frame = frame_from_proto(message)
        assert frame.names == tuple(names(block.shape[1]))
        assert np.array_equal(frame.values, block, equal_nan=True)


def test_float32_stays_float32() -> None:
    block = np.array([[1.5, 2.5]], np.float32)
    assert frame_from_proto(matrix(block)).values.dtype == np.float32


def words(name: str, *cells: str | None) -> pb.Column:
    vocabulary = sorted({cell for cell in cells if cell is not None}, reverse=True)
    codes = np.array([-1 if c is None else vocabulary.index(c) for c in cells], "<i4")
    return pb.Column(name=name, words=pb.Words(vocabulary=vocabulary, codes=codes.tobytes()))


def integers(name: str, *cells: int) -> pb.Column:
    return pb.Column(name=name, integers=np.array(cells, "<i8").tobytes())


def texts(frame: Frame, name: str) -> list[str | None]:
    coded = frame.of_kind(numeric=False)
    column = [signal.name for signal in coded].index(name)
    vocabulary = coded[column].vocabulary
    return [None if c < 0 else vocabulary[c] for c in frame.codes[:, column]]


def test_typed_columns_become_signals_and_fields() -> None:
    message = pb.Frame(
        columns=pb.Columns(
            columns=[
                words("state", "on", None, "off"),
                integers("count", 1, 2, 3),
                words("at", "2026-01-01T00:00:00Z", "2026-01-01T01:00:01+01:00", "2026-01-01"),
                words("where", "p-2", "p-1", "p-2"),
                integers("key", 7, 8, 9),
            ]
        ),
        time_column="at",
        asset_column="where",
        row_id_column="key",
        assets=[pb.Asset(name="p-1", asset_class="pump")],
        signals=[pb.SignalInfo(name="state", kind=pb.SIGNAL_KIND_TEXT, unit="-")],
    )
    frame = frame_from_proto(message)
    assert frame.names == ("state", "count")
    assert frame.signals[0].kind is SignalKind.TEXT
    assert texts(frame, "state") == ["on", None, "off"]
    assert frame.values[:, 0].tolist() == [1.0, 2.0, 3.0]
    assert frame.time is not None
    assert (frame.time - frame.time[0]).tolist() == [0, 10**9, 0]
    assert [frame.asset_of(i).name for i in range(3)] == ["p-2", "p-1", "p-2"]
    assert frame.asset_of(1).asset_class == "pump"
    assert frame.row_ids == ("7", "8", "9")


FITTED = (
    Signal("state", SignalKind.CATEGORICAL, vocabulary=("off", "on")),
    Signal("code", SignalKind.CATEGORICAL, vocabulary=("7",)),
    Signal("speed"),
)


def test_the_models_kinds_decide_where_a_record_leaves_them_open() -> None:
    message = pb.Frame()
    message.records.rows.add().update({"state": None, "code": 7, "speed": None})
    message.records.rows.add().update({"state": True, "code": 8.5})
    frame = frame_from_proto(message, fitted=FITTED)
    kinds = {signal.name: signal.kind.value for signal in frame.signals}
    assert kinds == {"state": "categorical", "code": "categorical", "speed": "numeric"}
    assert texts(frame, "state") == [None, "true"]
    assert texts(frame, "code") == ["7", "8.5"]
    assert np.isnan(frame.values).all()


def test_records_without_any_signal_are_refused_as_such() -> None:
    message = pb.Frame()
    message.records.rows.add()
    with pytest.raises(InvalidFrameError, match="no row holds any signal") as caught:
        frame_from_proto(message)
    assert caught.value.field == "frame.records.rows"


def test_columns_missing_throughout_are_of_the_models_kind() -> None:
    missing = np.full(2, np.nan).tobytes()
    message = pb.Frame(
        columns=pb.Columns(
            columns=[
                pb.Column(name="state", doubles=missing),
                words("speed", None, None),
                words("code", "7", None),
            ]
        )
    )
    frame = frame_from_proto(message, fitted=FITTED)
    assert texts(frame, "state") == [None, None]
    assert np.isnan(frame.values[:, 0]).all()


@pytest.mark.parametrize(
    ("cells", "nanoseconds"),
    [
        ((1_700_000_000_000_000_000.0,), [1_700_000_000_000_000_000]),
        (("1700000000000000123",), [1_700_000_000_000_000_123]),
        (("2023-11-14T22:13:20.5Z",), [1_700_000_000_500_000_000]),
    ],
)
def test_times_in_records(cells: tuple[Any, ...], nanoseconds: list[int]) -> None:
    message = pb.Frame(time_column="at")
    for cell in cells:
        message.records.rows.add().update({"at": cell, "speed": 1.0})
    frame = frame_from_proto(message)
    assert frame.time is not None
    assert frame.time.tolist() == nanoseconds


@pytest.mark.parametrize(
    "cell",
    [
        1.5,
        1e30,
        "9" * 30,
        "yesterday",
        "1" * 19 + "0",
        "9" * 19,
        None,
        True,
        float("nan"),
        "१२३४" * 5,
    ],
)
def test_times_that_are_none_are_refused(cell: Any) -> None:
    message = pb.Frame(time_column="at")
    message.records.rows.add().update({"at": cell, "speed": 1.0})
    with pytest.raises(InvalidFrameError) as caught:
        frame_from_proto(message)
    assert caught.value.field == "frame.time_column"


def test_texts_among_numbers_are_refused_unless_said_to_be_categories() -> None:
    message = pb.Frame()
    message.records.rows.add().update({"a": 1})
    message.records.rows.add().update({"a": "x"})
    with pytest.raises(InvalidFrameError, match="texts and numbers"):
        frame_from_proto(message)
    message.signals.add(name="a", kind=pb.SIGNAL_KIND_CATEGORICAL)
    assert texts(frame_from_proto(message), "a") == ["1", "x"]


def test_limits_hold_for_every_shape() -> None:
    limits = FrameLimits(rows=3, signals=2)
    for message in (matrix(np.zeros((4, 1))), columns(np.zeros((4, 1))), records(np.zeros((4, 1)))):
        with pytest.raises(LimitExceededError, match="4 rows"):
            frame_from_proto(message, limits=limits)
    for message in (matrix(np.zeros((1, 3))), columns(np.zeros((1, 3))), records(np.zeros((1, 3)))):
        with pytest.raises(LimitExceededError, match="3 signals"):
            frame_from_proto(message, limits=limits)
    frame_from_proto(matrix(np.zeros((3, 2))), limits=limits)


def test_paths_begin_where_the_frame_stands() -> None:
    message = matrix(np.zeros((1, 2)))
    message.event_times = bytes(16)
    with pytest.raises(InvalidFrameError, match="holds 16 bytes; expected 1 numbers") as caught:
        frame_from_proto(message, path="frame.frame")
    assert caught.value.field == "frame.frame.event_times"
    assert caught.value.metadata == {"received_bytes": "16", "expected_bytes": "8"}


messages = st.builds(
    pb.Frame,
    matrix=st.builds(
        pb.Matrix,
        signal_names=st.lists(st.sampled_from(["a", "b", ""]), min_size=1, max_size=3),
        element_type=st.sampled_from([pb.ELEMENT_TYPE_FLOAT32, pb.ELEMENT_TYPE_FLOAT64]),
        values=st.binary(max_size=64),
    ),
    event_times=st.binary(max_size=17),
    asset_indices=st.binary(max_size=9),
    assets=st.lists(st.builds(pb.Asset, name=st.sampled_from(["x", "y"])), max_size=2),
    row_ids=st.lists(st.text(max_size=3), max_size=2),
    signals=st.lists(
        st.builds(pb.SignalInfo, name=st.sampled_from(["a", "c"]), kind=st.sampled_from([0, 1, 2])),
        max_size=2,
    ),
    time_column=st.sampled_from(["", "a"]),
)


@given(messages)
def test_any_matrix_is_a_frame_or_a_typed_error_that_names_a_field(message: pb.Frame) -> None:
    field = "frame"
    try:
        assert len(frame_from_proto(message)) > 0
    except InvalidFrameError as error:
        field = error.field
    assert field.partition(".")[0] == "frame"
