"""A score that a fully connected network makes of a row: what the dense detectors fit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from clarion.arrays import FloatArray
from clarion.frames import Frame, Signal
from clarion.inputs import complete, require_rows, robust_scale, scaled
from clarion.state import State, signal_values
from clarion_detectors.network_gradients import Pull, dense_pulled
from clarion_detectors.networks import Shapes, dense, restored, size_of, stored_sizes
from clarion_detectors.training import require_training_memory

_VERSION = 1
FEWEST_ROWS = 10
"""So that one is held back; a network worth its name needs hundreds."""


@dataclass(frozen=True, slots=True, eq=False)
class FittedDense:
    """A network, in the coordinates ``u = (x - center) / scale``.

    Attributes
    ----------
    center, scale
        Shape ``(d,)``, in each signal's unit.
    hidden
        Units of each layer but the first; a subclass's `shapes` says which it adds.
    weights
        By name, as `shapes` lays them out.
    """

    reach: ClassVar[float]
    """Deviations that the network is shown at most, in scales; it learned nothing of larger ones."""

    signals: tuple[Signal, ...]
    center: FloatArray
    scale: FloatArray
    hidden: tuple[int, ...]
    weights: Mapping[str, FloatArray]

    @classmethod
    def shapes(cls, d: int, hidden: Sequence[int]) -> Shapes:
        """Return the shapes of the weights of a network for ``d`` signals."""
        raise NotImplementedError

    def points(self, frame: Frame) -> FloatArray:
        """Return ``u``, shape ``(n, d)``."""
        return scaled(complete(frame, self.signals), self.center, self.scale)

    def shown(self, points: FloatArray) -> FloatArray:
        """Return ``points`` (n, d) within the network's reach: what it is shown of them."""
        return np.clip(points, -self.reach, self.reach)

    def outputs(self, points: FloatArray) -> FloatArray:
        """Return what the network makes of ``points`` (n, d), shape ``(n, k)``."""
        return dense(self.weights, "layer", self.shown(points))

    def outputs_pulled(self, points: FloatArray) -> tuple[FloatArray, Pull]:
        """Return the same of points that it is `shown`, and the way back."""
        return dense_pulled(self.weights, "layer", self.shown(points))

    def state(self) -> State:
        """Return all that was learned."""
        parameters = {"signals": signal_values(self.signals), "hidden": list(self.hidden)}
        arrays = {"center": self.center, "scale": self.scale, **self.weights}
        return State(_VERSION, parameters, arrays)

    @classmethod
    def from_state(cls, state: State) -> Self:
        """Return the fitted detector that ``state`` describes."""
        signals = state.require(_VERSION).signals()
        d, hidden = len(signals), tuple(stored_sizes(state, "hidden"))
        center, scale = (state.array(name, (d,)) for name in ("center", "scale"))
        return cls(signals, center, scale, hidden, restored(cls.shapes(d, hidden), state))


@dataclass(frozen=True, slots=True, eq=False)
class DensePoints:
    """What a dense network is fitted on: ``points`` (n, d) within its reach, and their scales."""

    center: FloatArray
    scale: FloatArray
    points: FloatArray

    @classmethod
    def of(
        cls, frame: Frame, fitted: type[FittedDense], hidden: Sequence[int], batch_rows: int
    ) -> DensePoints:
        """Scale the rows of ``frame``.

        Raises
        ------
        InvalidFrameError
            A missing cell.
        TooFewRowsError
            Fewer than `FEWEST_ROWS`.
        LimitExceededError
            The network does not fit this machine's memory.
        """
        values = complete(frame, frame.signals)
        require_rows(len(values), FEWEST_ROWS, "training a network")
        d = values.shape[1]
        weights = size_of(fitted.shapes(d, hidden))
        require_training_memory(weights, 2 * (d + sum(hidden)), values.size, batch_rows)
        center, scale = robust_scale(values)
        points = np.clip(scaled(values, center, scale), -fitted.reach, fitted.reach)
        return cls(center, scale, points)
