"""Raw cells as people read them, and rows as hashes read them."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clarion.arrays import FloatArray
from clarion.frames import Frame, SignalKind


@dataclass(frozen=True, slots=True)
class Cell:
    """A raw cell: a number or a word; neither where it is missing."""

    value: float | None = None
    word: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Reader:
    """Reads single cells of a frame; knows where each signal's column is."""

    frame: Frame
    columns: tuple[int, ...]

    @classmethod
    def of(cls, frame: Frame) -> Reader:
        """Return the reader of ``frame``."""
        counts = {True: 0, False: 0}
        columns = []
        for signal in frame.signals:
            numeric = signal.kind is SignalKind.NUMERIC
            columns.append(counts[numeric])
            counts[numeric] += 1
        return cls(frame, tuple(columns))

    def cell(self, row: int, signal: int) -> Cell:
        """Return the cell of ``frame.signals[signal]`` at ``row``."""
        described, column = self.frame.signals[signal], self.columns[signal]
        if described.kind is SignalKind.NUMERIC:
            value = float(self.frame.values[row, column])
            return Cell(None if math.isnan(value) else value)
        code = int(self.frame.codes[row, column])
        return Cell() if code < 0 else Cell(word=described.vocabulary[code])


def canonical(values: FloatArray) -> FloatArray:
    """Return float64 with one zero and one NaN, so that equal rows have equal bytes."""
    return np.where(np.isnan(values), np.nan, values + 0.0)


def seeds(digest: str, frame: Frame) -> NDArray[np.uint64]:
    """Return one seed a row from (model digest, canonical row), shape ``(n,)`` (DESIGN 1, 9)."""
    rows = canonical(frame.numeric())
    hashed = [
        hashlib.blake2b(row.tobytes(), digest_size=8, key=digest.encode()[:64]) for row in rows
    ]
    return np.array([int.from_bytes(h.digest(), "little") for h in hashed], np.uint64)


def identity(digest: str, stream: str, frame: Frame, row: int) -> str:
    """Return an anomaly's id: the same row scored again by the same version has the same."""
    coded = enumerate(frame.of_kind(numeric=False))
    parts = (
        digest,
        stream,
        frame.asset_of(row).name,
        None if frame.time is None else int(frame.time[row]),
        None if frame.row_ids is None else frame.row_ids[row],
        *((*signal.vocabulary, None)[int(frame.codes[row, column])] for column, signal in coded),
    )
    hashed = hashlib.blake2b(json.dumps(parts).encode(), digest_size=16)
    hashed.update(canonical(frame.values[row].astype(np.float64)).tobytes())
    return hashed.hexdigest()
