"""Frames from tables: pandas, polars and Arrow by duck typing, columns, and records.

None of these libraries is imported: a table has ``column_names`` or ``columns``, and each of its
columns has ``to_numpy()``; that is all that is asked of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from clarion.arrays import FloatArray, Int32Array, Int64Array
from clarion.errors import InvalidFrameError
from clarion.frames import Asset, Frame, Signal, SignalKind

_AnyArray = np.ndarray[Any, Any]


def from_table(
    table: Any,
    *,
    time: str | None = None,
    asset: str | None = None,
    row_id: str | None = None,
    units: Mapping[str, str] | None = None,
) -> Frame:
    """Make a frame from a pandas / polars data frame or an Arrow table.

    Columns of numbers and booleans become numeric signals, all others categorical ones; the
    columns named by ``time`` (datetimes, or nanoseconds since 1970 UTC), ``asset`` and ``row_id``
    become those fields.
    """
    names = getattr(table, "column_names", None)
    names = list(table.columns) if names is None else list(names)
    columns = {str(name): np.asarray(table[name].to_numpy()) for name in names}
    return from_columns(columns, time=time, asset=asset, row_id=row_id, units=units)


def from_records(records: Sequence[Mapping[str, Any]], **options: Any) -> Frame:
    """Make a frame from one mapping a row; an absent key is a missing cell (see `from_columns`)."""
    names: dict[str, None] = {}
    for index, record in enumerate(records):
        if not isinstance(record, Mapping):
            raise InvalidFrameError(f"record {index} is not an object", field=f"records[{index}]")
        names.update(dict.fromkeys(record))
    columns = {}
    for name in names:
        column = np.empty(len(records), object)
        column[:] = [record.get(name) for record in records]
        columns[name] = column
    return from_columns(columns, **options)


def from_columns(
    columns: Mapping[str, _AnyArray],
    *,
    time: str | None = None,
    asset: str | None = None,
    row_id: str | None = None,
    units: Mapping[str, str] | None = None,
) -> Frame:
    """Make a frame from named columns of equal length.

    Raises
    ------
    InvalidFrameError
        Unequal lengths, a column named by ``time``, ``asset`` or ``row_id`` that is not there, or
        a time that cannot be read.
    """
    for name, column in columns.items():
        if column.ndim != 1:
            raise InvalidFrameError(f"column '{name}' has {column.ndim} dimensions", field=name)
    lengths = {len(column) for column in columns.values()}
    if len(lengths) > 1:
        raise InvalidFrameError(f"the columns have different lengths: {sorted(lengths)}")
    special = [name for name in (time, asset, row_id) if name is not None]
    for name in special:
        if name not in columns:
            raise InvalidFrameError(f"there is no column '{name}'", field=name)
    n = lengths.pop() if lengths else 0
    signals, values, codes = [], [], []
    for name, column in columns.items():
        if name in special:
            continue
        unit = (units or {}).get(name, "")
        number = _numbers(column, name)
        if number is not None:
            signals.append(Signal(name, unit=unit))
            values.append(number)
        else:
            code, vocabulary = coded(column)
            signals.append(Signal(name, SignalKind.CATEGORICAL, unit, vocabulary))
            codes.append(code)
    assets, index = _assets(columns[asset]) if asset is not None else ((), None)
    return Frame(
        signals=tuple(signals),
        values=np.column_stack(values) if values else np.empty((n, 0)),
        codes=np.column_stack(codes) if codes else np.empty((n, 0), np.int32),
        time=None if time is None else nanoseconds(columns[time], time),
        assets=assets,
        asset=index,
        row_ids=None if row_id is None else tuple(str(v) for v in columns[row_id]),
    )


def coded(column: _AnyArray) -> tuple[Int32Array, tuple[str, ...]]:
    """Return codes (n,) and the sorted vocabulary of a column of texts; missing is -1."""
    # No array of texts: its cells would all be as wide as the longest, and lose a trailing NUL.
    words = [None if _is_missing(v) else str(v) for v in column]
    vocabulary = tuple(sorted({word for word in words if word is not None}))
    place: dict[str | None, int] = {word: code for code, word in enumerate(vocabulary)}
    codes = np.fromiter((place.get(word, -1) for word in words), np.int32, len(words))
    return codes, vocabulary


def nanoseconds(column: _AnyArray, name: str = "time") -> Int64Array:
    """Return datetimes, ISO 8601 texts or integer nanoseconds as int64 nanoseconds UTC, (n,).

    Texts count to the microsecond; times without a zone are taken for UTC.
    """
    try:
        if not len(column) or all(type(v) is int for v in column):
            column = np.array(column.tolist(), np.int64)
        if column.dtype.kind in "iu":
            if column.size and int(column.max()) > np.iinfo(np.int64).max:
                raise ValueError("nanoseconds beyond 64 bits")
            return column.astype(np.int64)
        if column.dtype.kind == "f":
            raise ValueError("fractional numbers are no nanoseconds")
        stamps = column if column.dtype.kind == "M" else np.array([_stamp(v) for v in column])
        return _in_nanoseconds(stamps)
    except (TypeError, ValueError, OverflowError) as error:
        raise InvalidFrameError(
            f"column '{name}' cannot be read as times: {error}", field=name
        ) from error


def _in_nanoseconds(stamps: _AnyArray) -> Int64Array:
    if np.isnat(stamps).any():
        raise ValueError(f"row {int(np.argmax(np.isnat(stamps)))} has no time")
    fine = stamps.astype("datetime64[ns]")
    # numpy wraps silently around where 64 bits of nanoseconds end.
    if (fine.astype(stamps.dtype) != stamps).any():
        raise ValueError("a time is outside the years 1677 to 2262")
    return fine.astype(np.int64)


def _stamp(value: Any) -> np.datetime64:
    from datetime import UTC, datetime

    if hasattr(value, "to_datetime64"):  # pandas' own: to the nanosecond, in UTC
        stamp: np.datetime64 = value.to_datetime64()
        return stamp
    moment = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    if moment.tzinfo is not None:
        moment = moment.astimezone(UTC).replace(tzinfo=None)
    return np.datetime64(moment, "us")


def _numbers(column: _AnyArray, name: str) -> FloatArray | None:
    """Return the column as float64 if every present cell is a number, else None."""
    if column.dtype.kind in "fiub":
        return column.astype(np.float64)
    if column.dtype.kind != "O":
        return None
    missing = np.array([_is_missing(v) for v in column], bool)
    number = np.array([isinstance(v, (int, float, np.number, np.bool_)) for v in column], bool)
    if not (missing | number).all() or (missing.all() and len(column)):
        return None if not missing.all() else np.full(len(column), np.nan)
    out = np.full(len(column), np.nan)
    try:
        out[~missing] = column[~missing].astype(np.float64)
    except OverflowError as error:
        raise InvalidFrameError(
            f"column '{name}' holds a number beyond the range of float64", field=name
        ) from error
    return out


def _is_missing(value: Any) -> bool:
    if value is None or value is np.ma.masked:
        return True
    if isinstance(value, (float, np.floating)):
        return bool(np.isnan(value))
    return type(value).__name__ in ("NAType", "NaTType")  # pandas' own, not imported here


def _assets(column: _AnyArray) -> tuple[tuple[Asset, ...], Int32Array]:
    codes, vocabulary = coded(column)
    if (codes < 0).any():
        raise InvalidFrameError(f"row {int(np.argmin(codes))} has no asset", field="asset")
    return tuple(Asset(name) for name in vocabulary), codes
