"""Pace: how often the rows of an asset come, and so how many false alarms and events a week has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from clarion.arrays import BoolArray, FloatArray, Int64Array
from clarion.features import rows_by_asset
from clarion.frames import Frame

EVENT_ROWS = 10
"""Rows of a block: alarms of an asset that lie so close are one event (SCIENCE 4: bursts of 10)."""
FEWEST_BLOCKS = 20
"""Blocks that the expected number of events needs."""
_SECONDS_A_WEEK = 604_800.0
_NANOSECONDS = 1e9


@dataclass(frozen=True, slots=True, eq=False)
class Pace:
    """Of one asset whose rows are in time order.

    Attributes
    ----------
    step_seconds
        Median seconds between two of its rows, > 0.
    maxima
        Shape ``(m,)``, ascending: the largest score of each block of `EVENT_ROWS` held-out rows of an
        asset that follow each other. Alarms cluster, so blocks tell events where rows cannot.
    """

    step_seconds: float
    maxima: FloatArray

    @classmethod
    def of(
        cls, frame: Frame, source_rows: Int64Array, scores: FloatArray, held: BoolArray
    ) -> Self | None:
        """Return the pace of the ordered rows of ``frame``; None where they have no times.

        Parameters
        ----------
        source_rows, scores, held
            Shape ``(n,)``: the row of ``frame`` that each score stands for, and whether it calibrates.
        """
        step = _median_step(frame)
        if step is None:
            return None
        found = [np.empty(0)]
        for rows in rows_by_asset(frame.take(source_rows)):
            kept = scores[rows[held[rows]]]
            whole = kept[: len(kept) - len(kept) % EVENT_ROWS]
            found.append(whole.reshape(-1, EVENT_ROWS).max(axis=1))
        return cls(step, np.sort(np.concatenate(found)))

    def alarms_per_week(self, rate: float) -> float:
        """Return the false alarms of one asset in a week, where ``rate`` of its normal rows raise one."""
        return rate * _SECONDS_A_WEEK / self.step_seconds

    def events_per_week(self, threshold: float) -> float | None:
        """Return its blocks in a week that a false alarm falls in; None with fewer than 20 held out.

        Their share is the conformal p-value of a block's maximum at ``threshold``.
        """
        blocks = len(self.maxima)
        if blocks < FEWEST_BLOCKS:
            return None
        reached = blocks - int(np.searchsorted(self.maxima, threshold, side="left"))
        share = (1 + reached) / (blocks + 1)
        return self.alarms_per_week(share) / EVENT_ROWS


def _median_step(frame: Frame) -> float | None:
    """Return the median over assets of the median seconds between rows; None where it is not above 0."""
    if frame.time is None:
        return None
    steps = [np.diff(frame.time[rows]) for rows in rows_by_asset(frame) if len(rows) > 1]
    step = float(np.median([np.median(of_asset) for of_asset in steps])) if steps else 0.0
    return step / _NANOSECONDS if step > 0 else None
