"""Frames: what cannot be one, and what stays the same when rows and signals move."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from clarion.errors import InvalidFrameError, SignalMismatchError
from clarion.frames import Asset, Frame, Signal, SignalKind, concatenated

VALVE = Signal("valve", SignalKind.CATEGORICAL, vocabulary=("closed", "open"))
MODE = Signal("mode", SignalKind.CATEGORICAL, vocabulary=("auto", "manual", "off"))


def mixed(n: int = 4) -> Frame:
    """Return a frame with every field: numbers and words in turn, two assets, times and ids."""
    return Frame(
        signals=(VALVE, Signal("flow", unit="l/s"), MODE, Signal("heat", unit="K")),
        values=np.arange(2.0 * n).reshape(n, 2),
        codes=np.array([[i % 3 - 1, i % 4 - 1] for i in range(n)], np.int32),
        time=np.arange(n, dtype=np.int64) * 10,
        ingest_time=np.arange(n, dtype=np.int64) * 10 + 1,
        assets=(Asset("a", "pump"), Asset("b")),
        asset=np.arange(n, dtype=np.int32) % 2,
        row_ids=tuple(f"r{i}" for i in range(n)),
    )


def cells(frame: Frame) -> dict[str, list[Any]]:
    """Return every cell by the signal's name, words spelled out."""
    out: dict[str, list[Any]] = {}
    for column, signal in enumerate(frame.of_kind(numeric=True)):
        out[signal.name] = frame.values[:, column].tolist()
    for column, signal in enumerate(frame.of_kind(numeric=False)):
        codes = frame.codes[:, column]
        out[signal.name] = [None if c < 0 else signal.vocabulary[c] for c in codes]
    return out


def test_a_matrix_becomes_a_numeric_frame() -> None:
    frame = Frame.of([[1, 2], [3, 4], [5, 6]], ["flow", "heat"], units=["l/s", "K"])
    assert len(frame) == 3
    assert frame.signals == (Signal("flow", unit="l/s"), Signal("heat", unit="K"))
    assert frame.values.dtype == np.float64
    assert frame.numeric().tolist() == [[1, 2], [3, 4], [5, 6]]
    assert Frame.of([[1.0, 2.0]]).names == ("x0", "x1")


def test_float32_stays_and_counts_as_float64() -> None:
    frame = Frame.of(np.array([[0.1]], np.float32))
    assert frame.values.dtype == np.float32
    assert frame.numeric().dtype == np.float64
    assert frame.numeric()[0, 0] == np.float64(np.float32(0.1))


@pytest.mark.parametrize("dtype", [np.int8, np.uint64, np.bool_, np.float16, np.longdouble])
def test_other_numbers_become_float64(dtype: Any) -> None:
    assert Frame.of(np.ones((2, 2), dtype)).values.dtype == np.float64


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ([1.0, 2.0], "2 dimensions, not 1"),
        (np.zeros((2, 2, 2)), "2 dimensions, not 3"),
        ([[1.0], [1.0, 2.0]], "different lengths"),
        ([["warm"]], "not numbers"),
        ([[1 + 2j]], "complex"),
        ([[10**400]], "not numbers"),
        ([[1.0, np.inf]], "signal 'x1' is infinite at row 0"),
        ([[0.0], [-np.inf]], "signal 'x0' is infinite at row 1"),
        (np.empty((3, 0)), "at least one signal"),
    ],
)
def test_what_is_no_matrix_of_numbers_is_refused(values: Any, said: str) -> None:
    with pytest.raises(InvalidFrameError, match=said):
        Frame.of(values)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"signals": ()}, "at least one signal"),
        ({"signals": (VALVE, Signal(""), MODE, Signal("heat"))}, "signal 1 has no name"),
        ({"signals": (VALVE, Signal("heat"), MODE, Signal("heat"))}, "'heat' is named twice"),
        ({"values": np.zeros((4, 3))}, "3.* but there are 2 numeric signals"),
        ({"values": np.zeros((4, 2), np.float16)}, "not float16"),
        ({"values": np.zeros((4, 2), ">f8")}, "must be float32 or float64"),
        ({"values": np.zeros((5, 2))}, "codes must be int32 of shape"),
        ({"codes": np.zeros((4, 2), np.int64)}, "not int64"),
        ({"codes": np.zeros((4, 1), np.int32)}, "codes must be int32 of shape"),
        ({"codes": np.full((4, 2), 2, np.int32)}, "'valve' has the code 2 at row 0.* 2 words"),
        ({"codes": np.full((4, 2), -2, np.int32)}, "'valve' has the code -2"),
        ({"time": np.zeros(3, np.int64)}, "time must be int64"),
        ({"time": np.zeros(4)}, "time must be int64"),
        ({"ingest_time": np.zeros(5, np.int64)}, "ingest_time must be int64"),
        ({"asset": np.zeros(4, np.int64)}, "asset must be int32"),
        ({"asset": np.array([0, 1, 2, 0], np.int32)}, "asset index 2 is outside the 2 assets"),
        ({"asset": np.array([0, -1, 1, 0], np.int32)}, "asset index -1 is outside"),
        ({"row_ids": ("a",)}, "1 row ids for 4 rows"),
    ],
)
def test_parts_that_do_not_fit_are_refused(change: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidFrameError, match=said):
        replace(mixed(), **change)


def test_units_and_names_go_by_the_columns() -> None:
    with pytest.raises(InvalidFrameError, match="1 units for 2 signals"):
        Frame.of([[1.0, 2.0]], units=["K"])
    with pytest.raises(InvalidFrameError, match="3 numeric signals"):
        Frame.of([[1.0, 2.0]], ["a", "b", "c"])


@pytest.mark.parametrize("name", ["values", "codes", "time", "ingest_time", "asset"])
def test_arrays_cannot_be_written_and_lie_in_rows(name: str) -> None:
    for frame in (mixed(), mixed().take(slice(None, None, 2)), mixed().aligned_to(TURNED)):
        array = getattr(frame, name)
        assert array.flags.c_contiguous
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0


def test_a_fortran_block_is_laid_out_in_rows() -> None:
    block = np.asfortranarray(np.arange(6.0).reshape(3, 2))
    block.flags.writeable = False
    frame = Frame.of(block.astype(np.float32))
    for made in (frame, replace(frame, values=block)):
        assert made.values.flags.c_contiguous
        assert made.values.tolist() == [[0, 1], [2, 3], [4, 5]]


TURNED = ("heat", "mode", "flow", "valve")


@given(st.permutations(mixed().names))
def test_aligning_moves_signals_and_no_cell(names: list[str]) -> None:
    frame = mixed()
    turned = frame.aligned_to(names)
    assert turned.names == tuple(names)
    assert cells(turned) == cells(frame)
    assert turned.row_ids == frame.row_ids
    back = turned.aligned_to(frame.names)
    assert back.signals == frame.signals
    assert back.values.tobytes() == frame.values.tobytes()
    assert back.codes.tobytes() == frame.codes.tobytes()


def test_aligning_names_what_is_missing_and_what_is_too_much() -> None:
    with pytest.raises(SignalMismatchError) as caught:
        mixed().aligned_to(["flow", "heat", "valve", "speed"])
    assert "missing 'speed'" in caught.value.message
    assert "unexpected 'mode'" in caught.value.message
    assert caught.value.metadata == {"missing": "speed", "unexpected": "mode"}


def test_a_million_signals_too_much_make_a_short_message() -> None:
    wide = Frame.of(np.zeros((1, 10_000)))
    with pytest.raises(SignalMismatchError, match="and 9994 more") as caught:
        wide.aligned_to(["x0"])
    assert len(caught.value.message) < 400
    assert len(caught.value.metadata["unexpected"]) < 400


def test_a_hundred_thousand_wrong_signals_are_refused_at_once() -> None:
    names = [f"s{i}" for i in range(100_000)]
    with pytest.raises(SignalMismatchError):
        Frame.of(np.zeros((1, 100_000))).aligned_to(names)
    with pytest.raises(InvalidFrameError, match="'s99998' is named twice"):
        Frame.of(np.zeros((1, 100_000)), [*names[:-1], "s99998"])


def test_numbers_are_asked_for_where_there_are_words() -> None:
    with pytest.raises(InvalidFrameError, match=r"'valve' is categorical.* 'encode'"):
        mixed().numeric()


@given(st.lists(st.integers(0, 5), max_size=12))
def test_taking_rows_takes_every_field(rows: list[int]) -> None:
    frame = mixed(6)
    taken = frame.take(np.array(rows, np.int64))
    assert len(taken) == len(rows)
    for name, column in cells(frame).items():
        assert cells(taken)[name] == [column[row] for row in rows]
    assert taken.row_ids == tuple(f"r{row}" for row in rows)
    assert taken.time is not None
    assert taken.time.tolist() == [10 * row for row in rows]
    assert [taken.asset_of(i).name for i in range(len(rows))] == ["ab"[row % 2] for row in rows]


def test_a_frame_without_assets_has_a_nameless_one() -> None:
    frame = Frame.of([[1.0], [2.0]])
    assert frame.asset_of(1) == Asset("")
    assert frame.asset_index().tolist() == [0, 0]


def test_other_numbers_under_the_same_rows() -> None:
    frame = mixed().with_numeric(np.ones((4, 1)), [Signal("score")])
    assert frame.names == ("score",)
    assert frame.codes.shape == (4, 0)
    assert frame.row_ids == mixed().row_ids
    assert mixed().with_numeric(np.ones((4, 2))).names == ("flow", "heat")


@given(st.lists(st.integers(0, 6), min_size=1, max_size=5).filter(any))
def test_concatenating_undoes_cutting(sizes: list[int]) -> None:
    frame = mixed(sum(sizes))
    edges = np.cumsum([0, *sizes])
    parts = [frame.take(slice(a, b)) for a, b in itertools.pairwise(edges)]
    whole = concatenated(parts)
    assert cells(whole) == cells(frame)
    assert whole.row_ids == frame.row_ids
    names = [whole.asset_of(row).name for row in range(len(whole))]
    assert names == [frame.asset_of(row).name for row in range(len(frame))]


def test_concatenating_unites_words_and_assets() -> None:
    one = mixed(2)
    other = replace(
        mixed(2),
        signals=(replace(VALVE, vocabulary=("stuck", "closed")), *one.signals[1:]),
        assets=(Asset("c"), Asset("a")),
    )
    whole = concatenated([one, other])
    assert cells(whole)["valve"] == cells(one)["valve"] + cells(other)["valve"]
    assert [whole.asset_of(row).name for row in range(4)] == ["a", "b", "c", "a"]
    nameless = concatenated([Frame.of([[1.0]]), Frame.of([[2.0]])])
    assert nameless.asset is None


def test_times_survive_only_where_all_frames_have_them() -> None:
    timeless = replace(mixed(2), time=None, row_ids=None)
    whole = concatenated([mixed(2), timeless])
    assert whole.time is None
    assert whole.row_ids is None
    assert whole.ingest_time is not None


def test_concatenating_refuses_other_signals() -> None:
    with pytest.raises(SignalMismatchError):
        concatenated([mixed(), Frame.of([[1.0]], ["flow"])])


@given(hnp.arrays(np.float64, (3, 2), elements=st.floats(allow_infinity=False)))
def test_every_number_survives_to_the_bit(values: np.ndarray[Any, Any]) -> None:
    assert Frame.of(values).numeric().tobytes() == values.tobytes()
