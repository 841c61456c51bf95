"""Anomalies put into clean rows: the truth is known because it was made.

For rows in time order an anomaly is a segment of one asset's rows; for rows without order it is a
single row, and only those injectors serve that need no neighbouring rows. What is measured on
injected anomalies ranks detectors on such anomalies, and says nothing of others.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from clarion.arrays import BoolArray, FloatArray, Int64Array
from clarion.errors import InvalidFrameError, InvalidParameterError, TooFewRowsError
from clarion.evaluation.injectors import INJECTORS, PLAIN_FREEZE, UNORDERED, Injector, Patch
from clarion.features import rows_by_asset
from clarion.frames import Frame
from clarion.inputs import robust_scale

AMPLITUDES = (1.5, 3.0, 6.0)
SIGNAL_COUNTS = (1, 2, 5)
LONGEST = 60
"""Rows that a segment lasts at most (a frozen one more: see `Injector.FREEZE`)."""
SHORTEST = 10
"""Rows that it lasts at least, where the asset has enough of them."""
_FEWEST_VALUES = 3
"""A signal with fewer distinct values is a switch; no amplitude makes sense for it."""


@dataclass(frozen=True, slots=True)
class Injection:
    """One case: the injector, its amplitude (> 0, unitless), and how many signals it hits at once."""

    injector: Injector
    amplitude: float
    signals: int


@dataclass(frozen=True, slots=True, eq=False)
class Segment:
    """One injected anomaly: its rows in the frame, in order, and the signals changed in them."""

    rows: Int64Array
    signals: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Injected:
    """A frame with anomalies.

    Attributes
    ----------
    frame
        The clean frame, changed in the segments' rows and signals and nowhere else.
    labels
        Shape ``(n,)``: True in the segments' rows. Every segment holds a change, but one of its
        rows may by chance be what it was.
    segments
        Each anomaly, by its first row.
    """

    frame: Frame
    labels: BoolArray
    segments: tuple[Segment, ...]


def suite(signals: int, *, ordered: bool) -> Iterator[Injection]:
    """Yield every case for frames of so many ``signals``: injectors x amplitudes x signals hit."""
    for injector in Injector if ordered else UNORDERED:
        least = 2 if injector is Injector.SWAP else 1
        counts = sorted({max(count, least) for count in SIGNAL_COUNTS if count <= signals})
        for amplitude in AMPLITUDES:
            yield from (Injection(injector, amplitude, n) for n in counts if n <= signals)


def eligible(frame: Frame) -> Int64Array:
    """Return which columns of ``frame.values`` can be hit: those with more than two values."""
    return np.array(
        [
            column
            for column, values in enumerate(np.asarray(frame.values).T)
            if len(np.unique(values[~np.isnan(values)])) >= _FEWEST_VALUES
        ],
        np.int64,
    )


def inject(
    frame: Frame,
    injection: Injection,
    *,
    rng: np.random.Generator,
    ordered: bool,
    share: float = 0.05,
) -> Injected:
    """Put anomalies into ``frame``, whose rows are clean.

    Parameters
    ----------
    rng
        Chooses rows, signals and directions: the same generator, the same anomalies.
    ordered
        Whether each asset's rows are in time order, so that anomalies last.
    share
        Share of the rows that become anomalous, about, in (0, 0.5].

    Raises
    ------
    InvalidParameterError
        An injector that needs order for rows without; an amplitude or share out of its range.
    InvalidFrameError
        Fewer numeric signals with more than two values than are to be hit.
    TooFewRowsError
        No anomaly finds room between clean rows.
    """
    _check(injection, share, ordered=ordered)
    columns = eligible(frame)
    if len(columns) < injection.signals:
        raise InvalidFrameError(
            f"{injection.signals} signals are to be hit, and the frame has {len(columns)} numeric "
            "ones with more than two values",
            field="frame",
        )
    clean = np.asarray(frame.values, np.float64)
    changed = clean.copy()
    segments = []
    for series, start, stop in _places(frame, injection, rng, share, ordered=ordered):
        hit = np.sort(rng.choice(columns, injection.signals, replace=False))
        rows = series[start:stop]
        new = _new_values(clean[np.ix_(series, hit)], start, stop, injection, rng)
        if np.array_equal(new, clean[np.ix_(rows, hit)], equal_nan=True):
            continue
        changed[np.ix_(rows, hit)] = new
        segments.append(Segment(rows, tuple(frame.of_kind(numeric=True)[j].name for j in hit)))
    if not segments:
        raise TooFewRowsError(
            f"{len(frame)} rows have no room for a {injection.injector.value} between clean rows",
            rows=len(frame),
        )
    labels = np.zeros(len(frame), np.bool_)
    labels[np.concatenate([segment.rows for segment in segments])] = True
    segments.sort(key=lambda segment: int(segment.rows[0]))
    values = changed.astype(frame.values.dtype, copy=False)
    return Injected(replace(frame, values=values), labels, tuple(segments))


def _check(injection: Injection, share: float, *, ordered: bool) -> None:
    if not ordered and injection.injector not in UNORDERED:
        usable = ", ".join(injector.value for injector in UNORDERED)
        raise InvalidParameterError(
            f"'{injection.injector.value}' needs rows in time order; without, there are: {usable}",
            field="injector",
        )
    least = 2 if injection.injector is Injector.SWAP else 1
    if injection.signals < least:
        raise InvalidParameterError(
            f"'{injection.injector.value}' hits at least {least} signals, not {injection.signals}",
            field="signals",
        )
    if not (np.isfinite(injection.amplitude) and injection.amplitude > 0):
        raise InvalidParameterError(
            f"amplitude must be a finite number above 0, not {injection.amplitude}",
            field="amplitude",
        )
    if not 0 < share <= 0.5:
        raise InvalidParameterError(f"share must be in (0, 0.5], not {share}", field="share")


def _places(
    frame: Frame,
    injection: Injection,
    rng: np.random.Generator,
    share: float,
    *,
    ordered: bool,
) -> Iterator[tuple[Int64Array, int, int]]:
    """Yield places for anomalies: the rows of an asset, and a range among them; none overlap."""
    if not ordered:
        everything = np.arange(len(frame))
        count = max(1, round(share * len(frame)))
        for row in np.sort(rng.choice(len(frame), count, replace=False)):
            yield everything, int(row), int(row) + 1
        return
    for series in rows_by_asset(frame):
        longest = _longest(injection, len(series))
        shortest = min(SHORTEST, longest)
        count = int(share * len(series) / ((shortest + longest) / 2))
        if not count and len(series) <= longest + 2:
            continue
        for slot in np.array_split(np.arange(1, len(series)), max(count, 1)):
            length = int(rng.integers(shortest, longest + 1))
            room = len(slot) - length - 1  # a clean row stays between two anomalies
            if room >= 0:
                start = int(slot[0] + rng.integers(0, room + 1))
                yield series, start, start + length


def _longest(injection: Injection, rows: int) -> int:
    """Return how many of an asset's ``rows`` an anomaly lasts at most."""
    if injection.injector is Injector.SPIKE:
        return 1
    longest = max(2, min(LONGEST, rows // 20))
    if injection.injector is Injector.FREEZE:
        return max(2, round(longest * injection.amplitude / PLAIN_FREEZE))
    return longest


def _new_values(
    series: FloatArray, start: int, stop: int, injection: Injection, rng: np.random.Generator
) -> FloatArray:
    """Return the segment's new values, each signal in its unit; what is missing stays missing."""
    center, scale = robust_scale(series)
    patch = Patch((series - center) / scale, start, stop)
    moved = INJECTORS[injection.injector](patch, injection.amplitude, rng)
    old = series[start:stop]
    return np.where(np.isnan(old) | np.isnan(moved), old, center + scale * moved)
