"""Drift: whether a stream is still like the calibration rows, and since when it is not."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from clarion.arrays import FloatArray
from clarion.errors import ArtifactCorruptError
from clarion.pipeline.martingale import ALARM, EPOCH, Martingale
from clarion.state import State, nested, unnested

_VERSION = 1
NOT = -1
"""Stands for "not since any row"."""


@dataclass(frozen=True, slots=True, eq=False)
class Drift:
    """Two tests of one stream: a martingale, at every row, and the rolling window, when it is renewed.

    Attributes
    ----------
    martingale
        Bets on rows being stranger than the calibration rows.
    reached
        Whether it reached `ALARM` in this epoch.
    alarm_row
        The row at which it did; it stands until an epoch ends that never reached it. `NOT` if none.
    apart_row
        The row since which window and frozen reference disagree; `NOT` if they do not.
    """

    martingale: Martingale
    reached: bool = False
    alarm_row: int = NOT
    apart_row: int = NOT

    @property
    def since(self) -> int:
        """The row since which one of both tests tells drift; `NOT` if neither does."""
        standing = [row for row in (self.alarm_row, self.apart_row) if row != NOT]
        return min(standing, default=NOT)

    def follow(self, p_values: FloatArray, row: int) -> Drift:
        """Return what follows upon rows with these frozen ``p_values``, the first of them being ``row``.

        Any cut of the rows gives the same.
        """
        now, done = self, 0
        while done < len(p_values):
            left = EPOCH - now.martingale.rows
            part = p_values[done : done + left]
            now = now._within(part, row + done, ends=len(part) == left)
            done += len(part)
        return now

    def _within(self, p_values: FloatArray, row: int, *, ends: bool) -> Drift:
        """Follow rows of one epoch; ``ends`` says whether it does with them."""
        told, martingale = self.martingale.follow(p_values)
        hits = np.flatnonzero(told >= ALARM)
        reached, alarm_row = self.reached or len(hits) > 0, self.alarm_row
        if len(hits) and alarm_row == NOT:
            alarm_row = row + int(hits[0])
        if not ends:
            return replace(self, martingale=martingale, reached=reached, alarm_row=alarm_row)
        kept = alarm_row if reached else NOT
        return replace(self, martingale=martingale, reached=False, alarm_row=kept)

    def compared(self, row: int, *, apart: bool) -> Drift:
        """Return what follows upon the rolling window renewed at ``row``."""
        if not apart:
            return replace(self, apart_row=NOT)
        return self if self.apart_row != NOT else replace(self, apart_row=row)

    def state(self) -> State:
        """Return all of it."""
        parts = nested({"martingale": self.martingale.state()})
        numbers = {name: getattr(self, name) for name in ("reached", "alarm_row", "apart_row")}
        return replace(parts, version=_VERSION, parameters={"parts": parts.parameters, **numbers})

    @classmethod
    def from_state(cls, state: State) -> Drift:
        """Return the tests that `state` describes.

        Raises
        ------
        ArtifactCorruptError
            It describes none.
        """
        parameters = state.require(_VERSION).parameter("parts", dict)
        parts = unnested(replace(state, version=1, parameters=parameters))
        rows = [state.parameter(name, int) for name in ("alarm_row", "apart_row")]
        if "martingale" not in parts or min(rows) < NOT:
            raise ArtifactCorruptError("the stored drift test has no martingale, or a negative row")
        reached = state.parameter("reached", bool)
        return cls(Martingale.from_state(parts["martingale"]), reached, *rows)
