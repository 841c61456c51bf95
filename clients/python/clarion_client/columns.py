"""Columns of cells: numbers, words, times; told apart by what they hold."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clarion_client.errors import InvalidFrameError, InvalidParameterError

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True, eq=False)
class Words:
    """A column of words, coded.

    Attributes
    ----------
    codes
        Shape ``(n,)``, int32 indices into ``vocabulary``; missing is -1.
    vocabulary
        The different words.
    """

    codes: NDArray[np.int32]
    vocabulary: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.codes)


def as_array(cells: Any) -> Array:
    """Return any column (pandas, polars, Arrow, list) as a 1-D array, cells untouched."""
    if hasattr(cells, "to_numpy"):
        array = np.asarray(cells.to_numpy())
    elif isinstance(cells, np.ndarray):
        array = cells
    else:
        items = list(cells)
        array = np.empty(len(items), object)
        array[:] = items
    if array.ndim != 1:
        raise InvalidFrameError(f"a column needs 1 dimension, not {array.ndim}")
    return array


def numbers_of(cells: Array) -> NDArray[np.float64] | None:
    """Return the cells as float64, missing as NaN; None where one of them is no number."""
    if cells.dtype.kind in "fiub":
        return cells.astype(np.float64)
    if cells.dtype.kind != "O":
        return None
    missing = _missing(cells)
    number = [isinstance(v, (int, float, np.number, np.bool_)) for v in cells[~missing]]
    if not all(number):
        return None
    out = np.full(len(cells), np.nan)
    out[~missing] = cells[~missing].astype(np.float64)
    return out


def words_of(cells: Array) -> Words:
    """Return the cells as words, missing as -1; the vocabulary is sorted."""
    missing = _missing(cells)
    texts = np.array([str(v) for v in cells[~missing]], dtype=str)
    vocabulary, inverse = np.unique(texts, return_inverse=True)
    codes = np.full(len(cells), -1, np.int32)
    codes[~missing] = inverse
    return Words(codes, tuple(str(word) for word in vocabulary))


def nanoseconds(cells: Array) -> NDArray[np.int64]:
    """Return datetimes, ISO 8601 texts or whole nanoseconds as nanoseconds since 1970 UTC, (n,).

    Raises
    ------
    InvalidFrameError
        A cell that is none of these.
    """
    try:
        if cells.dtype.kind in "iu":
            return cells.astype(np.int64)
        if cells.dtype.kind == "M":
            stamps = cells.astype("datetime64[ns]")
        else:
            stamps = np.array([_stamp(v) for v in cells], "datetime64[ns]")
        if np.isnat(stamps).any():
            raise ValueError(f"row {int(np.argmax(np.isnat(stamps)))} has no time")
        return stamps.astype(np.int64)
    except (TypeError, ValueError, OverflowError) as error:
        raise InvalidFrameError(f"the times cannot be read: {error}") from error


def little_endian(values: Iterable[Any] | Array, dtype: str) -> bytes:
    """Return the values as little-endian bytes of a numpy type such as ``f8``."""
    return np.ascontiguousarray(values, dtype=f"<{dtype}").tobytes()


def flags(labels: Any) -> bytes:
    """Return labels as one byte a row, 1 where a row is known to be anomalous.

    Raises
    ------
    InvalidParameterError
        They are not one truth value a row.
    """
    array = np.asarray(labels)
    if array.ndim != 1 or not np.isin(array, (0, 1)).all():
        raise InvalidParameterError("labels must be one truth value (or 0, 1) a row")
    return array.astype(np.uint8).tobytes()


def _stamp(value: Any) -> Any:
    if isinstance(value, np.datetime64):
        return value
    if isinstance(value, (int, np.integer)) and not isinstance(value, bool):
        return np.datetime64(int(value), "ns")
    moment = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    if moment.tzinfo is not None:
        moment = moment.astimezone(UTC).replace(tzinfo=None)
    return np.datetime64(moment, "ns")


def _missing(cells: Array) -> NDArray[np.bool_]:
    return np.array([_is_missing(v) for v in cells], bool)


def _is_missing(value: Any) -> bool:
    if value is None or value is np.ma.masked:
        return True
    if isinstance(value, (float, np.floating)):
        return bool(np.isnan(value))
    return type(value).__name__ in ("NAType", "NaTType")  # pandas' own, which is not imported here
