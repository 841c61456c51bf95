"""Groups: which rows of a fleet belong together, by asset or by class of assets."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

import numpy as np

from clarion.arrays import Int64Array
from clarion.errors import InvalidParameterError
from clarion.frames import Asset, Frame


class PartitionBy(StrEnum):
    """What makes a group."""

    NONE = "none"
    ASSET = "asset"
    ASSET_CLASS = "asset_class"


@dataclass(frozen=True, eq=False)
class Groups:
    """The groups that a fit has seen, in the order of their names."""

    by: PartitionBy
    names: tuple[str, ...]

    @classmethod
    def of(cls, frame: Frame, by: PartitionBy) -> Groups:
        """Return the groups that rows of ``frame`` are of; a nameless one is none.

        Raises
        ------
        InvalidParameterError
            Not one row says its asset, or that asset's class.
        """
        present = _present(frame)
        names = {_name(frame.assets[i], by) for i in present.tolist()} - {""}
        if not names:
            lacking = "an asset" if by is PartitionBy.ASSET else "an asset with a class"
            raise InvalidParameterError(
                f"partition_by is '{by}', but no row has {lacking}; send the assets of the rows, "
                "or fit with partition_by 'none'",
                field="spec.partition_by",
            )
        return cls(by, tuple(sorted(names)))

    def __len__(self) -> int:
        return len(self.names)

    @cached_property
    def _place(self) -> dict[str, int]:
        return {name: code for code, name in enumerate(self.names)}

    def codes(self, frame: Frame) -> Int64Array:
        """Return each row's place among the groups, shape ``(n,)``; their number where in none."""
        if frame.asset is None:
            return np.full(len(frame), len(self), np.int64)
        by_asset = np.full(len(frame.assets), len(self), np.int64)
        for i in _present(frame).tolist():
            by_asset[i] = self._place.get(_name(frame.assets[i], self.by), len(self))
        return np.asarray(by_asset[frame.asset])


def _present(frame: Frame) -> Int64Array:
    """Return the assets that some row is of: their places in ``frame.assets``."""
    if frame.asset is None:
        return np.empty(0, np.int64)
    return np.flatnonzero(np.bincount(frame.asset, minlength=len(frame.assets)))


def _name(asset: Asset, by: PartitionBy) -> str:
    return asset.name if by is PartitionBy.ASSET else asset.asset_class
