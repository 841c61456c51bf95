"""Frames for the wire, from what people hold: arrays, tables, columns, records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypedDict, Unpack

import numpy as np

from clarion_api.v1 import frame_pb2
from clarion_client.columns import (
    Array,
    Words,
    as_array,
    little_endian,
    nanoseconds,
    numbers_of,
    words_of,
)
from clarion_client.errors import InvalidFrameError

Cells = Array | Words


class FrameOptions(TypedDict, total=False):
    """What stands beside the cells.

    Attributes
    ----------
    names
        Names of the columns of an array; default: the model's signals in their order, and for a
        fit ``x0 .. x{d-1}``.
    units
        Units by signal name, such as ``{"pressure": "bar"}``.
    categorical
        Names of signals whose cells are words, though they look like numbers (ports, codes).
    times
        When each row was observed: one value a row, or the name of a column. Datetimes, ISO 8601
        texts, or whole nanoseconds since 1970 UTC; a time without a zone is taken as UTC.
    assets, row_ids
        The asset, and the caller's name, of each row: one value a row, or the name of a column.
    """

    names: Sequence[str]
    units: Mapping[str, str]
    categorical: Sequence[str]
    times: Any
    assets: Any
    row_ids: Any


def frame(data: Any, **options: Unpack[FrameOptions]) -> frame_pb2.Frame:
    """Return ``data`` as a frame for the wire.

    Parameters
    ----------
    data
        A 2-D array of numbers, shape ``(n, d)``; a pandas or polars data frame or an Arrow table;
        a dictionary of columns; or a list of dictionaries, one a row (an absent key is a missing
        cell). A finished frame is returned as it is.
    options
        See `FrameOptions`.

    Raises
    ------
    InvalidFrameError
        Data that cannot be a frame; what and where is named.
    """
    if isinstance(data, frame_pb2.Frame):
        if options:
            raise InvalidFrameError("a finished frame takes no options; build them into it")
        return data
    columns = _columns_of(data, options.get("names"))
    times, assets, row_ids = (
        _beside(columns, key, options.get(key)) for key in ("times", "assets", "row_ids")
    )
    out = _cells(data, columns, set(options.get("categorical", ())))
    if times is not None:
        out.event_times = little_endian(nanoseconds(times), "i8")
    if assets is not None:
        _set_assets(out, assets)
    if row_ids is not None:
        out.row_ids.extend(str(v) for v in row_ids)
    for name, unit in options.get("units", {}).items():
        out.signals.add(name=name, unit=unit)
    return out


def is_positional(data: object, options: FrameOptions) -> bool:
    """Return whether ``data`` is an array whose columns nobody named."""
    return isinstance(data, np.ndarray) and options.get("names") is None


def _columns_of(data: Any, names: Sequence[str] | None) -> dict[str, Cells]:
    """Return the named columns of anything that has some."""
    if isinstance(data, np.ndarray):
        return _columns_of_array(data, names)
    if isinstance(data, Mapping):
        found = {str(name): data[name] for name in data}
    elif isinstance(data, Sequence) and data and all(isinstance(row, Mapping) for row in data):
        keys = dict.fromkeys(name for row in data for name in row)
        found = {str(name): [row.get(name) for row in data] for name in keys}
    else:
        listed = getattr(data, "column_names", None)
        listed = getattr(data, "columns", None) if listed is None else listed
        if listed is None:
            raise InvalidFrameError(
                f"{type(data).__name__} cannot be a frame; send a 2-D array, a data frame, a "
                "dictionary of columns or a list of dictionaries"
            )
        found = {str(name): data[name] for name in listed}
    return {name: v if isinstance(v, Words) else as_array(v) for name, v in found.items()}


def _columns_of_array(data: Array, names: Sequence[str] | None) -> dict[str, Cells]:
    if data.ndim != 2:
        raise InvalidFrameError(f"a frame needs 2 dimensions, not {data.ndim}")
    if data.dtype.kind not in "fiub":
        raise InvalidFrameError(
            f"an array of {data.dtype} cannot be a frame; send numbers, or a dictionary of columns"
        )
    chosen = [f"x{j}" for j in range(data.shape[1])] if names is None else list(names)
    if len(chosen) != data.shape[1]:
        raise InvalidFrameError(f"{len(chosen)} names for {data.shape[1]} columns")
    if len(set(chosen)) != len(chosen):
        twice = next(name for i, name in enumerate(chosen) if name in chosen[:i])
        raise InvalidFrameError(f"signal '{twice}' is named twice", metadata={"signal": twice})
    return {name: data[:, j] for j, name in enumerate(chosen)}


def _beside(columns: dict[str, Cells], key: str, value: Any) -> Array | None:
    """Return what stands beside the cells; a column named for it is taken out of ``columns``."""
    if value is None:
        return None
    if not isinstance(value, str):
        return as_array(value)
    if value not in columns:
        known = ", ".join(columns)
        raise InvalidFrameError(f"{key}='{value}' is no column of the data; it has: {known}")
    taken = columns.pop(value)
    if isinstance(taken, Words):
        return np.array([taken.vocabulary[c] if c >= 0 else None for c in taken.codes], object)
    return taken


def _cells(data: Any, columns: dict[str, Cells], categorical: set[str]) -> frame_pb2.Frame:
    _check(columns, categorical)
    if isinstance(data, np.ndarray) and len(columns) == data.shape[1] and not categorical:
        return _matrix(list(columns), data)
    numbers = {
        name: None if isinstance(cells, Words) or name in categorical else numbers_of(cells)
        for name, cells in columns.items()
    }
    present = [column for column in numbers.values() if column is not None]
    if len(present) == len(numbers):
        return _matrix(list(numbers), np.column_stack(present))
    out = frame_pb2.Frame()
    for name, cells in columns.items():
        column, number = out.columns.columns.add(name=name), numbers[name]
        if number is not None:
            column.doubles = little_endian(number, "f8")
        else:
            words = cells if isinstance(cells, Words) else words_of(cells)
            column.words.vocabulary.extend(words.vocabulary)
            column.words.codes = little_endian(words.codes, "i4")
    return out


def _check(columns: dict[str, Cells], categorical: set[str]) -> None:
    if not columns:
        raise InvalidFrameError("a frame needs at least one signal")
    lengths = {name: len(cells) for name, cells in columns.items()}
    first = next(iter(lengths))
    for name, length in lengths.items():
        if length != lengths[first]:
            raise InvalidFrameError(
                f"column '{name}' has {length} rows, and '{first}' has {lengths[first]}"
            )
    if unknown := sorted(categorical - set(columns)):
        raise InvalidFrameError(f"categorical='{unknown[0]}' is no column of the data")


def _matrix(names: Sequence[str], values: Array) -> frame_pb2.Frame:
    small = values.dtype == np.float32
    kind = frame_pb2.ELEMENT_TYPE_FLOAT32 if small else frame_pb2.ELEMENT_TYPE_FLOAT64
    packed = little_endian(values, "f4" if small else "f8")
    return frame_pb2.Frame(
        matrix=frame_pb2.Matrix(signal_names=names, element_type=kind, values=packed)
    )


def _set_assets(out: frame_pb2.Frame, assets: Array) -> None:
    words = words_of(assets)
    if (words.codes < 0).any():
        raise InvalidFrameError(f"row {int(np.argmin(words.codes))} has no asset")
    for name in words.vocabulary:
        out.assets.add(name=name)
    out.asset_indices = little_endian(words.codes, "i4")
