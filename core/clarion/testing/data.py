"""Seeded synthetic frames: a small plant of two pumps, with everything that goes wrong in it."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from clarion.arrays import FloatArray, Int32Array, NumericArray
from clarion.frames import Asset, Frame, Signal, SignalKind

SPIKE_ROW = 40

_NUMERIC = (
    Signal("pressure", unit="bar"),
    Signal("flow", unit="l/s"),
    Signal("temperature", unit="°C"),
    Signal("vibration", unit="mm/s"),
    Signal("current", unit="A"),
)
_SCALE = np.array([1.0, 10.0, 0.1, 1000.0, 3.0])
_LEVEL = np.array([5.0, -20.0, 0.0, 300.0, 12.0])
# Two causes move five signals, so that they correlate.
_MIXING = np.array([[1.0, 0.8, 0.0, -0.5, 0.3], [0.0, 0.6, 1.0, 0.5, 0.9]])
_WORDS = ("closed", "half", "open", "broken")
_ASSETS = (Asset("pump-1", "pump"), Asset("pump-2", "pump"))
_HOUR = 3_600_000_000_000
_START = 1_700_000_000_000_000_000


def normal(
    kinds: Collection[SignalKind],
    n: int,
    seed: int,
    *,
    assets: bool = True,
    numeric_signals: int = len(_NUMERIC),
) -> Frame:
    """Return ``n`` normal rows, an hour apart, with signals of each of ``kinds``.

    Five correlated numeric signals of unlike scales, and one of each coded kind, which never says
    "broken". Two assets take turns at random, unless ``assets`` is False. ``numeric_signals`` is
    how many of the five there are; the others' values stay the same.
    """
    rng = np.random.default_rng(seed)
    numeric = _NUMERIC[:numeric_signals] if SignalKind.NUMERIC in kinds else ()
    coded = tuple(
        Signal(f"{kind.value}_state", kind, vocabulary=_WORDS)
        for kind in SignalKind
        if kind in kinds and kind is not SignalKind.NUMERIC
    )
    unitless = rng.normal(size=(n, 2)) @ _MIXING + 0.5 * rng.normal(size=(n, len(_NUMERIC)))
    return Frame(
        signals=numeric + coded,
        values=(_LEVEL + _SCALE * unitless)[:, : len(numeric)],
        codes=rng.integers(0, 3, (n, len(coded)), dtype=np.int32),
        time=_START + _HOUR * np.arange(n, dtype=np.int64),
        assets=_ASSETS if assets else (),
        asset=rng.integers(0, 2, n, dtype=np.int32) if assets else None,
    )


def spiked(frame: Frame, row: int, columns: slice = slice(None)) -> Frame:
    """Return ``frame`` with ``row`` far from normal: 12 scales up, and every word "broken"."""
    values, codes = frame.values.copy(), frame.codes.copy()
    values[row, columns] += (12 * _SCALE)[: values.shape[1]][columns]
    codes[row] = len(_WORDS) - 1
    return changed(frame, values, codes)


def changed(
    frame: Frame, values: NumericArray | None = None, codes: Int32Array | None = None
) -> Frame:
    """Return the same rows (signals, time, asset) with other cells."""
    return Frame(
        signals=frame.signals,
        values=frame.values if values is None else values,
        codes=frame.codes if codes is None else codes,
        time=frame.time,
        assets=frame.assets,
        asset=frame.asset,
    )


def with_constant_signals(frame: Frame) -> Frame:
    """Return ``frame`` with its first numeric signal 0 everywhere and its second 7.5."""
    values = frame.values.copy()
    values[:, :1], values[:, 1:2] = 0.0, 7.5
    return changed(frame, values)


def with_duplicate_rows(frame: Frame) -> Frame:
    """Return as many rows, of which nine in ten are copies of the first."""
    keep = np.arange(len(frame))
    keep[keep % 10 != 0] = 0
    return changed(frame, frame.values[keep], frame.codes[keep])


def with_missing_cells(frame: Frame, every: int = 7) -> Frame:
    """Return ``frame`` with every seventh cell missing, shifting over the columns."""
    values, codes = frame.values.copy(), frame.codes.copy()
    for block, missing in ((values, np.nan), (codes, -1)):
        block.reshape(-1)[::every] = missing
    return changed(frame, values, codes)


def with_one_missing(frame: Frame, row: int, signal: Signal) -> Frame:
    """Return ``frame`` with the cell of ``signal`` in ``row`` missing."""
    values, codes = frame.values.copy(), frame.codes.copy()
    numeric = signal.kind is SignalKind.NUMERIC
    column = frame.of_kind(numeric=numeric).index(signal)
    if numeric:
        values[row, column] = np.nan
    else:
        codes[row, column] = -1
    return changed(frame, values, codes)


def hostile(frame: Frame) -> Frame:
    """Return ``frame`` with its first rows huge: up to the largest double, both signs, mixed."""
    values = frame.values.astype(np.float64)
    largest = np.finfo(np.float64).max
    values[0], values[1], values[2], values[3] = 1e300, -1e300, largest, -largest
    values[4, ::2], values[4, 1::2] = largest, -largest
    values[5] = 1e-320
    values[6, :1] = 1e160  # its square overflows, it does not
    return changed(frame, values)


def scale_of(frame: Frame) -> FloatArray:
    """Return the spread of each numeric signal of `normal`, shape ``(d_numeric,)``."""
    return _SCALE[: frame.values.shape[1]]
