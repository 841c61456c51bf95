"""State: plain data that is asked for by version, name, shape and type, and packed without loss."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clarion.errors import ArtifactCorruptError, InvalidParameterError
from clarion.frames import Signal, SignalKind
from clarion.state import State, nested, signal_values, unnested

NAMES = st.text("abc._-", min_size=1, max_size=3)
ARRAYS = st.sampled_from([np.zeros((2, 3)), np.ones(4, np.int64), np.array(True)])
JSON = st.one_of(st.none(), st.integers(-3, 3), st.text(max_size=2), st.lists(st.booleans()))
STATES = st.builds(
    State,
    version=st.integers(1, 9),
    parameters=st.dictionaries(NAMES, JSON, max_size=2),
    arrays=st.dictionaries(NAMES, ARRAYS, max_size=2),
    blobs=st.dictionaries(NAMES, st.binary(max_size=3), max_size=2),
)


def plain(state: State) -> tuple[Any, ...]:
    arrays = {name: (a.dtype, a.shape, a.tobytes()) for name, a in state.arrays.items()}
    return state.version, dict(state.parameters), arrays, dict(state.blobs)


@given(st.dictionaries(NAMES, STATES, max_size=3))
def test_packed_states_come_back(states: dict[str, State]) -> None:
    parts = unnested(nested(states))
    assert {name: plain(state) for name, state in parts.items()} == {
        name: plain(state) for name, state in states.items()
    }


@given(st.dictionaries(NAMES, STATES, max_size=2), NAMES)
def test_packed_states_can_be_packed_again(states: dict[str, State], name: str) -> None:
    inner = unnested(unnested(nested({name: nested(states)}))[name])
    assert {n: plain(s) for n, s in inner.items()} == {n: plain(s) for n, s in states.items()}


def test_a_name_with_a_slash_would_mix_two_states() -> None:
    with pytest.raises(InvalidParameterError, match="'a/b'"):
        nested({"a": State(1), "a/b": State(1, arrays={"x": np.zeros(1)})})


@pytest.mark.parametrize(
    "state",
    [
        State(2),
        State(1, {"a": 3}),
        State(1, {"a": {"version": 1}}),
        State(1, {"a": {"version": "1", "parameters": {}}}),
        State(1, {"a": {"version": True, "parameters": {}}}),
        State(1, {"a": {"version": 1, "parameters": [1]}}),
    ],
)
def test_what_was_not_packed_is_refused(state: State) -> None:
    with pytest.raises(ArtifactCorruptError):
        unnested(state)


def test_another_version_and_missing_arrays_are_refused() -> None:
    state = State(2, arrays={"x": np.zeros(1)})
    assert state.require(2, "x") is state
    with pytest.raises(ArtifactCorruptError, match=r"version 2, this plugin reads version 1"):
        state.require(1)
    with pytest.raises(ArtifactCorruptError, match=r"lacks the array\(s\) y, z"):
        state.require(2, "x", "y", "z")


@pytest.mark.parametrize(
    ("value", "kind"),
    [(1, int), (1.5, float), (2, float), ("a", str), (True, bool), ([1], list), ({"a": 1}, dict)],
)
def test_a_parameter_of_its_type_is_returned(value: object, kind: type[Any]) -> None:
    got = State(1, {"name": value}).parameter("name", kind)
    assert got == value
    assert type(got) is kind


@pytest.mark.parametrize(
    ("value", "kind"),
    [(True, int), (False, float), (1.0, int), ("1", int), (1, bool), (None, str), ((1,), list)],
)
def test_a_parameter_of_another_type_is_refused(value: object, kind: type[Any]) -> None:
    with pytest.raises(ArtifactCorruptError, match=f"'name' is .*, not of type {kind.__name__}"):
        State(1, {"name": value}).parameter("name", kind)
    with pytest.raises(ArtifactCorruptError, match="'other' is None"):
        State(1, {"name": value}).parameter("other", kind)


@given(st.lists(st.integers(0, 3), max_size=3))
def test_an_array_of_its_shape_is_returned_frozen(shape: list[int]) -> None:
    array = np.arange(np.prod(shape, dtype=int), dtype=np.float64).reshape(shape)
    state = State(1, arrays={"x": np.array(array, order="F")})
    for asked in (tuple(shape), (-1,) * len(shape)):
        got = state.array("x", asked)
        assert got.flags.c_contiguous
        assert not got.flags.writeable
        assert got.tobytes() == array.tobytes()
    with pytest.raises(ArtifactCorruptError, match=re.escape(f"of shape {(*shape, 1)}")):
        state.array("x", (*shape, 1))


@pytest.mark.parametrize(
    ("array", "dtype", "said"),
    [
        (np.zeros(2, np.float32), np.float64, "is float32"),
        (np.zeros(2, ">f8"), np.float64, "is >f8"),
        (np.zeros(2, np.int32), np.int64, "is int32"),
        (np.array([0.0, np.nan]), np.float64, "is not finite"),
        (np.array([np.inf, 0.0]), np.float64, "is not finite"),
        (np.array([None, None]), np.float64, "is object"),
    ],
)
def test_an_array_of_another_kind_is_refused(
    array: np.ndarray[Any, Any], dtype: type[np.generic], said: str
) -> None:
    with pytest.raises(ArtifactCorruptError, match=f"'x' {said}"):
        State(1, arrays={"x": array}).array("x", (2,), dtype)


SIGNALS = st.builds(
    Signal,
    name=st.text(min_size=1, max_size=3),
    kind=st.sampled_from(SignalKind),
    unit=st.text(max_size=2),
    vocabulary=st.lists(st.text(max_size=2), max_size=2).map(tuple),
)


@given(st.lists(SIGNALS, max_size=3))
def test_signals_come_back(signals: list[Signal]) -> None:
    state = State(1, {"inputs": signal_values(signals)})
    assert state.signals("inputs") == tuple(signals)


@pytest.mark.parametrize(
    "value", [None, "x", [1], [{}], [{"name": "a", "kind": "b", "unit": "", "vocabulary": []}]]
)
def test_what_are_no_signals_is_refused(value: object) -> None:
    with pytest.raises(ArtifactCorruptError, match="'signals'"):
        State(1, {"signals": value}).signals()
