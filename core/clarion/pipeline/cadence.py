"""Cadence: how often each asset reports, learned where rows have times, and how long it may keep silent.

An asset's bound is its median gap times the ``1 - RATE`` quantile of all gaps, each in medians of its own
asset. If gaps in medians are exchangeable, a gap exceeds that with probability ``RATE`` at most: the rank rule
of conformal prediction (Vovk, Gammerman & Shafer (2005), Algorithmic Learning in a Random World, proposition
4.1). With fewer than ``1 / RATE`` gaps the bound is the longest one seen, exceeded with probability
``1 / (gaps + 1)``. An asset whose own gaps are wilder is given its own longest one instead.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from clarion.arrays import FloatArray, frozen
from clarion.errors import ArtifactCorruptError
from clarion.features import rows_by_asset
from clarion.frames import Frame
from clarion.state import State

RATE = 1e-4
"""Of all gaps, the share that may be taken for silence."""
FEWEST_GAPS = 20
"""Gaps of the fleet without which no cadence is learned; of an asset, without which it has the fleet's."""
_MISSED = 2.0
"""Medians that pass at least before an asset is silent: one report may be late, two are missed."""
_KEPT = 1000
"""Longest gaps that are kept, to tell how rare a silence is."""


@dataclass(frozen=True, slots=True)
class Duty:
    """What is expected of one asset, in seconds: its median gap, and the longest that is no silence."""

    expected: float
    bound: float


@dataclass(frozen=True, eq=False)
class Cadence:
    """When each asset reports.

    Attributes
    ----------
    names
        Assets with a cadence of their own.
    expected, bound
        Shape ``(len(names) + 1,)``, seconds, as in `Duty`; the last is for all other assets.
    longest
        Shape ``(k,)``, falling: the longest gaps of all assets, in medians of their own.
    gaps
        How many gaps there were.
    """

    names: tuple[str, ...]
    expected: FloatArray
    bound: FloatArray
    longest: FloatArray
    gaps: int

    @classmethod
    def learn(cls, frame: Frame) -> Cadence | None:
        """Learn from rows; None where they have no times, or too few of them."""
        found = _gaps(frame)
        total = sum(map(len, found.values()))
        if total < FEWEST_GAPS:
            return None
        usual = float(np.median([np.median(gaps) for gaps in found.values()]))
        known = {name: gaps for name, gaps in found.items() if len(gaps) >= FEWEST_GAPS}
        in_medians = [
            gaps / (float(np.median(gaps)) if name in known else usual)
            for name, gaps in found.items()
        ]
        ranked = np.sort(np.concatenate(in_medians))[::-1]
        factor = max(float(ranked[int(RATE * (total + 1))]), _MISSED)
        expected = np.array([*(np.median(gaps) for gaps in known.values()), usual])
        own = np.array([*(gaps.max() for gaps in known.values()), 0.0])
        bound = np.maximum(factor * expected, own)
        longest = frozen(np.ascontiguousarray(ranked[:_KEPT]))
        return cls(tuple(known), frozen(expected), frozen(bound), longest, total)

    @cached_property
    def _place(self) -> dict[str, int]:
        return {name: i for i, name in enumerate(self.names)}

    def duty(self, asset: str) -> Duty:
        """Return what is expected of an asset: of one without a cadence of its own, the fleet's."""
        i = self._place.get(asset, len(self.names))
        return Duty(float(self.expected[i]), float(self.bound[i]))

    def p_value(self, asset: str, seconds: float) -> float:
        """Return the share of gaps at least so long, for silences beyond the bound."""
        medians = seconds / self.duty(asset).expected
        return (1 + int((self.longest >= medians).sum())) / (self.gaps + 1)

    def state(self) -> State:
        """Return all of it."""
        arrays = {"expected": self.expected, "bound": self.bound, "longest": self.longest}
        return State(1, {"names": list(self.names), "gaps": self.gaps}, arrays)

    @classmethod
    def from_state(cls, state: State) -> Cadence:
        """Return the cadence that `state` describes.

        Raises
        ------
        ArtifactCorruptError
            It describes none.
        """
        names = tuple(map(str, state.require(1).parameter("names", list)))
        expected, bound = (state.array(n, (len(names) + 1,)) for n in ("expected", "bound"))
        longest, gaps = state.array("longest", (-1,)), state.parameter("gaps", int)
        if (expected <= 0).any() or (bound < expected).any() or gaps < len(longest):
            raise ArtifactCorruptError("a stored cadence has a bound below its median gap")
        return cls(names, expected, bound, longest, gaps)


def _gaps(frame: Frame) -> Mapping[str, FloatArray]:
    """Return the seconds between each asset's rows, in order of time, where there are any; > 0."""
    if frame.time is None:
        return {}
    found = {}
    for rows in rows_by_asset(frame):
        gaps = np.diff(np.unique(frame.time[rows])).astype(np.float64) / 1e9
        if len(gaps):
            found[frame.asset_of(int(rows[0])).name] = gaps
    return found
