"""The three shapes of a frame's data, each as blocks of cells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from clarion.arrays import Int32Array, NumericArray
from clarion.errors import InvalidFrameError
from clarion.frames import Asset, Signal, SignalKind
from clarion.server.convert.numbers import array_of, matrix_of
from clarion.server.convert.records import table_of
from clarion.tables import coded, nanoseconds
from clarion_api.v1 import frame_pb2 as pb

AnyArray = np.ndarray[Any, Any]

_MATRIX_DTYPES: dict[int, str] = {pb.ELEMENT_TYPE_FLOAT32: "<f4", pb.ELEMENT_TYPE_FLOAT64: "<f8"}


@dataclass(frozen=True, slots=True)
class Words:
    """A column of words: int32 codes (n,), -1 where missing, and what they stand for."""

    codes: Int32Array
    vocabulary: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.codes)

    def texts(self) -> AnyArray:
        """Return the words themselves, None where missing, shape (n,)."""
        lookup = np.array([*self.vocabulary, None], object)
        return np.asarray(lookup[self.codes])  # -1 is the last


Column = AnyArray | Words
"""Numbers of any type, or words."""


@dataclass(frozen=True, slots=True)
class Cells:
    """A frame's blocks, and those of its fields that came as columns."""

    signals: tuple[Signal, ...]
    values: NumericArray
    codes: Int32Array
    fields: Mapping[str, Any] = field(default_factory=dict)

    @property
    def rows(self) -> int:
        """How many rows."""
        return int(self.values.shape[0])


def of_matrix(message: pb.Matrix, special: Mapping[str, str], path: str) -> Cells:
    """Return the cells of a matrix, which shares the message's memory."""
    if special:
        name = next(iter(special))
        raise InvalidFrameError(
            "a matrix has no column of times or names; send them beside it",
            field=f"{path}.{name}_column",
        )
    names = tuple(message.signal_names)
    dtype = _MATRIX_DTYPES[message.element_type]
    values = matrix_of(message.values, dtype, len(names), f"{path}.matrix.values")
    signals = tuple(Signal(name) for name in names)
    return Cells(signals, values, np.empty((len(values), 0), np.int32))


def of_columns(
    message: pb.Columns, special: Mapping[str, str], kinds: Mapping[str, SignalKind], path: str
) -> Cells:
    """Return the cells of typed columns."""
    columns: list[tuple[str, Column]] = []
    for index, column in enumerate(message.columns):
        at = f"{path}.columns.columns[{index}]"
        columns.append((column.name, _column(column, at)))
        if len(columns[-1][1]) != len(columns[0][1]):
            raise InvalidFrameError(
                f"column '{column.name}' has {len(columns[-1][1])} cells, "
                f"the first one {len(columns[0][1])}",
                field=at,
            )
    return _blocks(columns, special, kinds, path)


def of_records(
    message: pb.Records,
    special: Mapping[str, str],
    kinds: Mapping[str, SignalKind],
    path: str,
    max_signals: int,
) -> Cells:
    """Return the cells of records; a name that is absent everywhere is no signal."""
    wordy = {name for name, kind in kinds.items() if kind is not SignalKind.NUMERIC}
    wordy |= {special[name] for name in ("asset", "row_id") if name in special}
    limit = max_signals + len(special)
    columns: list[tuple[str, Column]] = []
    for name, cells in table_of(message.rows, f"{path}.records.rows", limit).items():
        if name == special.get("time"):
            columns.append((name, cells.as_times()))
        elif name in wordy or (cells.has_words and kinds.get(name) is not SignalKind.NUMERIC):
            columns.append((name, Words(*coded(cells.as_words(forced=name in wordy)))))
        else:
            columns.append((name, cells.as_numbers()))
    if not columns:
        raise InvalidFrameError("no row holds any signal", field=f"{path}.records.rows")
    return _blocks(columns, special, kinds, path)


def _column(message: pb.Column, path: str) -> Column:
    kind = message.WhichOneof("cells")
    if kind == "doubles":
        return array_of(message.doubles, "<f8", f"{path}.doubles")
    if kind == "integers":
        return array_of(message.integers, "<i8", f"{path}.integers")
    vocabulary = tuple(message.words.vocabulary)
    if len(set(vocabulary)) != len(vocabulary):
        raise InvalidFrameError("a word is there twice", field=f"{path}.words.vocabulary")
    codes = array_of(message.words.codes, "<i4", f"{path}.words.codes")
    if len(codes) and not (codes.min() >= -1 and codes.max() < len(vocabulary)):
        raise InvalidFrameError(
            f"column '{message.name}' has a code outside its {len(vocabulary)} words (-1 is missing)",
            field=f"{path}.words.codes",
        )
    return Words(codes, vocabulary)


def _blocks(
    columns: Sequence[tuple[str, Column]],
    special: Mapping[str, str],
    kinds: Mapping[str, SignalKind],
    path: str,
) -> Cells:
    """Put the signals' columns together, and take the special ones out."""
    rows = len(columns[0][1]) if columns else 0
    by_name = dict(columns)
    fields: dict[str, Any] = {}
    for role, name in special.items():
        if name not in by_name:
            raise InvalidFrameError(
                f"there is no column '{name}'", field=f"{path}.{role}_column", column=name
            )
        fields |= _FIELDS[role](by_name[name], name, f"{path}.{role}_column")
    signals: list[Signal] = []
    values: list[AnyArray] = []
    codes: list[Int32Array] = []
    for name, sent in columns:
        if name in special.values():
            continue
        column = _as_kind(sent, kinds.get(name))
        if isinstance(column, Words):
            signals.append(Signal(name, SignalKind.CATEGORICAL, vocabulary=column.vocabulary))
            codes.append(column.codes)
        else:
            signals.append(Signal(name))
            values.append(column.astype(np.float64, copy=False))
    return Cells(
        tuple(signals),
        np.column_stack(values) if values else np.empty((rows, 0)),
        np.column_stack(codes) if codes else np.empty((rows, 0), np.int32),
        fields,
    )


def _as_kind(column: Column, kind: SignalKind | None) -> Column:
    """Return a column that is missing throughout as of the kind it should have."""
    coded_kind = kind not in (None, SignalKind.NUMERIC)
    if isinstance(column, Words):
        if kind is SignalKind.NUMERIC and (column.codes < 0).all():
            return np.full(len(column), np.nan)
    elif coded_kind and column.dtype.kind == "f" and np.isnan(column).all():
        return Words(np.full(len(column), -1, np.int32), ())
    return column


def _times(column: Column, name: str, path: str) -> dict[str, Any]:
    cells = column.texts() if isinstance(column, Words) else column
    try:
        return {"time": nanoseconds(cells, name)}
    except InvalidFrameError as error:
        raise InvalidFrameError(error.message, field=path, column=name) from error


def _assets(column: Column, name: str, path: str) -> dict[str, Any]:
    words = _required_words(column, name, path)
    return {"asset": words.codes, "assets": tuple(Asset(word) for word in words.vocabulary)}


def _row_ids(column: Column, name: str, path: str) -> dict[str, Any]:
    if not isinstance(column, Words) and column.dtype.kind == "i":
        return {"row_ids": tuple(str(number) for number in column)}
    return {"row_ids": tuple(_required_words(column, name, path).texts())}


_FIELDS = {"time": _times, "asset": _assets, "row_id": _row_ids}


def _required_words(column: Column, name: str, path: str) -> Words:
    if not isinstance(column, Words):
        raise InvalidFrameError(f"column '{name}' holds no words", field=path, column=name)
    if len(column) and (column.codes < 0).any():
        row = int(np.argmin(column.codes))
        raise InvalidFrameError(
            f"column '{name}' has no word at row {row}", field=path, column=name, row=row
        )
    return column
