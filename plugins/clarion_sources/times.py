"""Times as people write them into files."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from clarion.arrays import Int64Array
from clarion.tables import nanoseconds
from clarion_sources.text import Cell

TIME_UNITS = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}
"""Nanoseconds in each unit of a time given as a number."""


def times(cells: Sequence[Cell], unit: str) -> Int64Array:
    """Return nanoseconds since 1970 UTC, (n,): of numbers in ``unit``, or of ISO 8601 texts.

    Raises
    ------
    InvalidFrameError, OverflowError
        A cell is missing, neither of the two, or beyond 64 bits.
    """
    try:
        numbers = [_scaled(cell, TIME_UNITS[unit]) for cell in cells]
    except ValueError:
        column = np.empty(len(cells), object)
        column[:] = cells
        return nanoseconds(column)
    return np.array(numbers, np.int64)


def _scaled(cell: Cell, unit: int) -> int:
    """Return ``cell * unit``, exactly for whole numbers; ValueError if it is no number."""
    if cell is None:
        raise ValueError("there is none")
    if isinstance(cell, str):
        cell = int(cell) if cell.lstrip("-").isdecimal() else float(cell)
    return round(cell * unit)
