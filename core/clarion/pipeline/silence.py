"""Silence: assets of a stream that should have reported, and did not.

The clock is the stream's own: the latest time of any row so far. An asset is watched once it has been seen; one
that keeps silent for longer than its bound is told once, and once more when it returns.

Clocks that jump: a row more than `Clock.reach` from the clock is not believed (and counted), unless all rows
of its frame are: then the stream itself moved on or back, which is counted as a jump, and no asset's silence
is judged across it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from clarion.arrays import BoolArray, Int64Array
from clarion.frames import Frame
from clarion.pipeline.cadence import Cadence

_SECOND = 10**9
_REACH_BOUNDS = 10.0
_REACH_SECONDS = 86_400.0
"""A clock may move by the longer of a day and ten of the longest bounds at once."""


@dataclass(frozen=True, slots=True)
class SilentAsset:
    """One asset that fell silent, or came back.

    Attributes
    ----------
    last_seen
        Time of its last row before, nanoseconds since 1970 UTC.
    silent_seconds
        How long it has been silent; of one that returned, was.
    expected_seconds, bound_seconds
        Its median gap, and the longest that is no silence.
    p_value
        Share of all gaps, of the rows fitted, that are at least so long.
    """

    asset: str
    last_seen: int
    silent_seconds: float
    expected_seconds: float
    bound_seconds: float
    p_value: float
    returned: bool

    @property
    def summary(self) -> str:
        """One sentence for people."""
        verb = "is back after" if self.returned else "has been silent for"
        return (
            f"Asset {self.asset or 'without a name'} {verb} {self.silent_seconds:.4g} s; it reports "
            f"every {self.expected_seconds:.4g} s, and {self.bound_seconds:.4g} s would be no silence "
            f"(p = {self.p_value:.4g})."
        )


@dataclass(frozen=True, slots=True, eq=False)
class Silence:
    """What a stream knows of its assets' silence. Plain data, never changed in place.

    Bounded: ``most`` assets; beyond, the one seen longest ago is watched no more.

    Attributes
    ----------
    clock
        Latest time seen, in nanoseconds; None before any.
    last_seen
        Time of each asset's latest row.
    silent
        Assets told to be silent.
    due
        No asset can be newly silent before the clock is here.
    jumps, doubted
        How often the clock was set anew, and how many rows' times were not believed.
    told
        What the last frame brought.
    """

    most: int
    clock: int | None = None
    last_seen: Mapping[str, int] = field(default_factory=dict)
    silent: frozenset[str] = frozenset()
    due: float = -math.inf
    jumps: int = 0
    doubted: int = 0
    told: tuple[SilentAsset, ...] = ()

    def after(self, frame: Frame, cadence: Cadence) -> Silence:
        """Return it once the rows of ``frame`` have come."""
        if frame.time is None or not len(frame):
            return replace(self, told=())
        near = self._near(frame.time, cadence)
        if not near.any():
            return self._moved(frame.time).after(frame, cadence)
        newest = _newest(frame, near)
        told = [
            self._told(cadence, name, newest[name], returned=True)
            for name in newest
            if name in self.silent and newest[name] > self.last_seen[name]
        ]
        back = {one.asset for one in told}
        last = dict(self.last_seen)
        for name, time in newest.items():
            last[name] = max(time, last.pop(name, time))
        for name in list(last)[: max(0, len(last) - self.most)]:
            del last[name]
        latest = max(newest.values())
        clock = latest if self.clock is None else max(self.clock, latest)
        seen = replace(
            self,
            clock=clock,
            last_seen=last,
            silent=(self.silent - back) & last.keys(),
            due=min([self.due, *(t + _bound(cadence, n) for n, t in newest.items())]),
            doubted=self.doubted + int((~near).sum()),
            told=tuple(told),
        )
        return seen._judged(cadence, clock) if clock > seen.due else seen

    def _near(self, time: Int64Array, cadence: Cadence) -> BoolArray:
        if self.clock is None:
            return np.ones(len(time), np.bool_)
        longest = float(cadence.bound.max())
        reach = _SECOND * max(_REACH_SECONDS, _REACH_BOUNDS * longest)
        return np.asarray(np.abs(time.astype(np.float64) - float(self.clock)) <= reach)

    def _moved(self, time: Int64Array) -> Silence:
        """Return it with the clock set to the first of these times, and all that was seen moved along."""
        assert self.clock is not None  # else all times are near
        first = int(time.min())
        by = first - self.clock
        last = {name: seen + by for name, seen in self.last_seen.items()}
        return replace(self, clock=first, last_seen=last, jumps=self.jumps + 1, due=-math.inf)

    def _judged(self, cadence: Cadence, clock: int) -> Silence:
        """Return it with those told that are newly silent."""
        ends = {
            name: seen + _bound(cadence, name)
            for name, seen in self.last_seen.items()
            if name not in self.silent
        }
        fell = [name for name, end in ends.items() if clock > end]
        told = tuple(self._told(cadence, name, clock, returned=False) for name in fell)
        due = min((end for end in ends.values() if clock <= end), default=math.inf)
        return replace(self, silent=self.silent.union(fell), due=due, told=(*self.told, *told))

    def _told(self, cadence: Cadence, name: str, until: int, *, returned: bool) -> SilentAsset:
        seconds, duty = (until - self.last_seen[name]) / _SECOND, cadence.duty(name)
        return SilentAsset(
            asset=name,
            last_seen=self.last_seen[name],
            silent_seconds=seconds,
            expected_seconds=duty.expected,
            bound_seconds=duty.bound,
            p_value=cadence.p_value(name, seconds),
            returned=returned,
        )


def _bound(cadence: Cadence, name: str) -> float:
    return _SECOND * cadence.duty(name).bound


def _newest(frame: Frame, near: BoolArray) -> dict[str, int]:
    """Return the latest time of each asset among the ``near`` rows."""
    assert frame.time is not None
    index, time = frame.asset_index()[near], frame.time[near]
    order = np.lexsort((time, index))
    last = order[np.flatnonzero(np.diff(index[order], append=-1))]
    rows = np.flatnonzero(near)
    return {frame.asset_of(int(rows[i])).name: int(time[i]) for i in last}
