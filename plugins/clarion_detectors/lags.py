"""Lag windows: a row and the rows before it as one, for detectors that forecast."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from scipy import sparse

from clarion.arrays import FloatArray, Int64Array
from clarion.errors import ArtifactCorruptError, TooFewRowsError
from clarion.features import Features, Trace, columns_of, rows_by_asset
from clarion.frames import Frame, Signal
from clarion.inputs import complete
from clarion.state import State

_VERSION = 1


@dataclass(frozen=True, slots=True)
class LagWindow:
    """Unrolls each row into itself and the ``lags`` rows before it, oldest first.

    A sequence detector that holds one passes `signals`, `reads`, `start` and `unroll` on.
    """

    inputs: tuple[Signal, ...]
    lags: int

    @property
    def signals(self) -> tuple[Signal, ...]:
        """``flow.lag2``, ``flow.lag1``, ``flow``: each input at each lag, in its unit."""
        return tuple(
            Signal(_lagged(signal.name, lag), unit=signal.unit)
            for lag in range(self.lags, -1, -1)
            for signal in self.inputs
        )

    @property
    def reads(self) -> dict[str, tuple[str, ...]]:
        """Each unrolled signal reads the input it is named after."""
        return {
            _lagged(signal.name, lag): (signal.name,)
            for signal in self.inputs
            for lag in range(self.lags + 1)
        }

    def start(self) -> State:
        """Return the memory of an asset never seen: no rows."""
        return State(_VERSION, {}, {"rows": np.empty((0, len(self.inputs)))})

    def unroll(self, memory: State, frame: Frame) -> tuple[Features, State]:
        """Return each row that has ``lags`` rows before it with them, and the last ``lags`` rows.

        Raises
        ------
        SignalMismatchError, InvalidFrameError
            Other signals than `inputs`, or a missing cell.
        """
        values = complete(frame, self.inputs)
        before = memory.require(_VERSION).array("rows", (-1, len(self.inputs)))
        if len(before) > self.lags:
            raise ArtifactCorruptError(f"the memory holds {len(before)} rows, not {self.lags}")
        known = np.concatenate([before, values])
        windows = np.arange(max(len(known) - self.lags, 0))
        source_rows = windows + self.lags - len(before)
        unrolled = known[windows[:, None] + np.arange(self.lags + 1)]
        shape = (len(windows), (self.lags + 1) * len(self.inputs))
        columns = columns_of(frame, [signal.name for signal in self.inputs])
        features = Features(
            frame.take(source_rows).with_numeric(unrolled.reshape(shape), self.signals),
            source_rows,
            _LagLineage(columns, self.lags, source_rows, (len(frame), len(frame.signals))),
        )
        kept = known[max(len(known) - self.lags, 0) :].copy()
        return features, State(_VERSION, {}, {"rows": kept})

    def windows(self, frame: Frame) -> FloatArray:
        """Return what `unroll` made as windows, shape ``(n, lags + 1, d)``, the row itself last."""
        values = complete(frame, self.signals)
        return values.reshape(len(values), self.lags + 1, len(self.inputs))


@dataclass(frozen=True, slots=True, eq=False)
class _LagLineage:
    """Leads from a lag to the cell it was copied from; rows of earlier frames have no cells."""

    columns: Int64Array
    lags: int
    source_rows: Int64Array
    shape: tuple[int, int]

    def rows(self, index: int) -> Trace:
        """Return the trace of one unrolled row: a 1 for each of its cells."""
        n_rows, n_signals = self.shape
        d = len(self.columns)
        rows = np.repeat(self.source_rows[index] + np.arange(-self.lags, 1), d)
        cells = rows * n_signals + np.tile(self.columns, self.lags + 1)
        there = rows >= 0
        weights = sparse.csr_array(
            (np.ones(int(there.sum())), cells[there], np.concatenate([[0], np.cumsum(there)])),
            shape=(len(there), n_rows * n_signals),
        )
        return Trace(weights, np.ones(len(there), np.bool_))


def lag_rows(frame: Frame, lags: int) -> Int64Array:
    """Return the rows of every window of an asset's ``lags + 1`` rows, shape ``(m, lags + 1)``.

    Raises
    ------
    TooFewRowsError
        No asset has so many rows.
    """
    assets = rows_by_asset(frame)
    longest = max((len(rows) for rows in assets), default=0)
    if longest <= lags:
        raise TooFewRowsError(
            f"a window of {lags} earlier rows is longer than the data: the longest asset has "
            f"{longest} rows, and needs {lags + 1}; send longer series or shorten the window",
            rows=longest,
            needed=lags + 1,
        )
    return np.concatenate(
        [sliding_window_view(rows, lags + 1) for rows in assets if len(rows) > lags]
    )


def _lagged(name: str, lag: int) -> str:
    return f"{name}.lag{lag}" if lag else name
