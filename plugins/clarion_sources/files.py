"""Files: tables of delimited text, JSON lines and NPZ archives, read batch by batch."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Generator, Iterator
from dataclasses import dataclass

from clarion.errors import InvalidFrameError, InvalidParameterError
from clarion.parameters import parameter
from clarion.sources import Batch
from clarion_sources import delimited, json_lines
from clarion_sources.columns import Columns
from clarion_sources.matrices import matrix_frames
from clarion_sources.roles import Labelled, Roles
from clarion_sources.text import at_once
from clarion_sources.times import TIME_UNITS

_JSON_ENDINGS = (".jsonl", ".ndjson", ".json")


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """Reads one file: CSV, JSON lines (each also compressed by gzip) or NPZ, by its name.

    CSV is cut by commas, semicolons or tabs, whichever fit; its first line names the columns,
    unless ``columns`` does. Empty cells, ``NA``, ``NaN`` and ``null`` are missing. A column is
    numeric if its present cells in the first ``inspected_rows`` rows are numbers, else
    categorical; a later cell that does not fit is an error, not another type.

    Of an NPZ archive ``array`` holds the rows (else the first matrix named train, X, x, data or
    values, else the first of all); ``time``, ``asset``, ``label`` and ``row_id`` name arrays.
    """

    path: str = parameter("", "File to read.")
    time: str = parameter("", "Column of the time of each row: ISO 8601, or a number.")
    time_unit: str = parameter(
        "s", "Unit of times that are numbers, since 1970 UTC.", choices=tuple(TIME_UNITS)
    )
    asset: str = parameter("", "Column of the asset of each row.")
    label: str = parameter("", "Column of the label of each row.")
    row_id: str = parameter("", "Column of the name of each row.")
    drop: tuple[str, ...] = parameter((), "Columns to leave out.")
    columns: tuple[str, ...] = parameter((), "Names of the columns of a file without a header.")
    array: str = parameter("", "Array of an NPZ archive that holds the rows.")
    batch_rows: int = parameter(
        4096, "Rows in a batch, at most.", minimum=1, maximum=100_000, unit="rows"
    )
    inspected_rows: int = parameter(
        1000,
        "Rows that decide what the columns are.",
        minimum=1,
        maximum=1_000_000,
        unit="rows",
    )

    async def frames(self, *, after: str = "") -> AsyncIterator[Batch]:
        """Yield batches behind ``after``, each read in a thread.

        Raises
        ------
        InvalidParameterError
            The file, a column or an array that a parameter names is not there, or ``after`` is no
            position of this source.
        InvalidFrameError
            What is read cannot be a frame; file, line and cause are named.
        """
        batches = self.batches(after)
        try:
            while (batch := await asyncio.to_thread(next, batches, None)) is not None:
                yield batch
        finally:
            # A read still running in its thread closes the file itself, when it ends.
            with contextlib.suppress(ValueError):
                batches.close()

    async def acknowledge(self, position: str) -> None:
        """Do nothing: a file keeps its rows."""

    def batches(self, after: str = "") -> Generator[Batch]:
        """Yield what `frames` does, without an event loop."""
        row = start = _row_of(after)
        for frame, labels in self._read(start):
            row += len(frame)
            yield Batch(frame, f"row:{row}", labels)
        if not row:
            raise InvalidFrameError(f"{self.path} has no rows", file=self.path)

    def _read(self, start: int) -> Iterator[Labelled]:
        roles = Roles(
            time=self.time,
            asset=self.asset,
            label=self.label,
            row_id=self.row_id,
            drop=self.drop,
            time_unit=self.time_unit,
        )
        if self.path.endswith(".npz"):
            return matrix_frames(self.path, self.array, self.columns, roles, start, self.batch_rows)
        return self._text_frames(roles, start)

    def _text_frames(self, roles: Roles, start: int) -> Iterator[Labelled]:
        if self.path.removesuffix(".gz").endswith(_JSON_ENDINGS):
            names, rows = json_lines.read_json_lines(self.path, self.inspected_rows)
            numbers = json_lines.numbers
        else:
            names, rows = delimited.read_delimited(self.path, self.columns)
            numbers = delimited.numbers
        first = list(itertools.islice(rows, at_once(self.inspected_rows, len(names))))
        columns = Columns.of(self.path, names, roles, first, numbers)
        rows = itertools.chain(first, rows)
        skipped = sum(1 for _ in itertools.islice(rows, start))
        if skipped < start:
            raise InvalidFrameError(
                f"{self.path} has {skipped} rows, and {start} were read before", file=self.path
            )
        while batch := list(itertools.islice(rows, at_once(self.batch_rows, len(names)))):
            yield columns.frame(batch)


def _row_of(position: str) -> int:
    if not position:
        return 0
    head, _, row = position.partition(":")
    if head != "row" or not row.isdecimal():
        raise InvalidParameterError(f"'{position}' is no position in a file", field="after")
    return int(row)
