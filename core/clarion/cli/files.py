"""Rows from files, through the source `files`, and on to the client."""

from __future__ import annotations

import gzip
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from clarion.arrays import BoolArray
from clarion.cli.options import ReadOptions
from clarion.errors import InvalidFrameError
from clarion.frames import Asset, Frame, concatenated
from clarion.plugins import load_plugins
from clarion.sources import read_all

if TYPE_CHECKING:
    from clarion_api.v1.frame_pb2 import Frame as Message

_BATCH_ROWS = 50_000


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """What was read.

    Attributes
    ----------
    frame
        All rows of all files.
    anomalous
        Shape ``(n,)``, by the labels; None where the files have none.
    left_out
        Columns that the model does not know.
    names
        What each row is called (an attack), if a column says so; empty where it does not.
    """

    frame: Frame
    anomalous: BoolArray | None
    left_out: tuple[str, ...] = ()
    names: tuple[str, ...] | None = None

    def words(self) -> str:
        """Return in one line what was read."""
        read = f"read {len(self.frame):,} rows of {len(self.frame.signals)} signals"
        if self.anomalous is not None:
            read += f", {int(self.anomalous.sum()):,} of them labelled anomalous"
        if self.left_out:
            read += f"; left out, for the model does not know them: {', '.join(self.left_out)}"
        return read

    def time_of(self, row: int) -> np.datetime64 | None:
        """Return when a row was observed, if the file says so."""
        stamps = self.frame.time
        return None if stamps is None else np.datetime64(int(stamps[row]), "ns")


def read(
    files: Sequence[Path],
    options: ReadOptions,
    signals: Sequence[str] | None = None,
    names: str = "",
) -> Rows:
    """Read all rows of all files; of several files each is an asset, unless a column says which.

    Parameters
    ----------
    signals
        What the model takes: other columns are left out. None keeps all.
    names
        Column that says what each row is called; it is no signal. May be the label's.

    Raises
    ------
    InvalidFrameError, InvalidParameterError
        A file that cannot be read; file, line and cause are named.
    """
    registry, chosen = load_plugins().sources, options.chosen()
    parts, labels = [], []
    for path in files:
        frame, told = read_all(registry.build("files", _parameters(path, options)))
        frame, told = frame.take(chosen), None if told is None else told[chosen]
        alone = len(files) == 1 or bool(options.asset)
        parts.append(frame if alone else _as_asset(frame, path.name))
        labels.append(told)
    frame, words = concatenated(parts), tuple(w for ws in labels for w in ws or ())
    called: tuple[str, ...] | None = None
    if names:
        called = words if names == options.label else _words(frame, names)
        frame = _selected(frame, [name for name in frame.names if name != names])
    left_out: tuple[str, ...] = ()
    if signals is not None:
        left_out = tuple(name for name in frame.names if name not in set(signals))
        frame = _selected(frame, [name for name in frame.names if name not in left_out])
    anomalous = _anomalous(words, options.normal) if options.label else None
    return Rows(frame, anomalous, left_out, called)


def message(frame: Frame, first: int = 0) -> Message:
    """Return a frame for the wire; rows without a name are called by their number, from ``first``."""
    import clarion_client

    numeric, coded = frame.of_kind(numeric=True), frame.of_kind(numeric=False)
    cells: Any = {s.name: frame.values[:, j] for j, s in enumerate(numeric)}
    for j, signal in enumerate(coded):
        cells[signal.name] = clarion_client.Words(frame.codes[:, j], signal.vocabulary)
    numbers = range(first, first + len(frame))
    beside: Any = {"times": frame.time, "row_ids": frame.row_ids or numbers}
    if frame.asset is not None:
        beside["assets"] = np.array([asset.name for asset in frame.assets], object)[frame.asset]
    if not coded:
        cells, beside["names"] = frame.values, [s.name for s in numeric]
    units = {signal.name: signal.unit for signal in frame.signals if signal.unit}
    return clarion_client.frame(cells, units=units, **beside)


def _parameters(path: Path, options: ReadOptions) -> dict[str, Any]:
    parameters = {
        "path": str(path),
        "time": options.time,
        "asset": options.asset,
        "label": options.label,
        "drop": list(options.drop or ()),
        "array": options.array,
        "batch_rows": _BATCH_ROWS,
    }
    if options.columns_from is not None:
        parameters["columns"] = _names(options.columns_from, path)
    return parameters


def _names(names_from: Path, table: Path) -> list[str]:
    """Return the columns' names: the first word of each line, and ``c42`` for the 42nd beyond."""
    lines = names_from.read_text(encoding="utf-8").split("\n")
    names = [line.split(",")[0].strip() for line in lines if line.strip()]
    opened = gzip.open if table.suffix == ".gz" else open
    try:
        with opened(table, "rt", encoding="utf-8") as file:
            first = file.readline()
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidFrameError(f"{table} cannot be read as text: {error}") from error
    width = 1 + max(first.count(mark) for mark in ",;\t")
    return [*names, *(f"c{i}" for i in range(len(names) + 1, width + 1))]


def _anomalous(labels: Sequence[str], normal: str) -> BoolArray:
    """Return which labels are not the normal one; numbers are compared as numbers."""
    words = set(labels)
    same = {word for word in words if word == normal or _equal(word, normal)}
    return np.array([label not in same for label in labels], bool)


def _equal(one: str, other: str) -> bool:
    try:
        return float(one) == float(other)
    except ValueError:
        return False


def _as_asset(frame: Frame, name: str) -> Frame:
    return replace(frame, assets=(Asset(name),), asset=np.zeros(len(frame), np.int32))


def _words(frame: Frame, column: str) -> tuple[str, ...]:
    """Return the cells of a column as words, empty where missing; numbers in their shortest form."""
    numeric = [signal.name for signal in frame.of_kind(numeric=True)]
    if column in numeric:
        cells = frame.values[:, numeric.index(column)].tolist()
        return tuple("" if math.isnan(cell) else f"{cell:g}" for cell in cells)
    for place, signal in enumerate(frame.of_kind(numeric=False)):
        if signal.name == column:
            vocabulary = (*signal.vocabulary, "")  # its last word is of the code -1, missing
            return tuple(vocabulary[code] for code in frame.codes[:, place].tolist())
    raise InvalidFrameError(f"there is no column '{column}'; there are: {', '.join(frame.names)}")


def _selected(frame: Frame, names: Sequence[str]) -> Frame:
    """Return the same rows with these signals only."""
    if not names:
        raise InvalidFrameError(
            f"none of the columns is a signal of the model: {', '.join(frame.names[:20])}"
        )
    wanted = set(names)
    numeric, coded = frame.of_kind(numeric=True), frame.of_kind(numeric=False)
    return replace(
        frame,
        signals=tuple(signal for signal in frame.signals if signal.name in wanted),
        values=frame.values[:, [j for j, s in enumerate(numeric) if s.name in wanted]],
        codes=frame.codes[:, [j for j, s in enumerate(coded) if s.name in wanted]],
    )
