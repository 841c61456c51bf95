"""Detectors that keep every law and have capabilities: a distance, a bump, hinges, roots, stumps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from clarion.arrays import BoolArray, FloatArray
from clarion.detectors import DetectorTraits, FittedDetector, Forest, KernelSum, Layers, Quadratic
from clarion.features import FitContext
from clarion.frames import Frame, Signal
from clarion.inputs import complete, require_rows, robust_scale, scaled
from clarion.state import State, signal_values

_GAMMA = 0.05
_LEAK = 0.1


@dataclass(frozen=True, slots=True, eq=False)
class _Fitted:
    """Center, scale and limit of each signal, shape (d,); ``above`` rows were over the limit."""

    signals: tuple[Signal, ...]
    center: FloatArray
    scale: FloatArray
    limit: FloatArray
    above: FloatArray
    rows: float

    def coordinates(self, frame: Frame) -> FloatArray:
        return scaled(complete(frame, self.signals), self.center, self.scale)

    def score(self, frame: Frame) -> FloatArray:
        raise NotImplementedError

    def state(self) -> State:
        arrays = {name: getattr(self, name) for name in ("center", "scale", "limit", "above")}
        return State(1, {"signals": signal_values(self.signals), "rows": self.rows}, arrays)

    @classmethod
    def from_state(cls, state: State) -> Self:
        signals = state.require(1).signals()
        center, scale, limit, above = (
            state.array(name, (len(signals),)) for name in ("center", "scale", "limit", "above")
        )
        return cls(signals, center, scale, limit, above, state.parameter("rows", float))


class FittedDistance(_Fitted):
    """The squared distance from the center: additive, quadratic, and one neighbour's."""

    __slots__ = ()

    def score(self, frame: Frame) -> FloatArray:
        return _summed(np.square(self.coordinates(frame)))

    def terms(self, frame: Frame) -> FloatArray:
        values = self.coordinates(frame)
        return np.square(values)

    def quadratic(self) -> Quadratic:
        d = len(self.signals)
        return Quadratic(np.zeros(d), np.eye(d))

    def neighbours(self, frame: Frame) -> FloatArray:
        return np.zeros((len(frame), 1, len(self.signals)))


class FittedBump(_Fitted):
    """One minus a Gaussian bump around the center."""

    __slots__ = ()

    def score(self, frame: Frame) -> FloatArray:
        return 1.0 - np.exp(-_GAMMA * _summed(np.square(self.coordinates(frame))))

    def gradients(self, points: FloatArray) -> FloatArray:
        bump = np.exp(-_GAMMA * _summed(np.square(points)))
        return 2.0 * _GAMMA * points * bump[:, None]

    def kernel_sum(self) -> KernelSum:
        d = len(self.signals)
        return KernelSum(np.zeros((1, d)), np.array([-1.0]), np.full(d, _GAMMA), offset=1.0)


class FittedHinges(_Fitted):
    """The sum of the distances from the center, by two leaky rectifiers a signal."""

    __slots__ = ()

    def score(self, frame: Frame) -> FloatArray:
        return (1.0 - _LEAK) * _summed(np.abs(self.coordinates(frame)))

    def layers(self) -> Layers:
        d = len(self.signals)
        weights = np.hstack([np.eye(d), -np.eye(d)]), np.ones((2 * d, 1))
        return Layers(weights, (np.zeros(2 * d), np.zeros(1)), _LEAK)


class FittedStumps(_Fitted):
    """The share of signals over their limit, and twice the score for the first one."""

    __slots__ = ()

    def score(self, frame: Frame) -> FloatArray:
        with np.errstate(over="ignore"):
            over = complete(frame, self.signals).astype(np.float32) > self.limit
        return _summed(over.astype(np.float64) * self._weights()) / len(self.signals)

    def _weights(self) -> FloatArray:
        return np.linspace(2.0, 1.0, len(self.signals))

    def forest(self) -> Forest:
        d = len(self.signals)
        inner, leaf = np.arange(d), np.full(d, -1)
        zero, weights = np.zeros(d), self._weights()
        return Forest(
            roots=inner,
            left=np.concatenate([inner + d, leaf, leaf]),
            right=np.concatenate([inner + 2 * d, leaf, leaf]),
            feature=np.concatenate([inner, leaf, leaf]),
            threshold=np.concatenate([self.limit, zero, zero]),
            value=np.concatenate([zero, zero, weights]),
            cover=np.concatenate([zero + self.rows, self.rows - self.above, self.above]),
            scale=1.0,
        )


class FittedRoots(_Fitted):
    """The roots of twice the squared distance and of half of it, added up."""

    __slots__ = ()

    def score(self, frame: Frame) -> FloatArray:
        scores = self.members()[0].score(frame)
        return np.sqrt(2.0 * scores) + np.sqrt(0.5 * scores)

    def members(self) -> tuple[FittedDetector, ...]:
        learned = (self.signals, self.center, self.scale, self.limit, self.above, self.rows)
        return FittedDistance(*learned), FittedDistance(*learned)

    def linked(self, member: int, scores: FloatArray) -> FloatArray:
        factor = 0.5 if member else 2.0
        return np.sqrt(factor * scores)


@dataclass(frozen=True, slots=True, kw_only=True)
class Distance:
    """The limit of a signal is the ninth decile of its values."""

    traits: ClassVar[DetectorTraits] = DetectorTraits()
    fitted: ClassVar[type[_Fitted]] = FittedDistance

    def fit(self, frame: Frame, labels: BoolArray | None, context: FitContext) -> _Fitted:
        values = complete(frame, frame.signals)
        require_rows(len(frame), 2, "a scale")
        limit = np.quantile(values, 0.9, axis=0).astype(np.float32).astype(np.float64)
        above = (values.astype(np.float32) > limit).sum(axis=0).astype(np.float64)
        center, scale = robust_scale(values)
        return self.fitted(frame.signals, center, scale, limit, above, float(len(frame)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Bump(Distance):
    """As `Distance`."""

    fitted: ClassVar[type[_Fitted]] = FittedBump


@dataclass(frozen=True, slots=True, kw_only=True)
class Roots(Distance):
    """As `Distance`."""

    fitted: ClassVar[type[_Fitted]] = FittedRoots


@dataclass(frozen=True, slots=True, kw_only=True)
class Hinges(Distance):
    """As `Distance`."""

    fitted: ClassVar[type[_Fitted]] = FittedHinges


@dataclass(frozen=True, slots=True, kw_only=True)
class Stumps(Distance):
    """As `Distance`."""

    fitted: ClassVar[type[_Fitted]] = FittedStumps


def _summed(values: FloatArray) -> FloatArray:
    total: FloatArray = sum(values.T, start=np.zeros(len(values)))
    return total
