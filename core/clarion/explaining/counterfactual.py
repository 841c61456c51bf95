"""Counterfactual values: the raw value at which a culprit would look normal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from clarion.arrays import FloatArray, Int64Array
from clarion.explaining.background import Background
from clarion.explaining.culprits import Clearing
from clarion.explaining.values import Cell, Reader
from clarion.frames import SignalKind

_FOLLOWS = 1e-9
"""A raw value off the line through the others by more than this share of them is no line's."""


@dataclass(frozen=True, eq=False)
class NormalValues:
    """Leads cleared features back to raw values.

    A row taken from a donor shows the donor's raw value; a computed one is led back through the
    extractors, where they turn this one signal into one feature, affinely.

    Attributes
    ----------
    background
        Normal rows, raw and as features.
    players
        For each raw signal the features that read it.
    by_cell
        Whether each feature is made of one raw cell alone. Behind a window, a detector's memory or
        a mix of signals no one value would do.
    """

    background: Background
    players: Sequence[Int64Array]
    by_cell: bool

    def cell(self, signal: int, clearing: Clearing) -> Cell:
        """Return what ``signal`` would be in a normal row; empty where no one value would do."""
        if not self.by_cell:
            return Cell()
        if clearing.donor >= 0:
            return self._last.cell(clearing.donor, signal)
        return self._led_back(signal, clearing.row)

    @cached_property
    def _last(self) -> Reader:
        return Reader.of(self.background.last)

    def _led_back(self, signal: int, row: FloatArray) -> Cell:
        """Return the raw value of a row of features, by the line through the background's rows."""
        members, kind = self.players[signal], self._last.frame.signals[signal].kind
        if kind is not SignalKind.NUMERIC or len(members) != 1:
            return Cell()
        raw = self._last.frame.values[:, self._last.columns[signal]].astype(np.float64)
        present, member = ~np.isnan(raw), int(members[0])
        if not present.any():
            return Cell()
        raw, features = raw[present], self.background.rows.numeric()[present, member]
        low, high = int(np.argmin(features)), int(np.argmax(features))
        span = features[high] - features[low]
        slope = (raw[high] - raw[low]) / span if span > 0 else 0.0
        gap = np.abs(raw[low] + slope * (features - features[low]) - raw).max()
        # A signal that never moved tells of its one value only.
        known = span > 0 or np.isclose(row[member], features[low])
        if not known or gap > _FOLLOWS * np.abs(raw).max():
            return Cell()
        return Cell(float(raw[low] + slope * (row[member] - features[low])))
