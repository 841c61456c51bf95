"""Drift: whether a stream is still like the calibration rows, and since when it is not."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from scipy import special

from clarion.arrays import FloatArray
from clarion.errors import ArtifactCorruptError
from clarion.pipeline.martingale import ALARM, EPOCH, Martingale
from clarion.state import State, nested, unnested

_VERSION = 1
_FEWEST, _MOST = 0.5, 1.5
"""Realised / promised alarms within which a calibration still holds."""
_SURE = math.log(1e6)
"""Rows times divergence at which so far off is chance once in a million times (Chernoff's bound)."""
NOT = -1
"""Stands for "not since any row"."""


@dataclass(frozen=True, slots=True, eq=False)
class Drift:
    """Three tests of one stream: a martingale, at every row; window and alarms, when it is renewed.

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
    alarms
        Rows of this epoch that the frozen calibration calls anomalous.
    off_row
        The row since which their share is not what was promised; `NOT` if it may be.
    """

    martingale: Martingale
    reached: bool = False
    alarm_row: int = NOT
    apart_row: int = NOT
    alarms: int = 0
    off_row: int = NOT

    @property
    def since(self) -> int:
        """The first row since which a test tells drift; `NOT` if none does."""
        standing = [row for row in (self.alarm_row, self.apart_row, self.off_row) if row != NOT]
        return min(standing, default=NOT)

    def follow(self, p_values: FloatArray, row: int, rate: float) -> Drift:
        """Return what follows upon rows with these frozen ``p_values``, the first of them being ``row``.

        ``rate`` is the p-value at which a row is anomalous. Any cut of the rows gives the same.
        """
        now, done = self, 0
        while done < len(p_values):
            left = EPOCH - now.martingale.rows
            part = p_values[done : done + left]
            now = now._within(part, row + done, rate, ends=len(part) == left)
            done += len(part)
        return now

    def _within(self, p_values: FloatArray, row: int, rate: float, *, ends: bool) -> Drift:
        """Follow rows of one epoch; ``ends`` says whether it does with them."""
        told, martingale = self.martingale.follow(p_values)
        hits = np.flatnonzero(told >= ALARM)
        reached, alarm_row = self.reached or len(hits) > 0, self.alarm_row
        if len(hits) and alarm_row == NOT:
            alarm_row = row + int(hits[0])
        if not ends:
            alarms = self.alarms + int((p_values <= rate).sum())
            return replace(
                self, martingale=martingale, reached=reached, alarm_row=alarm_row, alarms=alarms
            )
        kept = alarm_row if reached else NOT
        return replace(self, martingale=martingale, reached=False, alarm_row=kept, alarms=0)

    def ratio(self, rate: float) -> float:
        """Return the share of alarms in this epoch, as a multiple of the promised ``rate``."""
        return self.alarms / (rate * self.martingale.rows) if self.martingale.rows else 1.0

    def compared(self, row: int, rate: float, *, apart: bool) -> Drift:
        """Return what follows upon the rolling window renewed at ``row``."""
        off = self.off_row != NOT
        if self.martingale.rows:  # else an epoch has just ended: what it said stands
            off = self._off(rate)
        return replace(
            self, apart_row=_held(self.apart_row, row, apart), off_row=_held(self.off_row, row, off)
        )

    def _off(self, rate: float) -> bool:
        """Return whether alarms are too few or too many, by far and beyond chance.

        It also tells of calibration rows that were too few to keep the promise, which ranks do not.
        """
        rows, share = self.martingale.rows, self.alarms / self.martingale.rows
        inside = _FEWEST <= share / rate <= _MOST
        return not inside and rows * _divergence(share, rate) > _SURE

    def state(self) -> State:
        """Return all of it."""
        parts = nested({"martingale": self.martingale.state()})
        names = ("reached", "alarm_row", "apart_row", "alarms", "off_row")
        numbers = {name: getattr(self, name) for name in names}
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
        names = ("alarm_row", "apart_row", "alarms", "off_row")
        alarm_row, apart_row, alarms, off_row = (state.parameter(name, int) for name in names)
        if "martingale" not in parts or min(alarm_row, apart_row, off_row) < NOT or alarms < 0:
            raise ArtifactCorruptError("the stored drift test has no martingale, or a negative row")
        martingale = Martingale.from_state(parts["martingale"])
        reached = state.parameter("reached", bool)
        return cls(martingale, reached, alarm_row, apart_row, alarms, off_row)


def _held(since: int, row: int, stands: bool) -> int:
    """Return the row since which something stands that stands at ``row`` or does not."""
    if not stands:
        return NOT
    return row if since == NOT else since


def _divergence(share: float, rate: float) -> float:
    """Return the Kullback-Leibler divergence of a coin of ``share`` from one of ``rate``, in nats."""
    return float(special.rel_entr(share, rate) + special.rel_entr(1.0 - share, 1.0 - rate))
