"""Records: objects of JSON values, turned into columns."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from google.protobuf import struct_pb2

from clarion.arrays import FloatArray
from clarion.errors import InvalidFrameError, LimitExceededError

_NANOSECONDS = re.compile(r"[0-9]{1,19}")

AnyArray = np.ndarray[Any, Any]


@dataclass(slots=True)
class RecordColumn:
    """One column: a float, a bool, a text or None a row."""

    name: str
    path: str
    cells: list[float | bool | str | None]
    has_words: bool = False
    has_numbers: bool = False

    def put(self, row: int, value: struct_pb2.Value) -> None:
        """Set the cell of one row.

        Raises
        ------
        InvalidFrameError
            It is an object or a list.
        """
        kind = value.WhichOneof("kind")
        if kind == "number_value":
            self.cells[row] = value.number_value
            self.has_numbers = True
        elif kind == "string_value":
            self.cells[row] = value.string_value
            self.has_words = True
        elif kind == "bool_value":
            self.cells[row] = value.bool_value
            self.has_numbers = True
        elif kind in ("struct_value", "list_value"):
            raise InvalidFrameError(
                f"'{self.name}' of row {row} is neither number, text, true, false nor null",
                field=f"{self.path}[{row}].{self.name}",
                signal=self.name,
            )

    def as_numbers(self) -> FloatArray:
        """Return the column as float64, NaN where missing.

        Raises
        ------
        InvalidFrameError
            A cell is a text.
        """
        for row, cell in enumerate(self.cells):
            if isinstance(cell, str):
                raise InvalidFrameError(
                    f"signal '{self.name}' is numeric, but row {row} holds the text {cell[:40]!r}",
                    field=f"{self.path}[{row}].{self.name}",
                    signal=self.name,
                )
        return np.array([np.nan if c is None else float(c) for c in self.cells], np.float64)

    def as_words(self, *, forced: bool) -> AnyArray:
        """Return the column as texts, None where missing; numbers among them only if ``forced``.

        Raises
        ------
        InvalidFrameError
            Texts and numbers are mixed, and nobody said that the signal is categorical.
        """
        if self.has_numbers and not forced:
            raise InvalidFrameError(
                f"signal '{self.name}' holds texts and numbers; "
                "say in `signals` that it is categorical, or send one of them",
                field=self.path,
                signal=self.name,
            )
        texts = np.empty(len(self.cells), object)
        texts[:] = [_text(cell) for cell in self.cells]
        return texts

    def as_times(self) -> AnyArray:
        """Return whole numbers as int64 nanoseconds, anything else as it is."""
        if all(type(c) is float and c.is_integer() and abs(c) < 2**63 for c in self.cells):
            return np.array([int(cell) for cell in self.cells if cell is not None], np.int64)
        if all(isinstance(c, str) and _NANOSECONDS.fullmatch(c) for c in self.cells):
            numbers = [int(str(cell)) for cell in self.cells]
            if max(numbers) < 2**63:
                return np.array(numbers, np.int64)
        column = np.empty(len(self.cells), object)
        column[:] = self.cells
        return column


def table_of(
    rows: Sequence[struct_pb2.Struct], path: str, max_columns: int
) -> dict[str, RecordColumn]:
    """Return the columns of ``rows``, sorted by name: objects on the wire have no order.

    Raises
    ------
    LimitExceededError
        All rows together name more than ``max_columns``.
    """
    columns: dict[str, RecordColumn] = {}
    for index, row in enumerate(rows):
        for name, value in row.fields.items():
            column = columns.get(name)
            if column is None:
                column = columns[name] = RecordColumn(name, path, [None] * len(rows))
                if len(columns) > max_columns:
                    raise too_many_signals(len(columns), max_columns, path)
            column.put(index, value)
    return {name: columns[name] for name in sorted(columns)}


def too_many_signals(signals: int, limit: int, path: str) -> LimitExceededError:
    """Return the error for a frame wider than this server takes."""
    return LimitExceededError(
        f"the frame has {signals} signals or more; this server takes at most {limit}",
        field=path,
        signals=signals,
        limit=limit,
    )


def _text(cell: float | bool | str | None) -> str | None:
    """Return a cell as the word that a person would write for it."""
    if isinstance(cell, bool):
        return str(cell).lower()
    if isinstance(cell, float):
        return str(int(cell)) if cell.is_integer() else repr(cell)
    return cell
