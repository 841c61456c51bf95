"""Arrays in NPZ archives, read row by row; nothing in them is ever unpickled."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy

from clarion.errors import InvalidFrameError, InvalidParameterError
from clarion_sources.text import cannot_open

_USUAL_NAMES = ("train", "X", "x", "data", "values")
_KINDS = {
    "b": "numbers",
    "i": "numbers",
    "u": "numbers",
    "f": "numbers",
    "U": "texts",
    "M": "times",
}
_LARGEST_COLUMN_MAJOR = 1 << 30
"""Bytes; arrays in column-major order have to be read whole."""


@dataclass(slots=True)
class OpenArray:
    """An array of numbers, texts or times, read from its first row on; a context manager."""

    place: str
    stream: IO[bytes]
    shape: tuple[int, ...]
    column_major: bool
    dtype: np.dtype[Any]
    _row: int = 0
    _whole: np.ndarray[Any, Any] | None = field(default=None, repr=False)

    def __enter__(self) -> OpenArray:
        return self

    def __exit__(self, *exception: object) -> None:
        self.stream.close()

    @property
    def size(self) -> int:
        """Bytes of all cells."""
        return int(np.prod(self.shape, dtype=object)) * self.dtype.itemsize

    @property
    def is_matrix(self) -> bool:
        """Whether it is a matrix of numbers."""
        return len(self.shape) == 2 and _KINDS[self.dtype.kind] == "numbers"

    def skip(self, rows: int) -> None:
        """Leave out the next ``rows`` rows, which are there."""
        self._row += rows
        if not self.column_major:
            with _damage_named(self.place):
                self.stream.seek(rows * (self.size // max(1, self.shape[0])), io.SEEK_CUR)

    def read(self, rows: int) -> np.ndarray[Any, Any]:
        """Return the next ``rows`` rows, or as many as are left.

        Raises
        ------
        InvalidFrameError
            The file is damaged.
        """
        count = max(0, min(rows, self.shape[0] - self._row))
        with _damage_named(self.place):
            if self.column_major:
                if self._whole is None:
                    self._whole = self._cells(self.size).reshape(self.shape, order="F")
                found = self._whole[self._row : self._row + count]
            else:
                shape = (count, *self.shape[1:])
                cells = int(np.prod(shape, dtype=object)) * self.dtype.itemsize
                found = self._cells(cells).reshape(shape)
        self._row += count
        return found

    def _cells(self, size: int) -> np.ndarray[Any, Any]:
        found = self.stream.read(size)
        if len(found) != size:
            raise EOFError("it is cut off")
        return np.frombuffer(found, self.dtype)


class Archive:
    """An open NPZ file; a context manager.

    Raises
    ------
    InvalidParameterError
        There is no such file.
    InvalidFrameError
        It is no NPZ file.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        try:
            self._file = zipfile.ZipFile(path)
        except OSError as error:
            raise cannot_open(path, error) from error
        except zipfile.BadZipFile as error:
            raise InvalidFrameError(f"{path}: no NPZ file: {error}", file=path) from error

    def __enter__(self) -> Archive:
        return self

    def __exit__(self, *exception: object) -> None:
        self._file.close()

    @property
    def names(self) -> list[str]:
        """Names of the arrays."""
        return [n.removesuffix(".npy") for n in self._file.namelist() if n.endswith(".npy")]

    def matrix(self, name: str = "") -> OpenArray:
        """Return an array that is a matrix of numbers; without a name the most likely one.

        Raises
        ------
        InvalidParameterError, InvalidFrameError
            There is no such array, or it is no matrix of numbers.
        """
        usual = [known for known in _USUAL_NAMES if known in self.names]
        for candidate in [name] if name else [*usual, *self.names]:
            array = self.open(candidate)
            if array.is_matrix:
                return array
            array.stream.close()
        raise InvalidFrameError(
            f"{self.path}: no matrix of numbers {f'is {name}' if name else f'among {self.names}'}",
            file=self.path,
        )

    def open(self, name: str) -> OpenArray:
        """Return an array, its size checked against that of the file.

        Raises
        ------
        InvalidParameterError, InvalidFrameError
            There is no such array; it is damaged, or holds other things than numbers and texts.
        """
        if name not in self.names:
            raise InvalidParameterError(
                f"{self.path} has no array '{name}'; it has: {', '.join(self.names)}",
                field="parameters.array",
                parameter="array",
            )
        place = f"{self.path}, array '{name}'"
        with _damage_named(place):
            entry = self._file.getinfo(f"{name}.npy")
            stream = self._file.open(entry)
            shape, column_major, dtype = _header(stream)
            array = OpenArray(place, stream, shape, column_major and len(shape) > 1, dtype)
            if dtype.kind not in _KINDS or not shape:
                raise ValueError(f"{dtype} of shape {shape} is no column of numbers or texts")
            if array.size + stream.tell() != entry.file_size:
                raise ValueError(f"its {entry.file_size} bytes do not hold shape {shape}")
            if array.column_major and array.size > _LARGEST_COLUMN_MAJOR:
                raise ValueError("too large in column-major order; save it in row-major order")
        return array


def _header(stream: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    version = npy.read_magic(stream)
    read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    shape, column_major, dtype = read(stream)
    return shape, column_major, dtype


@contextmanager
def _damage_named(place: str) -> Iterator[None]:
    """Turn what a damaged archive raises into an error that names the ``place``."""
    try:
        yield
    except (ValueError, EOFError, OSError, RuntimeError, zlib.error, zipfile.BadZipFile) as error:
        raise InvalidFrameError(f"{place}: {error}", file=place) from error
