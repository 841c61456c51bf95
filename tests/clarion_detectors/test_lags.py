from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clarion.errors import ArtifactCorruptError, InvalidFrameError, TooFewRowsError
from clarion.frames import Asset, Frame
from clarion.state import State
from clarion_detectors.lags import LagWindow, lag_rows


def frame_of(rows: int) -> Frame:
    values = np.arange(2.0 * rows).reshape(rows, 2)
    return Frame.of(values, ["flow", "current"], units=["l/s", "A"])


def test_a_row_comes_with_the_rows_before_it() -> None:
    frame = frame_of(4)
    window = LagWindow(frame.signals, 2)
    features, memory = window.unroll(window.start(), frame)
    assert features.frame.names == (
        *("flow.lag2", "current.lag2", "flow.lag1", "current.lag1", "flow", "current"),
    )
    assert [signal.unit for signal in features.frame.signals] == ["l/s", "A"] * 3
    assert features.frame.values.tolist() == [[0, 1, 2, 3, 4, 5], [2, 3, 4, 5, 6, 7]]
    assert features.source_rows.tolist() == [2, 3]
    assert memory.arrays["rows"].tolist() == [[4, 5], [6, 7]]
    assert window.windows(features.frame)[1].tolist() == [[2, 3], [4, 5], [6, 7]]
    assert set(window.reads) == set(features.frame.names)
    assert window.reads["flow.lag2"] == ("flow",)


@settings(max_examples=40, deadline=None)
@given(cuts=st.lists(st.integers(0, 12), max_size=5), lags=st.sampled_from([1, 3, 11, 12, 20]))
def test_any_cut_unrolls_to_the_same_rows(cuts: list[int], lags: int) -> None:
    frame = frame_of(12)
    window = LagWindow(frame.signals, lags)
    whole, end = window.unroll(window.start(), frame)
    memory, values, rows = window.start(), [], []
    for first, last in pairwise([0, *sorted(cuts), 12]):
        part, memory = window.unroll(memory, frame.take(slice(first, last)))
        values.append(part.frame.values)
        rows.append(part.source_rows + first)
    assert np.vstack(values).tolist() == whole.frame.values.tolist()
    assert np.concatenate(rows).tolist() == whole.source_rows.tolist()
    assert memory.arrays["rows"].tolist() == end.arrays["rows"].tolist()
    assert len(end.arrays["rows"]) == min(lags, 12)


def test_the_lineage_leads_to_the_cells_that_were_copied() -> None:
    frame = frame_of(5)
    window = LagWindow(frame.signals, 2)
    _, memory = window.unroll(window.start(), frame.take(slice(0, 2)))
    rest = Frame.of(frame.values[2:, ::-1], ["current", "flow"])
    features, _ = window.unroll(memory, rest)
    for i in range(len(features.frame)):
        trace = features.lineage.rows(i)
        assert trace.linear.all()
        copied = trace.weights @ rest.values.ravel()
        known = np.asarray(trace.weights.sum(axis=1) > 0)
        assert known.sum() == 2 * (min(i, 2) + 1)
        assert copied[known].tolist() == features.frame.values[i, known].tolist()


def test_windows_of_a_fit_never_cross_assets() -> None:
    frame = Frame.of(
        np.zeros((7, 1)),
        assets=(Asset("a"), Asset("b"), Asset("c")),
        asset=np.array([0, 1, 0, 1, 0, 2, 0], np.int32),
    )
    assert lag_rows(frame, 2).tolist() == [[0, 2, 4], [2, 4, 6]]


def test_a_window_longer_than_the_data_is_refused_by_both_numbers() -> None:
    with pytest.raises(TooFewRowsError, match=r"10 earlier rows .* has 10 rows, and needs 11"):
        lag_rows(Frame.of(np.zeros((10, 1))), 10)
    with pytest.raises(TooFewRowsError, match="has 0 rows"):
        lag_rows(Frame.of(np.zeros((0, 1))), 1)


def test_a_missing_cell_is_named() -> None:
    window = LagWindow(frame_of(1).signals, 1)
    with pytest.raises(InvalidFrameError, match="'current' is missing"):
        window.unroll(window.start(), Frame.of([[1.0, np.nan]], ["flow", "current"]))


@pytest.mark.parametrize("rows", [np.zeros((3, 2)), np.zeros((1, 3)), np.full((1, 2), np.nan)])
def test_a_damaged_memory_is_refused(rows: np.ndarray) -> None:
    window = LagWindow(frame_of(1).signals, 2)
    with pytest.raises(ArtifactCorruptError):
        window.unroll(State(1, {}, {"rows": rows}), frame_of(3))
