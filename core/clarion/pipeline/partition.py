"""Partition: one model for a fleet whose assets (or classes of assets) differ in level and spread.

Each row is first put on one level: from its group's center and scale to those of the typical group.
All else (extractors, detector, calibration, explanations) is fitted on levelled rows and knows of no
groups: any plugin will do, and what a group adds is two numbers a signal. How signals go together is
learned of all groups at once. Rows of groups that the fit has not seen take the pooled level.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from clarion.arrays import FloatArray, frozen
from clarion.errors import ArtifactCorruptError
from clarion.frames import Frame
from clarion.kernels.levels import levelled
from clarion.pipeline.groups import Groups, PartitionBy
from clarion.pipeline.shrinkage import levels
from clarion.state import State


@dataclass(frozen=True, eq=False)
class Partition:
    """The level of each group.

    Attributes
    ----------
    center, scale
        Shape ``(n_groups + 1, d_numeric)``, in each signal's unit; the last row is for rows of no
        group known. Scales are positive.
    unit
        Shape ``(d_numeric,)``: the scale of the typical group, which all rows are brought to.
    """

    groups: Groups
    center: FloatArray
    scale: FloatArray
    unit: FloatArray

    @classmethod
    def learn(cls, frame: Frame, by: PartitionBy) -> Partition:
        """Learn from rows with their assets.

        Raises
        ------
        InvalidParameterError
            No row is of any group.
        """
        groups = Groups.of(frame, by)
        codes = groups.codes(frame)
        order = np.argsort(codes, kind="stable")
        order = order[: int((codes < len(groups)).sum())]
        starts = np.searchsorted(codes[order], np.arange(len(groups)))
        found = [levels(column[order].astype(np.float64), starts) for column in frame.values.T]
        shape = (len(found), len(groups) + 1)
        center = np.array([one.center for one in found]).reshape(shape).T
        scale = np.array([one.scale for one in found]).reshape(shape).T
        unit = np.array([one.unit for one in found])
        return cls(groups, *(frozen(np.ascontiguousarray(a)) for a in (center, scale, unit)))

    @cached_property
    def _middle(self) -> FloatArray:
        return frozen(self.center[-1])

    def level(self, frame: Frame) -> Frame:
        """Return the rows of ``frame`` on one level; words and missing cells stay as they are."""
        values = frozen(frame.values.astype(np.float64))
        codes = frozen(self.groups.codes(frame))
        cells = levelled(values, codes, self.center, self.scale, self._middle, self.unit)
        return replace(frame, values=cells)

    def restored(self, code: int, column: int, value: float) -> float:
        """Return a levelled value of a numeric signal in a group's own unit and level."""
        slope = self.scale[code, column] / self.unit[column]
        return float(self.center[code, column] + slope * (value - self.center[-1, column]))

    def state(self) -> State:
        """Return all of it."""
        arrays = {"center": self.center, "scale": self.scale, "unit": self.unit}
        return State(1, {"by": str(self.groups.by), "names": list(self.groups.names)}, arrays)

    @classmethod
    def from_state(cls, state: State, signals: int) -> Partition:
        """Return the partition that `state` describes, of so many numeric signals.

        Raises
        ------
        ArtifactCorruptError
            It describes none.
        """
        names = tuple(map(str, state.require(1).parameter("names", list)))
        shape = (len(names) + 1, signals)
        center, scale = (state.array(name, shape) for name in ("center", "scale"))
        unit = state.array("unit", (signals,))
        if (scale <= 0).any() or (unit <= 0).any() or len(set(names)) != len(names):
            raise ArtifactCorruptError("a stored group has no positive scale, or is named twice")
        return cls(Groups(PartitionBy(state.parameter("by", str)), names), center, scale, unit)
