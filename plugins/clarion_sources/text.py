"""Lines of a text file, compressed or not, with errors that name file and line."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO, cast

from clarion.errors import InvalidFrameError, InvalidParameterError

_GZIP = b"\x1f\x8b"
_LONGEST_LINE = 1 << 24
"""Characters; longer ones are not lines of a table but another kind of file."""

_CELLS_AT_ONCE = 1 << 22
"""Bounds what very wide rows take."""

Cell = str | int | float | None
Row = tuple[int, list[Cell]]
"""Number of the line (from 1), and its cells."""


def lines(path: str) -> Iterator[str]:
    """Yield the lines of a UTF-8 file, decompressed if its first bytes say gzip.

    Raises
    ------
    InvalidParameterError
        There is no such file.
    InvalidFrameError
        It is damaged, no UTF-8, or has a line beyond all measure; file and line are named.
    """
    number = 0
    try:
        with _opened(path) as stream:
            while line := stream.readline(_LONGEST_LINE):
                number += 1
                if len(line) == _LONGEST_LINE and not line.endswith("\n"):
                    raise unreadable(path, number, f"longer than {_LONGEST_LINE} characters")
                yield line
    except (OSError, EOFError, UnicodeDecodeError, zlib.error) as error:
        raise unreadable(path, number + 1, str(error)) from error


def _opened(path: str) -> TextIO:
    try:
        with Path(path).open("rb") as raw:
            compressed = raw.read(2) == _GZIP
    except OSError as error:
        raise cannot_open(path, error) from error
    if compressed:
        return cast("TextIO", gzip.open(path, "rt", encoding="utf-8-sig", newline=""))
    return Path(path).open(encoding="utf-8-sig", newline="")


def cannot_open(path: str, error: OSError) -> InvalidParameterError:
    """Return the error for a file that is not there or cannot be opened."""
    return InvalidParameterError(
        f"'{path}' cannot be opened: {error.strerror or error}",
        field="parameters.path",
        parameter="path",
    )


def unreadable(path: str, line: int, cause: str) -> InvalidFrameError:
    """Return the error for what is wrong with a line."""
    return InvalidFrameError(f"{path}, line {line}: {cause}", file=path, line=line)


def at_once(rows: int, width: int) -> int:
    """Return how many rows of ``width`` cells to hold at a time: ``rows``, or as many as are sane."""
    return max(1, min(rows, _CELLS_AT_ONCE // max(1, width)))
