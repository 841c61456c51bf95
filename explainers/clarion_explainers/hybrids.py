"""Rows that are part explained row, part background row."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from clarion.arrays import BoolArray, Int64Array
from clarion.frames import Frame, SignalKind, concatenated


@dataclass(frozen=True, slots=True, eq=False)
class Hybrids:
    """Mixes rows of ``frame`` with rows of a background of the same signals in the same order.

    Attributes
    ----------
    frame
        The explained rows; hybrids keep their time and asset.
    united
        Explained and background rows, one after the other, with one vocabulary a signal.
    """

    frame: Frame
    united: Frame

    @classmethod
    def of(cls, frame: Frame, background: Frame) -> Self:
        """Prepare for mixing, numeric and coded signals alike."""
        return cls(frame, concatenated([frame, background]))

    def rows(self, row: int, background: Int64Array, present: BoolArray) -> Frame:
        """Return ``k`` hybrids of one explained row.

        Parameters
        ----------
        row
            Place of the explained row.
        background, present
            Shapes ``(k,)`` and ``(k, d)``: the background row that each is mixed with, and the
            signals that are the explained row's own.
        """
        numeric = np.array([s.kind is SignalKind.NUMERIC for s in self.united.signals])
        absent = len(self.frame) + background
        values, codes = self.united.values, self.united.codes
        return replace(
            self.frame.take(np.full(len(background), row)),
            signals=self.united.signals,
            values=np.where(present[:, numeric], values[row], values[absent]),
            codes=np.where(present[:, ~numeric], codes[row], codes[absent]),
        )
