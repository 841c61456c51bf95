"""States on disk: every plain type and shape, bit for bit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from clarion.errors import ArtifactCorruptError
from clarion.state import State
from clarion.store.files import canonical_json, parsed_json
from clarion.store.stored_state import Limits, description_from_json, read_state, write_state
from clarion.store.tensors import ArraySpec, pack, spec_of, unpack

DTYPES = ("bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")

arrays = st.dictionaries(
    st.text(min_size=1, max_size=20).filter(lambda name: name != "__metadata__"),
    st.sampled_from([*DTYPES, "float32", "float64"]).flatmap(
        lambda dtype: hnp.arrays(dtype, hnp.array_shapes(min_dims=0, max_dims=4, min_side=0))
    ),
    max_size=4,
)


@given(arrays)
def test_arrays_come_back_bit_for_bit(given_arrays: dict[str, Any]) -> None:
    specs = {name: spec_of(array) for name, array in given_arrays.items()}
    back = unpack(pack(given_arrays), specs, Path("state"))
    assert back.keys() == given_arrays.keys()
    for name, array in given_arrays.items():
        assert back[name].dtype == array.dtype
        assert back[name].shape == array.shape
        assert back[name].tobytes() == array.tobytes()
        assert not back[name].flags.writeable


def test_other_memory_layouts_are_stored_by_value() -> None:
    whole = np.arange(24.0).reshape(4, 6)
    for array in (whole.T, whole[::2, ::-1], whole.astype(">f8")):
        back = unpack(pack({"a": array}), {"a": spec_of(array)}, Path("state"))["a"]
        assert np.array_equal(back, array)


@pytest.mark.parametrize(
    "spec", [ArraySpec("float64", (3, 2)), ArraySpec("int64", (2, 3)), ArraySpec("float32", (2, 3))]
)
def test_an_array_of_another_shape_or_type_than_described_is_refused(spec: ArraySpec) -> None:
    with pytest.raises(ArtifactCorruptError, match="its manifest says"):
        unpack(pack({"a": np.zeros((2, 3))}), {"a": spec}, Path("state"))


def test_arrays_that_cannot_fit_their_file_are_refused_before_it_is_read(tmp_path: Path) -> None:
    described = write_state(tmp_path, "state", State(1, arrays={"a": np.zeros(4)}))
    forged = replace(described, arrays={"a": ArraySpec("float64", (2**40, 2**40))})
    (tmp_path / "state.safetensors").unlink()
    with pytest.raises(ArtifactCorruptError, match="too small"):
        read_state(tmp_path, "state", forged, Limits())


@pytest.mark.parametrize(
    "array",
    [np.zeros(2, np.float16), np.zeros(2, np.complex128), np.array([None]), np.array(["a"])],
    ids=lambda array: str(array.dtype),
)
def test_types_that_are_not_plain_cannot_be_stored(array: Any) -> None:
    with pytest.raises(TypeError, match="cannot be stored"):
        spec_of(array)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(st.text(max_size=9), st.binary(max_size=99), max_size=3))
def test_blobs_and_parameters_come_back(tmp_path: Path, blobs: dict[str, bytes]) -> None:
    folder = tmp_path / str(len(list(tmp_path.iterdir())))
    folder.mkdir()
    state = State(3, {"a": [1, 2.5, None, "ü"], "b": {"c": True}}, {"x": np.arange(3)}, blobs)
    described = write_state(folder, "state", state)
    data = canonical_json(described.to_json())
    again = description_from_json(parsed_json(data, folder), "state", folder)
    back = read_state(folder, "state", again, Limits())
    assert (back.version, back.parameters, back.blobs) == (3, state.parameters, blobs)


def test_a_changed_blob_is_noticed(tmp_path: Path) -> None:
    described = write_state(tmp_path, "state", State(1, blobs={"model": b"abc"}))
    (tmp_path / "state-0.blob").write_bytes(b"abd")
    with pytest.raises(ArtifactCorruptError, match="SHA-256"):
        read_state(tmp_path, "state", described, Limits())


@pytest.mark.parametrize(
    "text",
    [b"[]", b"{", b'{"a": 1}', b'{"b":1,"a":2}', b'{"a":1,"a":1}', b'{"a":NaN}', b"\xff", b""],
)
def test_json_that_is_not_canonical_is_refused(text: bytes) -> None:
    with pytest.raises(ArtifactCorruptError):
        parsed_json(text, Path("manifest.json"))
