"""From rows of cells to frames: what each column is, decided once, on the first rows."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from clarion.arrays import FloatArray, Int32Array, Int64Array
from clarion.errors import InvalidFrameError
from clarion.frames import Asset, Frame, Signal, SignalKind
from clarion.tables import coded
from clarion_sources.roles import Labelled, Roles, require_column
from clarion_sources.text import Cell, Row, unreadable
from clarion_sources.times import times

Numbers = Callable[[Sequence[Cell]], list[float]]
"""Reads numbers from cells, NaN where missing; ValueError or OverflowError if one holds none."""


@dataclass(frozen=True, slots=True)
class Columns:
    """What the columns of a file are.

    Attributes
    ----------
    names
        All of them, in the order of the cells.
    kinds
        The kind of each signal, by name, in the order of the file.
    """

    path: str
    names: tuple[str, ...]
    kinds: dict[str, SignalKind]
    roles: Roles
    numbers: Numbers

    @classmethod
    def of(
        cls, path: str, names: Sequence[str], roles: Roles, first: Sequence[Row], numbers: Numbers
    ) -> Columns:
        """Decide from the ``first`` rows: a column is numeric if all its present cells are numbers.

        Raises
        ------
        InvalidParameterError, InvalidFrameError
            A column that ``roles`` names is not there; no signal is left.
        """
        for role, name in roles.of_rows.items():
            require_column(path, names, role, name)
        kinds = {
            names[i]: _kind([cells[i] for _, cells in first], numbers)
            for i in roles.signals(path, names, *roles.of_rows.values())
        }
        return cls(path, tuple(names), kinds, roles, numbers)

    def frame(self, rows: Sequence[Row]) -> Labelled:
        """Return ``rows`` as a frame, and their labels if a column holds them.

        Raises
        ------
        InvalidFrameError
            A cell that does not fit its column; file, line and column are named.
        """
        lines = [line for line, _ in rows]
        columns = dict(
            zip(self.names, zip(*(cells for _, cells in rows), strict=True), strict=True)
        )
        signals, values, codes = [], [], []
        for name, kind in self.kinds.items():
            if kind is SignalKind.NUMERIC:
                signals.append(Signal(name))
                values.append(self._finite(name, columns[name], lines))
            else:
                code, vocabulary = coded(_objects(columns[name]))
                signals.append(Signal(name, kind, vocabulary=vocabulary))
                codes.append(code)
        about = {role: columns[name] for role, name in self.roles.of_rows.items()}
        assets, asset = self._assets(about["asset"], lines) if "asset" in about else ((), None)
        frame = Frame(
            signals=tuple(signals),
            values=np.column_stack(values) if values else np.empty((len(rows), 0)),
            codes=np.column_stack(codes) if codes else np.empty((len(rows), 0), np.int32),
            time=self._times(about["time"], lines) if "time" in about else None,
            assets=assets,
            asset=asset,
            row_ids=_texts(about["row_id"]) if "row_id" in about else None,
        )
        return frame, _texts(about["label"]) if "label" in about else None

    def _finite(self, name: str, cells: Sequence[Cell], lines: Sequence[int]) -> FloatArray:
        try:
            values = np.array(self.numbers(cells))
        except (ValueError, OverflowError):
            values = np.full(1, np.inf)
        if np.isinf(values).any():
            at = next(i for i, cell in enumerate(cells) if not _is_finite(cell, self.numbers))
            cause = f"column '{name}' holds {cells[at]!r:.60}; its first cells were finite numbers"
            raise unreadable(self.path, lines[at], cause)
        return values

    def _times(self, cells: Sequence[Cell], lines: Sequence[int]) -> Int64Array:
        try:
            return times(cells, self.roles.time_unit)
        except (InvalidFrameError, OverflowError) as error:
            at = next((i for i, cell in enumerate(cells) if not self._is_time(cell)), 0)
            cause = f"column '{self.roles.time}' holds {cells[at]!r:.60}, which is no time"
            raise unreadable(self.path, lines[at], cause) from error

    def _is_time(self, cell: Cell) -> bool:
        try:
            times([cell], self.roles.time_unit)
        except (InvalidFrameError, OverflowError):
            return False
        return True

    def _assets(
        self, cells: Sequence[Cell], lines: Sequence[int]
    ) -> tuple[tuple[Asset, ...], Int32Array]:
        codes, names = coded(_objects(cells))
        if (codes < 0).any():
            at = int(np.argmin(codes))
            raise unreadable(self.path, lines[at], f"no asset in column '{self.roles.asset}'")
        return tuple(Asset(name) for name in names), codes


def _kind(cells: Sequence[Cell], numbers: Numbers) -> SignalKind:
    try:
        numbers(cells)
    except (ValueError, OverflowError):
        return SignalKind.CATEGORICAL
    return SignalKind.NUMERIC


def _is_finite(cell: Cell, numbers: Numbers) -> bool:
    try:
        return not math.isinf(numbers([cell])[0])
    except (ValueError, OverflowError):
        return False


def _texts(cells: Sequence[Cell]) -> tuple[str, ...]:
    return tuple("" if cell is None else str(cell) for cell in cells)


def _objects(cells: Sequence[Cell]) -> np.ndarray[Any, Any]:
    column = np.empty(len(cells), object)
    column[:] = cells
    return column
