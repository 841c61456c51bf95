from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from clarion.errors import InvalidFrameError, SignalMismatchError
from clarion.frames import Frame, Signal, SignalKind
from clarion.pipeline.schema import conform
from clarion.tables import from_columns

FITTED = (
    Signal("pressure", unit="bar"),
    Signal("valve", SignalKind.CATEGORICAL, "", ("open", "shut")),
    Signal("speed"),
)


def sent(**columns: object) -> Frame:
    whole = {"pressure": [1.0, 2.0], "valve": ["shut", "open"], "speed": [3.0, 4.0]} | columns
    arrays = {name: np.array(column) for name, column in whole.items() if column is not None}
    return from_columns(arrays, units={"pressure": "bar", "speed": "rpm"})


def test_signals_come_in_the_order_of_the_model() -> None:
    shuffled = sent().aligned_to(["speed", "valve", "pressure"])
    aligned = conform(shuffled, FITTED)
    assert aligned.names == ("pressure", "valve", "speed")
    np.testing.assert_array_equal(aligned.values, [[1, 3], [2, 4]])


def test_missing_and_unexpected_signals_are_named() -> None:
    with pytest.raises(SignalMismatchError) as caught:
        conform(sent(speed=None, flow=[1.0, 2.0]), FITTED)
    error = caught.value
    assert (error.metadata["missing"], error.metadata["unexpected"]) == ("speed", "flow")
    assert "'speed'" in error.message
    assert "'flow'" in error.message
    assert error.field == "frame.signals"


def test_another_kind_is_named() -> None:
    with pytest.raises(SignalMismatchError, match=r"'valve' is numeric.*categorical") as caught:
        conform(sent(valve=[0.0, 1.0]), FITTED)
    assert caught.value.metadata["signal"] == "valve"


def test_another_unit_is_named() -> None:
    frame = sent()
    other = tuple(replace(s, unit="psi") if s.name == "pressure" else s for s in frame.signals)
    with pytest.raises(SignalMismatchError, match=r"'pressure' comes in psi.*in bar"):
        conform(replace(frame, signals=other), FITTED)


def test_a_unit_left_out_on_either_side_passes() -> None:
    bare = tuple(replace(signal, unit="") for signal in sent().signals)
    assert conform(replace(sent(), signals=bare), FITTED).names == sent().names


def test_an_empty_frame_is_refused() -> None:
    with pytest.raises(InvalidFrameError, match="no rows") as caught:
        conform(sent().take(slice(0, 0)), FITTED)
    assert caught.value.field == "frame"
