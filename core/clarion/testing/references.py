"""Small detectors of the kit's own, one a capability, that explainers are tried on.

Each ignores its last signal, and adds up each row's score in a fixed order.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from clarion.arrays import FloatArray, Int64Array
from clarion.detectors import FittedDetector, Forest, KernelSum, Quadratic
from clarion.frames import Frame, Signal
from clarion.inputs import robust_scale, scaled
from clarion.state import State, signal_values
from clarion.testing.capabilities import leaf_values

_POINTS = 40
_TREES = 6
_NEAREST = 3


@dataclass(frozen=True, slots=True, eq=False)
class _Reference:
    """What all have: center and scale of each signal, and some normal rows in these scales."""

    signals: tuple[Signal, ...]
    center: FloatArray
    scale: FloatArray
    points: FloatArray

    @classmethod
    def fit(cls, frame: Frame) -> Self:
        """Learn from the first rows of ``frame``."""
        values = frame.numeric()[:_POINTS]
        center, scale = robust_scale(values)
        return cls(frame.signals, center, scale, _last_ignored(scaled(values, center, scale)))

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the signals."""
        return tuple(signal.name for signal in self.signals)

    def coordinates(self, frame: Frame) -> FloatArray:
        """Return the deviations in scales, shape ``(n, d)``, the last signal's being 0."""
        values = frame.aligned_to(self.names).numeric()
        return _last_ignored(scaled(values, self.center, self.scale))

    def score(self, frame: Frame) -> FloatArray:
        """Return the scores, shape ``(n,)``."""
        raise NotImplementedError

    def state(self) -> State:
        """Return all that was learned."""
        arrays = {name: getattr(self, name) for name in ("center", "scale", "points")}
        return State(1, {"signals": signal_values(self.signals)}, arrays)

    @classmethod
    def from_state(cls, state: State) -> Self:
        """Return the detector that ``state`` describes."""
        signals, d = state.signals(), len(state.signals())
        center, scale = (state.array(name, (d,)) for name in ("center", "scale"))
        return cls(signals, center, scale, state.array("points", (-1, d)))


class SumOfSquares(_Reference):
    """Additive terms: the squared deviations."""

    __slots__ = ()

    def terms(self, frame: Frame) -> FloatArray:
        """Return the squared deviations, shape ``(n, d)``."""
        return np.square(self.coordinates(frame))

    def score(self, frame: Frame) -> FloatArray:
        """Return their sum, shape ``(n,)``."""
        return _summed(self.terms(frame))


class Bowl(_Reference):
    """A quadratic form: the deviations in the metric of a covariance."""

    __slots__ = ()

    def quadratic(self) -> Quadratic:
        """Return the form; its matrix is 0 for the last signal."""
        matrix = np.zeros((len(self.names), len(self.names)))
        matrix[:-1, :-1] = np.linalg.inv(np.cov(self.points[:, :-1].T))
        return Quadratic(self.points.mean(axis=0), (matrix + matrix.T) / 2, offset=2.0)

    def score(self, frame: Frame) -> FloatArray:
        """Return the form's value, shape ``(n,)``."""
        form = self.quadratic()
        delta = self.coordinates(frame) - form.center
        products = [delta[:, j] * _summed(delta * row) for j, row in enumerate(form.matrix)]
        return _summed(np.column_stack(products)) + form.offset


class Bumps(_Reference):
    """A sum of product kernels: high where no normal row is near."""

    __slots__ = ()

    def kernel_sum(self) -> KernelSum:
        """Return the kernels; the last signal's gamma is 0."""
        d = len(self.names)
        gamma = np.where(np.arange(d) < d - 1, 0.1, 0.0)
        weights = -np.linspace(0.5, 1.5, len(self.points)) / len(self.points)
        return KernelSum(self.points, weights, gamma, offset=1.0)

    def score(self, frame: Frame) -> FloatArray:
        """Return the sum of the kernels, shape ``(n,)``."""
        kernel, rows = self.kernel_sum(), self.coordinates(frame)
        distances = [
            _summed(gamma * np.square(rows - point))
            for gamma, point in zip(kernel.gamma, kernel.points, strict=True)
        ]
        return kernel.offset + _summed(kernel.weights * np.exp(-np.column_stack(distances)))


class Grove(_Reference):
    """Trees that each ask whether any of three signals is extreme: an OR, so signals interact."""

    __slots__ = ()

    def forest(self) -> Forest:
        """Return the trees, of three splits each, none on the last signal."""
        rows = self.points * self.scale + self.center
        nodes = [node for tree in range(_TREES) for node in _tree(rows, tree)]
        left, right, feature, threshold, value, cover = (
            np.array(c) for c in zip(*nodes, strict=True)
        )
        roots = np.arange(0, len(nodes), len(nodes) // _TREES)
        return Forest(roots, left, right, feature, threshold, value, cover, scale=4.0, offset=0.5)

    def score(self, frame: Frame) -> FloatArray:
        """Return the mean leaf, shape ``(n,)``."""
        forest = self.forest()
        leaves = leaf_values(forest, frame.aligned_to(self.names).numeric())
        return forest.offset + forest.scale * _summed(leaves) / _TREES


def _tree(rows: FloatArray, tree: int) -> list[tuple[int, int, int, float, float, float]]:
    """Return the nodes of one tree: (left, right, feature, threshold, value, cover).

    Inner nodes come at 0, 2 and 4 of 7, each followed by the leaf of rows above its threshold.
    """
    start, nodes = 7 * tree, []
    for depth in range(3):
        feature = (tree + depth) % (rows.shape[1] - 1)
        threshold = float(np.float32(np.quantile(rows[:, feature], 0.8)))
        above = rows[:, feature].astype(np.float32) > threshold
        at = start + 2 * depth
        nodes.append((at + 2, at + 1, feature, threshold, 0.0, float(len(rows))))
        nodes.append((-1, -1, -1, 0.0, 1.0 + 0.1 * depth, float(above.sum())))
        rows = rows[~above]
    nodes.append((-1, -1, -1, 0.0, 0.0, float(len(rows))))
    return nodes


class NearRows(_Reference):
    """Neighbours: the mean squared distance to the three nearest normal rows."""

    __slots__ = ()

    def neighbours(self, frame: Frame) -> FloatArray:
        """Return the nearest rows in coordinates, shape ``(n, 3, d)``."""
        return self.points[self._distances(frame)[1]]

    def score(self, frame: Frame) -> FloatArray:
        """Return the mean distance, shape ``(n,)``."""
        distances, nearest = self._distances(frame)
        return _summed(np.take_along_axis(distances, nearest, axis=1)) / _NEAREST

    def _distances(self, frame: Frame) -> tuple[FloatArray, Int64Array]:
        rows = self.coordinates(frame)
        distances = np.column_stack([_summed(np.square(rows - point)) for point in self.points])
        return distances, np.argsort(distances, axis=1, kind="stable")[:, :_NEAREST]


class Horn(_Reference):
    """Gradients: the distance from a point one scale off the center, in a direction of its own."""

    __slots__ = ()

    def gradients(self, points: FloatArray) -> FloatArray:
        """Return the deviations ``points`` (n, d) over their scores, shape ``(n, d)``."""
        return points / _distance(points)[:, None]

    def score(self, frame: Frame) -> FloatArray:
        """Return the distance, shape ``(n,)``: at least 1."""
        return _distance(self.coordinates(frame))


class Links(_Reference):
    """A linked sum: the root of one score plus the logarithm of another."""

    __slots__ = ()

    def members(self) -> tuple[FittedDetector, ...]:
        """Return the two detectors whose scores are linked."""
        learned = (self.signals, self.center, self.scale, self.points)
        return SumOfSquares(*learned), Bowl(*learned)

    def linked(self, member: int, scores: FloatArray) -> FloatArray:
        """Return the root for the first, the logarithm for the second."""
        return np.asarray(np.log1p(scores) if member else np.sqrt(scores))

    def score(self, frame: Frame) -> FloatArray:
        """Return the sum of both, shape ``(n,)``."""
        first, second = (member.score(frame) for member in self.members())
        return self.linked(0, first) + self.linked(1, second)


class Opaque(_Reference):
    """No capability: the distance from the center, plus the largest deviation."""

    __slots__ = ()

    def score(self, frame: Frame) -> FloatArray:
        """Return the sum of both, shape ``(n,)``."""
        rows = self.coordinates(frame)
        return np.asarray(np.sqrt(_summed(np.square(rows))) + np.abs(rows).max(axis=1))


REFERENCES: tuple[type[_Reference], ...] = (
    SumOfSquares,
    Bowl,
    Bumps,
    Grove,
    NearRows,
    Horn,
    Links,
    Opaque,
)


def _last_ignored(values: FloatArray) -> FloatArray:
    values[:, -1] = 0.0
    return values


def _distance(points: FloatArray) -> FloatArray:
    return np.sqrt(1.0 + _summed(np.square(points)))


def _summed(values: FloatArray) -> FloatArray:
    """Return each row's sum, shape ``(n,)``, in the order of the columns, whatever the batch."""
    total = np.zeros(len(values))
    for column in values.T:
        total += column
    return total
