"""JSON lines: one object a line."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Iterator, Sequence

from clarion_sources.text import Cell, Row, lines, unreadable


def read_json_lines(path: str, inspected_rows: int) -> tuple[list[str], Iterator[Row]]:
    """Return the keys of the first objects, and the rows; an absent key or null is a missing cell.

    Raises
    ------
    InvalidFrameError
        A damaged file, a line that is no flat object, or a key that the first rows do not have.
    """
    objects = _objects(path)
    first = list(itertools.islice(objects, inspected_rows))
    names = list(dict.fromkeys(name for _, found in first for name in found))
    return names, _rows(path, itertools.chain(first, objects), names, inspected_rows)


def _objects(path: str) -> Iterator[tuple[int, dict[str, Cell]]]:
    for line, text in enumerate(lines(path), start=1):
        if not text.strip():
            continue
        try:
            found = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise unreadable(path, line, f"no JSON: {error}") from error
        if not isinstance(found, dict):
            kind = type(found).__name__
            raise unreadable(path, line, f"a {kind}, not an object; write one object a line")
        for name, cell in found.items():
            if isinstance(cell, (list, dict)):
                raise unreadable(path, line, f"'{name}' holds a {type(cell).__name__}, not a value")
        yield line, found


def _rows(
    path: str, objects: Iterator[tuple[int, dict[str, Cell]]], names: list[str], inspected: int
) -> Iterator[Row]:
    known = set(names)
    for line, found in objects:
        if not found.keys() <= known:
            new = next(name for name in found if name not in known)
            raise unreadable(
                path, line, f"the key '{new}' is in none of the first {inspected} objects"
            )
        yield line, [_present(found.get(name)) for name in names]


def _present(cell: Cell) -> Cell:
    return None if isinstance(cell, float) and math.isnan(cell) else cell


def numbers(cells: Sequence[Cell]) -> list[float]:
    """Return JSON numbers and booleans, NaN where missing; ValueError for texts of any kind."""
    if any(isinstance(cell, str) for cell in cells):
        raise ValueError("a text is no number")
    return [math.nan if cell is None else float(cell) for cell in cells]
