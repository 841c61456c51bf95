"""A weighted sum of Gaussian kernels: what support vector machines and densities fit."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Self

import numpy as np

from clarion.arrays import FloatArray
from clarion.detectors import KernelSum
from clarion.frames import Frame, Signal
from clarion.inputs import complete, scaled
from clarion.kernels.gaussian import gaussian_sum
from clarion.state import State, signal_values

_VERSION = 1


@dataclass(frozen=True, slots=True, eq=False)
class FittedKernelSum:
    """The kernels, in the coordinates ``u = (x - center) / scale``.

    Attributes
    ----------
    center, scale
        Shape ``(d,)``, in each signal's unit.
    kernels
        The score, one Gaussian a point.
    """

    signals: tuple[Signal, ...]
    center: FloatArray
    scale: FloatArray
    kernels: KernelSum
    columns: FloatArray = field(init=False, repr=False)
    widths: FloatArray = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Lay the points out for the kernel."""
        object.__setattr__(self, "columns", np.ascontiguousarray(self.kernels.points.T))
        object.__setattr__(self, "widths", np.ascontiguousarray(self.kernels.gamma.T))

    def score(self, frame: Frame) -> FloatArray:
        """Return the weighted sum of the kernels, shape ``(n,)``.

        Far away from all points it is the offset: scores differ no more.

        Raises
        ------
        SignalMismatchError, InvalidFrameError
            Other signals than those fitted, or a missing cell.
        """
        points = self.coordinates(frame)
        kernels = self.kernels
        return kernels.offset + gaussian_sum(points, self.columns, kernels.weights, self.widths)

    def coordinates(self, frame: Frame) -> FloatArray:
        """Return the scaled deviations ``u``, shape ``(n, d)``."""
        return scaled(complete(frame, self.signals), self.center, self.scale)

    def kernel_sum(self) -> KernelSum:
        """Return the score as a sum of Gaussian kernels of ``u``."""
        return self.kernels

    def state(self) -> State:
        """Return all that was learned."""
        kernels = self.kernels
        arrays = {
            "center": self.center,
            "scale": self.scale,
            "points": kernels.points,
            "weights": kernels.weights,
            "gamma": kernels.gamma,
        }
        parameters = {"signals": signal_values(self.signals), "offset": kernels.offset}
        return State(_VERSION, parameters, arrays)

    @classmethod
    def from_state(cls, state: State) -> Self:
        """Return the fitted detector that ``state`` describes."""
        signals = state.require(_VERSION).signals()
        d = len(signals)
        points = state.array("points", (-1, d))
        kernels = KernelSum(
            points=points,
            weights=state.array("weights", (len(points),)),
            gamma=state.array("gamma", points.shape),
            offset=state.parameter("offset", float),
        )
        return cls(signals, state.array("center", (d,)), state.array("scale", (d,)), kernels)


def default_gamma(points: FloatArray) -> float:
    """Return scikit-learn's "scale", 1 / (columns * variance of all cells); 1 without variance."""
    variance = float(points.var())
    return 1.0 / (points.shape[1] * variance) if variance > 0 else 1.0


def relative_density(
    points: FloatArray, weights: FloatArray, gamma: FloatArray, rows: FloatArray, own: float = 0.0
) -> KernelSum:
    """Return minus the density of Gaussian ``points``, divided by its median over ``rows``.

    ``own`` is what each of ``rows`` adds to the density at itself: left out of the median.
    """
    kernels = KernelSum(np.ascontiguousarray(points), weights, gamma)
    columns, widths = (np.ascontiguousarray(a.T) for a in (kernels.points, kernels.gamma))
    ordinary = float(np.median(gaussian_sum(rows, columns, weights, widths) - own))
    unit = ordinary if ordinary > np.finfo(float).tiny else float(weights.sum())
    return KernelSum(kernels.points, -weights / unit, kernels.gamma)
