"""Arrays as safetensors, checked against what the manifest says before one is made."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.numpy

from clarion.store.files import corrupt, sha256

AnyArray = np.ndarray[Any, Any]

MAX_ARRAYS = 100_000
MAX_DIMENSIONS = 16
_DTYPES = {
    "bool": "BOOL",
    "int8": "I8",
    "int16": "I16",
    "int32": "I32",
    "int64": "I64",
    "uint8": "U8",
    "uint16": "U16",
    "uint32": "U32",
    "uint64": "U64",
    "float32": "F32",
    "float64": "F64",
}


@dataclass(frozen=True, slots=True)
class ArraySpec:
    """Type and shape of one array."""

    dtype: str
    shape: tuple[int, ...]

    @property
    def size(self) -> int:
        """Bytes it holds."""
        return math.prod(self.shape) * np.dtype(self.dtype).itemsize


def spec_of(array: AnyArray) -> ArraySpec:
    """Return the spec of an array that can be stored.

    Raises
    ------
    TypeError
        Its type is none of the plain ones.
    """
    name = array.dtype.name
    if name not in _DTYPES or array.ndim > MAX_DIMENSIONS:
        raise TypeError(f"an array of {array.dtype} with {array.ndim} dimensions cannot be stored")
    return ArraySpec(name, array.shape)


def spec_from_json(values: object) -> ArraySpec:
    """Return the spec that a manifest holds.

    Raises
    ------
    ValueError
        It is none.
    """
    if not isinstance(values, dict) or values.keys() != {"dtype", "shape"}:
        raise ValueError("an array needs dtype and shape")
    dtype, shape = values["dtype"], values["shape"]
    if dtype not in _DTYPES or not isinstance(shape, list) or len(shape) > MAX_DIMENSIONS:
        raise ValueError(f"no array can be {dtype!r:.40} of shape {shape!r:.80}")
    if not all(type(n) is int and 0 <= n < 2**48 for n in shape):
        raise ValueError(f"no array has the shape {shape!r:.80}")
    return ArraySpec(dtype, tuple(shape))


def pack(arrays: Mapping[str, AnyArray]) -> bytes:
    """Return the arrays as one safetensors file, the same bytes for the same arrays."""
    little = {
        name: np.ascontiguousarray(a).astype(a.dtype.newbyteorder("<"), copy=False).reshape(a.shape)
        for name, a in arrays.items()
    }
    return safetensors.numpy.save(little)


def unpack(data: bytes, specs: Mapping[str, ArraySpec], path: Path) -> dict[str, AnyArray]:
    """Return the arrays of a safetensors file, read-only.

    Raises
    ------
    ArtifactCorruptError
        It cannot be read, or holds other arrays, types or shapes than ``specs``.
    """
    try:
        tensors = dict(safetensors.deserialize(data))  # type: ignore[no-untyped-call]  # its stub has no types
    except safetensors.SafetensorError as error:
        raise corrupt(path, f"is no safetensors file: {error}", digest=sha256(data)) from error
    if tensors.keys() != specs.keys():
        name = min(tensors.keys() ^ specs.keys())
        raise corrupt(path, f"and its manifest disagree on the array '{name}'", array=name)
    return {name: _array(tensors[name], spec, name, path) for name, spec in specs.items()}


def _array(tensor: Mapping[str, Any], spec: ArraySpec, name: str, path: Path) -> AnyArray:
    have = (tensor["dtype"], tuple(tensor["shape"]), len(tensor["data"]))
    if have != (_DTYPES[spec.dtype], spec.shape, spec.size):
        raise corrupt(
            path,
            f"holds '{name}' as {have[0]} of shape {have[1]}, "
            f"its manifest says {spec.dtype} of shape {spec.shape}",
            array=name,
        )
    dtype = np.dtype(spec.dtype).newbyteorder("<")
    array: AnyArray = np.ndarray(spec.shape, dtype, tensor["data"]).astype(
        np.dtype(spec.dtype), copy=False
    )
    array.flags.writeable = False
    return array
