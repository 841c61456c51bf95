"""Tables of delimited text (CSV): rows of cells."""

from __future__ import annotations

import csv
import itertools
from collections.abc import Iterator, Sequence
from typing import cast

from clarion_sources.text import Cell, Row, lines, unreadable

_DELIMITERS = (",", ";", "\t")
_MISSING = frozenset({"", "NA", "N/A", "n/a", "NaN", "nan", "NAN", "null", "NULL", "Null"})


def read_delimited(path: str, columns: Sequence[str]) -> tuple[list[str], Iterator[Row]]:
    """Return the names of the columns, and the rows, whose cells are texts or None.

    Parameters
    ----------
    columns
        Names of the columns of a file without a header; empty if its first line names them.

    Raises
    ------
    InvalidFrameError
        A damaged file, no header, or a line with more or fewer cells than there are names.
    """
    found = lines(path)
    first = list(itertools.islice(found, 2))
    rows = _rows(path, itertools.chain(first, found), _delimiter(first))
    if columns:
        return list(columns), _checked(path, rows, len(columns))
    _, header = next(rows, (0, []))
    if not header:
        raise unreadable(path, 1, "the file is empty")
    names = [str(name).strip() if name else f"column{i}" for i, name in enumerate(header)]
    return names, _checked(path, rows, len(names))


def _delimiter(first: Sequence[str]) -> str:
    """Return what cuts the first lines into the most cells, into as many of each if possible."""

    def cells(mark: str) -> tuple[bool, int]:
        try:
            counts = [len(found) for found in csv.reader(first, delimiter=mark)]
        except csv.Error:
            counts = [0]
        return len(set(counts)) == 1, max(counts, default=0)

    return max(_DELIMITERS, key=cells)


def _rows(path: str, found: Iterator[str], delimiter: str) -> Iterator[Row]:
    reader = csv.reader(found, delimiter=delimiter, skipinitialspace=True)
    while True:
        try:
            cells = next(reader, None)
        except csv.Error as error:
            raise unreadable(path, reader.line_num, str(error)) from error
        if cells is None:
            return
        if cells:
            yield reader.line_num, [None if cell in _MISSING else cell for cell in cells]


def _checked(path: str, rows: Iterator[Row], width: int) -> Iterator[Row]:
    for line, cells in rows:
        if len(cells) != width:
            raise unreadable(path, line, f"{len(cells)} cells, but there are {width} columns")
        yield line, cells


def numbers(cells: Sequence[Cell]) -> list[float]:
    """Return the numbers that texts say, NaN where missing; ValueError if one says none."""
    if None in cells:
        cells = ["nan" if cell is None else cell for cell in cells]
    texts = cast("Sequence[str]", cells)
    if "_" in "".join(texts):  # float() would take 1_000, which nobody writes in data
        raise ValueError("'_' is no part of a number")
    return list(map(float, texts))
