"""Little-endian bytes as arrays and back, each length checked against what it must be."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from clarion.errors import InvalidFrameError

AnyArray = np.ndarray[Any, Any]


def array_of(data: bytes, dtype: str, field: str, count: int | None = None) -> AnyArray:
    """Return ``data`` as a read-only array, not copied.

    Parameters
    ----------
    dtype
        Little-endian numpy type, such as ``<f8``.
    count
        How many numbers there must be; None for any whole number of them.

    Raises
    ------
    InvalidFrameError
        Another length; it and the expected one are named.
    """
    size = np.dtype(dtype).itemsize
    if count is not None and len(data) != count * size:
        what = f"{count} numbers of {size} bytes, {count * size} bytes"
        raise _wrong_length(data, field, what, count * size)
    if len(data) % size:
        raise _wrong_length(data, field, f"a multiple of {size} bytes", size)
    return np.frombuffer(data, dtype).astype(np.dtype(dtype).newbyteorder("="), copy=False)


def matrix_of(data: bytes, dtype: str, columns: int, field: str) -> AnyArray:
    """Return ``data`` as a read-only row-major matrix of so many columns, not copied.

    Raises
    ------
    InvalidFrameError
        The bytes do not fill whole rows.
    """
    size = columns * np.dtype(dtype).itemsize
    if len(data) % size:
        what = f"a multiple of {size} ({columns} signals of {size // columns} bytes)"
        raise _wrong_length(data, field, what, size)
    return array_of(data, dtype, field).reshape(-1, columns)


def bytes_of(array: AnyArray, dtype: str) -> bytes:
    """Return the numbers row by row, little-endian."""
    return np.ascontiguousarray(array, dtype).tobytes()


def defined(value: float) -> float | None:
    """Return ``value``, or None, which leaves a field unset, where it is not defined."""
    return value if math.isfinite(value) else None


def _wrong_length(data: bytes, field: str, what: str, expected: int) -> InvalidFrameError:
    return InvalidFrameError(
        f"{field} holds {len(data)} bytes; expected {what}",
        field=field,
        received_bytes=len(data),
        expected_bytes=expected,
    )
