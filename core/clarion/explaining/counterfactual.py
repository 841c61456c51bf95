"""Counterfactual values: the raw values at which a culprit would look normal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from clarion.arrays import FloatArray, Int64Array
from clarion.explaining.background import Background
from clarion.explaining.values import Reader
from clarion.frames import SignalKind
from clarion.pipeline.constraints import SignalConstraint

_FOLLOWS = 1e-9
"""A raw value off the line through the others by more than this share of them is no line's."""


@dataclass(frozen=True, slots=True)
class Line:
    """How a raw cell follows from a feature: ``raw + slope (value - feature)``.

    ``slope`` is 0 for a signal that never moved: the line then tells of its one value only.
    """

    raw: float
    feature: float
    slope: float

    def raw_of(self, features: FloatArray) -> FloatArray:
        """Return the raw values of features."""
        return self.raw + self.slope * (features - self.feature)

    def features_of(self, raw: FloatArray) -> FloatArray:
        """Return the features of raw values."""
        if not self.slope:
            return np.full_like(raw, self.feature)
        return self.feature + (raw - self.raw) / self.slope


@dataclass(frozen=True, eq=False)
class CellLines:
    """Which signals may take computed values, and what values these may be.

    Attributes
    ----------
    of
        For each signal the line of its features, each made of one raw cell; None where there is none.
        Behind a window or a mix of signals no one value would do.
    constraints
        For each signal what it may become.
    """

    of: tuple[Line | None, ...]
    constraints: tuple[SignalConstraint, ...]

    @cached_property
    def _stiff(self) -> frozenset[int]:
        """Signals that cannot take any value: constrained, or never seen to move."""
        pairs = enumerate(zip(self.of, self.constraints, strict=True))
        return frozenset(p for p, (line, c) in pairs if line and (c.bends or not line.slope))

    def allowed(self, player: int, values: FloatArray) -> FloatArray:
        """Return a signal's features ``values`` at what its raw cell may be."""
        line, constraint = self.of[player], self.constraints[player]
        if line is None or not constraint.bends:
            return values
        return line.features_of(constraint.kept(line.raw_of(values)))

    def settled(
        self, chosen: Sequence[int], players: Sequence[Int64Array], row: FloatArray
    ) -> FloatArray:
        """Return ``row`` with the chosen signals' features at what raw cells may be."""
        out = row.copy()
        for player in self._stiff.intersection(chosen):
            line, members = self.of[player], players[player]
            if line is None:
                continue
            raw = line.raw_of(row[members])
            kept = self.constraints[player].kept(raw)
            off = (kept != raw) | (line.slope == 0)
            out[members] = np.where(off, line.features_of(kept), row[members])
        return out


def cell_lines(
    background: Background, players: Sequence[Int64Array], *, by_cell: bool, lagged: bool
) -> tuple[Line | None, ...]:
    """Return the lines through the background's rows, one a signal; none at all unless ``by_cell``.

    A signal has one feature, or, ``lagged``, one for each of its last rows, all on the same line.
    """
    last, rows = Reader.of(background.last), background.rows.numeric()
    return tuple(
        _line(last, signal, members, rows) if by_cell and (lagged or len(members) == 1) else None
        for signal, members in enumerate(players)
    )


def _line(last: Reader, signal: int, members: Int64Array, rows: FloatArray) -> Line | None:
    """Return the line of the one feature that is made of the last raw row, if there is any."""
    if last.frame.signals[signal].kind is not SignalKind.NUMERIC:
        return None
    raw = last.frame.values[:, last.columns[signal]].astype(np.float64)
    present = ~np.isnan(raw)
    if not present.any():
        return None
    lines = (_through(raw[present], rows[present, member]) for member in members)
    return next((line for line in lines if line is not None), None)


def _through(raw: FloatArray, features: FloatArray) -> Line | None:
    low, high = int(np.argmin(features)), int(np.argmax(features))
    span = features[high] - features[low]
    slope = (raw[high] - raw[low]) / span if span > 0 else 0.0
    gap = np.abs(raw[low] + slope * (features - features[low]) - raw).max()
    if gap > _FOLLOWS * np.abs(raw).max():
        return None
    return Line(float(raw[low]), float(features[low]), float(slope))
