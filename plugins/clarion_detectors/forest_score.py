"""A forest's mean leaf value: what the detectors of trees fit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np

from clarion.arrays import FloatArray
from clarion.detectors import Forest
from clarion.frames import Frame, Signal
from clarion.inputs import complete, require_memory
from clarion.kernels.forest import PackedForest, forest_scores, pack
from clarion.state import State, signal_values

_VERSION = 1
_INTEGERS = ("roots", "left", "right", "feature")
_NUMBERS = ("threshold", "value", "cover")
_NODE_BYTES = 160
"""Of a node while a forest is grown: 72 in scikit-learn's tree, 56 as stored, 32 for the kernel."""


def require_forest(trees: int, leaves: float) -> None:
    """Raise LimitExceededError, with the estimate, if trees of so many leaves each are too large."""
    require_memory(_NODE_BYTES * trees * 2.0 * leaves, f"growing {trees} trees")


@dataclass(frozen=True, slots=True, eq=False)
class FittedForest:
    """The trees, and how their mean leaf value becomes a score."""

    signals: tuple[Signal, ...]
    trees: Forest
    packed: PackedForest = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Lay the trees out for the kernel, which checks them."""
        object.__setattr__(self, "packed", pack(self.trees, len(self.signals)))

    def score(self, frame: Frame) -> FloatArray:
        """Return ``offset + scale * mean leaf value``, shape ``(n,)``.

        Raises
        ------
        SignalMismatchError, InvalidFrameError
            Other signals than those fitted, or a missing cell.
        """
        return forest_scores(complete(frame, self.signals), self.packed, self.trees)

    def forest(self) -> Forest:
        """Return the trees."""
        return self.trees

    def state(self) -> State:
        """Return all that was learned."""
        arrays = {name: getattr(self.trees, name) for name in (*_INTEGERS, *_NUMBERS)}
        parameters = {
            "signals": signal_values(self.signals),
            "scale": self.trees.scale,
            "offset": self.trees.offset,
        }
        return State(_VERSION, parameters, arrays)

    @classmethod
    def from_state(cls, state: State) -> Self:
        """Return the fitted detector that ``state`` describes."""
        signals = state.require(_VERSION).signals()
        nodes = len(state.array("left", (-1,), np.int64))
        arrays: dict[str, Any] = {
            name: state.array(name, (-1 if name == "roots" else nodes,), np.int64)
            for name in _INTEGERS
        }
        arrays |= {name: state.array(name, (nodes,)) for name in _NUMBERS}
        scale, offset = (state.parameter(name, float) for name in ("scale", "offset"))
        return cls(signals, Forest(**arrays, scale=scale, offset=offset))


def laid_end_to_end(
    trees: Sequence[Any], values: Sequence[FloatArray], *, scale: float, offset: float = 0.0
) -> Forest:
    """Return scikit-learn's trees as one forest; ``values`` are each tree's, one a node."""
    sizes = [tree.node_count for tree in trees]
    roots = np.cumsum([0, *sizes[:-1]])
    leaf = np.concatenate([tree.children_left < 0 for tree in trees])
    base = np.repeat(roots, sizes)

    def of(name: str) -> Any:
        return np.concatenate([getattr(tree, name) for tree in trees])

    return Forest(
        roots=roots,
        left=np.where(leaf, -1, of("children_left") + base),
        right=np.where(leaf, -1, of("children_right") + base),
        feature=np.where(leaf, 0, of("feature")),
        threshold=np.where(leaf, 0.0, of("threshold")),
        value=np.where(leaf, np.concatenate(values), 0.0),
        cover=of("n_node_samples").astype(np.float64),
        scale=scale,
        offset=offset,
    )


def within_float32(values: FloatArray) -> FloatArray:
    """Return ``values`` clipped to float32's range, in which scikit-learn computes."""
    largest = float(np.finfo(np.float32).max)
    return np.clip(values, -largest, largest)
