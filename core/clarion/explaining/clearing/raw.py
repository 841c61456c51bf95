"""Raw rows behind one row of features: edited, led through the extractors again, and so proven.

A change of features alone may be one that no raw rows have. So a donor's signal is put in as the raw
window it was seen with, a computed feature as the raw cell it is made of, and what is shown is the score
of the features made from these rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from clarion.arrays import FloatArray, Int32Array, Int64Array
from clarion.detectors import FittedDetector, FittedSequenceDetector
from clarion.explaining.background import Positions
from clarion.explaining.clearing.task import COMPUTED, OWN, Clearing, Edit
from clarion.explaining.counterfactual import CellLines
from clarion.explaining.linear_cells import derivative
from clarion.explaining.values import Reader
from clarion.frames import Asset, Frame, SignalKind, concatenated
from clarion.pipeline.chain import Chain, Transformed, unrolled

_LARGEST = float(np.finfo(np.float64).max)


@dataclass(frozen=True, slots=True, eq=False)
class Windows:
    """Versions of a raw window: numbers ``(t, n, d_numeric)`` and codes ``(t, n, d_coded)``."""

    values: FloatArray
    codes: Int32Array

    def __len__(self) -> int:
        return len(self.values)


@dataclass(frozen=True, eq=False)
class RawModel:
    """What makes features of raw rows.

    Attributes
    ----------
    plugin, detector
        The detector's, whose memory unrolls the rows where it is of the sequence kind.
    windows
        The background's raw windows, ``m`` of ``history + 1`` rows, within what constraints allow.
    players
        For each raw signal the features that read it.
    lines
        Which features lead back to raw cells one by one; with the constraints.
    """

    plugin: str
    detector: FittedDetector
    chain: Chain
    windows: Frame
    players: Sequence[Int64Array]
    lines: CellLines

    def features(self, windows: Frame, count: int) -> FloatArray | None:
        """Return the last row of features of each of ``count`` windows, shape ``(count, d)``.

        ``windows`` holds one after the other. None if some window has no features.
        """
        assets = tuple(Asset(str(i)) for i in range(count))
        length = len(windows) // count
        asset = np.repeat(np.arange(count, dtype=np.int32), length)
        done = self.chain.transform(replace(windows, assets=assets, asset=asset, row_ids=None))
        if isinstance(self.detector, FittedSequenceDetector):
            done, _ = unrolled(self.plugin, self.detector, done, {})
        last = np.flatnonzero(done.source_rows % length == length - 1)
        return done.frame.numeric()[last] if len(last) == count else None

    @cached_property
    def spread(self) -> FloatArray:
        """The sd of each signal in the windows; 1 where it never moved, or is no number."""
        described, values = Reader.of(self.windows), self.windows.values.astype(np.float64)
        spread = np.ones(len(self.windows.signals))
        for signal, column in enumerate(described.columns):
            if self.windows.signals[signal].kind is SignalKind.NUMERIC:
                present = values[~np.isnan(values[:, column]), column]
                moved = float(present.std()) if len(present) else 0.0
                spread[signal] = moved if moved > 0 else 1.0
        return spread

    def row(self, raw: Frame, done: Transformed, index: int, positions: Positions) -> RawRow | None:
        """Return the raw rows behind row ``index`` of ``done``, made of ``raw``.

        None where these do not make it again, as where a memory reaches further back than ``raw``.
        """
        source, cells = int(done.source_rows[index]), None
        back = self.chain.history
        if isinstance(self.detector, FittedSequenceDetector):
            cells = _one_cell_each(done, index, len(raw.signals))
            if cells is None:
                return None
            back += int(positions.lag(source, cells[0]).max(initial=0))
        if back > positions.place[source]:
            return None
        rows = positions.back(source, back)
        if cells is not None:
            within = positions.place[cells[0]] - positions.place[rows[0]]
            cells = (within, cells[1])
        made = RawRow(self, self._united(raw.take(rows)), len(rows), cells)
        again, seen = made.features(made.as_seen), done.frame.numeric()[index]
        return made if again is not None and np.array_equal(again[0], seen) else None

    def _united(self, window: Frame) -> Frame:
        """Return the window, then the background's, in the same words; without names and times."""
        plain = Frame(window.signals, window.values, window.codes, window.time)
        if not window.of_kind(numeric=False):
            return plain
        return concatenated([replace(plain, time=None), self.windows])


@dataclass(frozen=True, eq=False)
class RawRow:
    """The raw rows that one row of features is made of, and what may be put in their place.

    Attributes
    ----------
    window
        The ``length`` rows, oldest first; where there are words, then the background's windows.
    cells
        For each feature of an unrolled memory its one cell: row of the window, and signal.
    """

    model: RawModel
    window: Frame
    length: int
    cells: tuple[Int64Array, Int64Array] | None

    @property
    def as_seen(self) -> Windows:
        """The window as it was sent."""
        values = self.window.values[None, : self.length].astype(np.float64)
        return Windows(values, self.window.codes[None, : self.length])

    @cached_property
    def columns(self) -> tuple[int, ...]:
        """The column of each signal, among the numbers or among the codes."""
        return Reader.of(self.window).columns

    @property
    def spread(self) -> FloatArray:
        """The sd of each signal in the background's windows, shape ``(n_signals,)``."""
        return self.model.spread

    def is_number(self, signal: int) -> bool:
        """Return whether a signal is numeric."""
        return self.window.signals[signal].kind is SignalKind.NUMERIC

    def features(self, windows: Windows) -> FloatArray | None:
        """Return the features of each version of the window, shape ``(t, d)``."""
        count, n = len(windows), self.length
        time = self.window.time
        frame = Frame(
            self.window.signals,
            windows.values.reshape(count * n, -1),
            windows.codes.reshape(count * n, -1),
            None if time is None else np.tile(time[:n], count),
        )
        return self.model.features(frame, count)

    def recomputed(self, edits: Sequence[Edit]) -> FloatArray:
        """Return the features of each edit by donors, shape ``(t, d)``."""
        seen = self.as_seen
        values = np.repeat(seen.values, len(edits), axis=0)
        codes = np.repeat(seen.codes, len(edits), axis=0)
        for k, edit in enumerate(edits):
            for signal, donor in edit:
                self._donate(signal, donor, values[k], codes[k])
        made = self.features(Windows(values, codes))
        assert made is not None  # as many rows as in the window as it was sent
        return made

    def edited(self, clearing: Clearing) -> Windows | None:
        """Return the window with a clearing's changes; None where one leads back to no cells."""
        seen = self.as_seen
        values, codes = seen.values.copy(), seen.codes.copy()
        for signal, donor in zip(clearing.signals, clearing.donors, strict=True):
            if donor == OWN:
                continue
            if donor != COMPUTED and self.cells is None:
                self._donate(signal, donor, values[0], codes[0])
            elif not self._put_in(signal, clearing.row, values[0]):
                return None
        for signal, (shift, times) in zip(clearing.signals, clearing.moves, strict=False):
            path = values[0, :, self.columns[signal]]
            moved = _moved(path, shift, times)
            path[:] = self.model.lines.constraints[signal].kept(moved)
        return Windows(values, codes)

    def between(self, clearing: Clearing, cleared: Windows, shares: FloatArray) -> Windows:
        """Return the window that share of the way to ``cleared``, shares in (0, 1), ``(t,)``.

        Numbers move in a line; what was missing, and words, stay as they were.
        """
        seen = self.as_seen
        values = np.repeat(seen.values, len(shares), axis=0)
        for signal in filter(self.is_number, clearing.signals):
            column = self.columns[signal]
            here, there = seen.values[0, :, column], cleared.values[0, :, column]
            way = here * (1.0 - shares[:, None]) + there * shares[:, None]
            kept = self.model.lines.constraints[signal].kept(way)
            moves = (here != there) & ~np.isnan(way)
            values[:, :, column] = np.where(moves, kept, here)
        return Windows(values, np.repeat(seen.codes, len(shares), axis=0))

    def _donate(self, signal: int, donor: int, values: FloatArray, codes: Int32Array) -> None:
        """Put a background window's signal into the window ``values`` and ``codes``."""
        column, n = self.columns[signal], self.length
        rows = slice(donor * n, (donor + 1) * n)
        if self.is_number(signal):
            values[:, column] = self.model.windows.values[rows, column]
        else:
            codes[:, column] = self.window.codes[n:][rows, column]

    def _put_in(self, signal: int, row: FloatArray, values: FloatArray) -> bool:
        """Put the raw values of a signal's features into the window; False where there are none."""
        line, members = self.model.lines.of[signal], self.model.players[signal]
        if line is None:
            return False
        rows = np.full(len(members), self.length - 1)
        if self.cells is not None:
            rows = self.cells[0][members]
            if (self.cells[1][members] != signal).any():
                return False
        values[rows, self.columns[signal]] = self.model.lines.constraints[signal].kept(
            line.raw_of(row[members])
        )
        return True


def _moved(path: FloatArray, shift: float, times: float) -> FloatArray:
    """Return a path with ``times`` its deviations from its mean, and that shifted."""
    present = path[~np.isnan(path)]
    mean = float((present / len(present)).sum()) if len(present) else 0.0
    with np.errstate(over="ignore"):  # a path of the largest numbers is held within them
        apart = np.clip(path - mean, -_LARGEST, _LARGEST)
        return np.clip(mean + shift + times * apart, -_LARGEST, _LARGEST)


def _one_cell_each(
    done: Transformed, index: int, n_signals: int
) -> tuple[Int64Array, Int64Array] | None:
    """Return the raw row and signal that each feature copies; None if one is made of others."""
    weights = derivative(done, index)
    if weights is None or (np.diff(weights.indptr) != 1).any():
        return None
    row, signal = np.divmod(weights.indices.astype(np.int64), n_signals)
    return row, signal
