"""NPZ archives as frames: one matrix of signals, and arrays beside it with a cell for each row."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from typing import Any

import numpy as np

from clarion.arrays import Int64Array
from clarion.errors import InvalidFrameError
from clarion.frames import Asset, Frame
from clarion.tables import coded, nanoseconds
from clarion_sources.arrays import Archive
from clarion_sources.roles import Labelled, Roles
from clarion_sources.text import at_once
from clarion_sources.times import times


def matrix_frames(
    path: str, array: str, columns: Sequence[str], roles: Roles, start: int, batch_rows: int
) -> Iterator[Labelled]:
    """Yield frames and labels from row ``start`` on; ``roles`` name arrays beside the matrix.

    Raises
    ------
    InvalidParameterError, InvalidFrameError
        The file, or what is asked of it, is not there, damaged or of another shape.
    """
    with ExitStack() as opened:
        archive = opened.enter_context(Archive(path))
        matrix = opened.enter_context(archive.matrix(array))
        beside = {
            role: opened.enter_context(archive.open(name)) for role, name in roles.of_rows.items()
        }
        rows, width = matrix.shape
        if start > rows:
            raise InvalidFrameError(f"{matrix.place} has {rows} rows, and {start} were read before")
        for other in beside.values():
            if other.shape != (rows,):
                raise InvalidFrameError(f"{other.place} has shape {other.shape}, not {(rows,)}")
        names = list(columns) or [f"x{j}" for j in range(width)]
        if len(names) != width:
            raise InvalidFrameError(f"{matrix.place} has {width} columns, not {len(names)}")
        kept = roles.signals(path, names)
        for one in (matrix, *beside.values()):
            one.skip(start)
        most = at_once(batch_rows, width)
        while len(block := matrix.read(most)):
            about = {role: other.read(most) for role, other in beside.items()}
            yield _frame(block[:, kept], [names[j] for j in kept], about, roles.time_unit)


def _frame(
    block: np.ndarray[Any, Any],
    names: list[str],
    about: Mapping[str, np.ndarray[Any, Any]],
    time_unit: str,
) -> Labelled:
    texts = {
        role: tuple(str(cell) for cell in about[role].tolist())
        for role in ("label", "row_id")
        if role in about
    }
    rows: dict[str, Any] = {"row_ids": texts.get("row_id")}
    if "asset" in about:
        rows["asset"], assets = coded(about["asset"].astype(object))
        rows["assets"] = tuple(Asset(name) for name in assets)
    if "time" in about:
        rows["time"] = _nanoseconds(about["time"], time_unit)
    return Frame.of(block, names, **rows), texts.get("label")


def _nanoseconds(cells: np.ndarray[Any, Any], unit: str) -> Int64Array:
    return nanoseconds(cells) if cells.dtype.kind == "M" else times(cells.tolist(), unit)
