"""Background: the normal rows that stand for "feature absent", raw and as features."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from clarion.arrays import FloatArray, Int64Array
from clarion.errors import ArtifactCorruptError
from clarion.features import rows_by_asset
from clarion.frames import Asset, Frame
from clarion.pipeline.chain import Chain
from clarion.state import State, signal_values

MAX_CELLS = 2_000_000
"""Raw cells kept at most (16 MB): fewer background rows where windows are long and wide."""


@dataclass(frozen=True, eq=False)
class Background:
    """``m`` normal rows with the raw windows that they were made of.

    Attributes
    ----------
    rows
        What the detector scores, shape ``(m, d)``.
    windows
        Raw rows, ``m * (history + 1)`` of them, window after window, oldest row first.
    history
        Rows of a window before its last.
    """

    rows: Frame
    windows: Frame
    history: int

    @cached_property
    def id(self) -> str:
        """Identity: the same rows have the same id."""
        parts = (self.rows.values, self.windows.values, self.windows.codes)
        return hashlib.sha256(b"".join(part.tobytes() for part in parts)).hexdigest()[:16]

    def __len__(self) -> int:
        return len(self.rows)

    @cached_property
    def last(self) -> Frame:
        """The last raw row of each window, ``m`` rows."""
        length = self.history + 1
        return self.windows.take(np.arange(len(self)) * length + self.history)

    @cached_property
    def expected(self) -> FloatArray:
        """Mean of each numeric raw signal over the windows' last rows, shape ``(d_numeric,)``."""
        return _means(self.last)

    def lagged(self) -> FloatArray:
        """Return the numeric raw cells, shape ``(m, history + 1, d_numeric)``, lag 0 first."""
        length = self.history + 1
        cells = self.windows.values.astype(np.float64).reshape(len(self), length, -1)
        return cells[:, ::-1, :]

    def stage_means(self, chain: Chain) -> list[FloatArray]:
        """Return the means, over the windows, of each numeric signal that each step is given.

        The last entry is of what the chain returns: what a sequence detector unrolls.
        """
        done = chain.transform(self.apart())
        return [_means(frame) for frame in (*done.inputs, done.frame)]

    def apart(self) -> Frame:
        """Return the windows, each as an asset of its own, so that none reaches into another."""
        length = self.history + 1
        windows = np.repeat(np.arange(len(self), dtype=np.int32), length)
        names = tuple(Asset(str(i)) for i in range(len(self)))
        frame = self.windows
        return Frame(frame.signals, frame.values, frame.codes, assets=names, asset=windows)

    def state(self) -> State:
        """Return all of it."""
        arrays = {
            "rows": self.rows.values,
            "row_codes": self.rows.codes,
            "values": self.windows.values,
            "codes": self.windows.codes,
        }
        parameters = {
            "history": self.history,
            "row_signals": signal_values(self.rows.signals),
            "signals": signal_values(self.windows.signals),
        }
        return State(1, parameters, arrays)

    @classmethod
    def from_state(cls, state: State) -> Background:
        """Return the background that `state` describes."""
        state.require(1, "rows", "row_codes", "values", "codes")
        history, signals = state.parameter("history", int), state.signals("row_signals")
        rows = Frame(signals, state.arrays["rows"], state.arrays["row_codes"])
        windows = Frame(state.signals(), state.arrays["values"], state.arrays["codes"])
        if history < 0 or not len(rows) or len(windows) != len(rows) * (history + 1):
            raise ArtifactCorruptError("the background's windows do not fit its rows")
        return cls(rows, windows, history)


def draw(
    raw: Frame,
    rows: Frame,
    source_rows: Int64Array,
    history: int,
    wanted: int,
    rng: np.random.Generator,
) -> Background:
    """Draw ``wanted`` (or all, if fewer) of ``rows``, whose raw row is ``source_rows``, at random."""
    cells = (history + 1) * len(raw.signals)
    count = max(1, min(wanted, len(rows), MAX_CELLS // cells))
    chosen = np.sort(rng.choice(len(rows), size=count, replace=False))
    places = asset_positions(raw)
    windows = [places.back(int(source_rows[i]), history) for i in chosen]
    window = raw.take(np.concatenate(windows))
    plain = Frame(window.signals, window.values, window.codes)
    picked = rows.take(chosen)
    return Background(Frame(picked.signals, picked.values, picked.codes), plain, history)


@dataclass(frozen=True, slots=True, eq=False)
class Positions:
    """Where each row of a frame stands among its asset's rows."""

    order: Int64Array
    place: Int64Array

    def back(self, row: int, history: int) -> Int64Array:
        """Return ``row`` and the ``history`` rows of its asset before it, oldest first."""
        at = int(self.place[row])
        return self.order[at - history : at + 1]

    def lag(self, row: int, earlier: Int64Array) -> Int64Array:
        """Return how many of the asset's rows lie between each ``earlier`` row and ``row``."""
        return np.asarray(self.place[row] - self.place[earlier])


def asset_positions(frame: Frame) -> Positions:
    """Return the rows of ``frame`` asset by asset, and each row's place therein."""
    groups = rows_by_asset(frame)
    order = np.concatenate(groups) if groups else np.empty(0, np.int64)
    place = np.empty(len(frame), np.int64)
    place[order] = np.arange(len(frame))
    return Positions(order, place)


def _means(frame: Frame) -> FloatArray:
    values = frame.values.astype(np.float64)
    present = ~np.isnan(values)
    total = np.where(present, values, 0.0).sum(axis=0)
    return np.asarray(total / np.maximum(present.sum(axis=0), 1))
