"""Eight things that happen to sensors, each a function of a patch of clean values."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from clarion.arrays import FloatArray

WHOLE_SWAP = 6.0
"""The amplitude from which swapped signals are swapped wholly; below, they are mixed."""
PLAIN_FREEZE = 3.0
"""The amplitude at which a frozen segment is as long as any other; its length grows with it."""


class Injector(StrEnum):
    """What is done to the chosen signals; ``a`` is the amplitude, ``s`` a signal's own scale."""

    SPIKE = "spike"
    """One row leaps by ``a s``, up or down."""
    LEVEL = "level"
    """The segment is shifted by ``a s``, up or down."""
    DRIFT = "drift"
    """The shift grows from nothing to ``a s`` over the segment."""
    VARIANCE = "variance"
    """Gaussian noise of standard deviation ``a s`` is added."""
    FREEZE = "freeze"
    """The last value is held, or (as likely) as many earlier rows are replayed, ``a / 3`` as long."""
    GAIN = "gain"
    """Deviations from the signal's mean are multiplied by ``1 + a``."""
    SWAP = "swap"
    """Signals trade places in a circle, each on the other's mean and scale, with weight ``a / 6``."""
    JITTER = "jitter"
    """Each row holds the value of a row up to ``2 a`` rows away."""


UNORDERED = (Injector.SPIKE, Injector.LEVEL, Injector.GAIN, Injector.SWAP)
"""Injectors that need no neighbouring rows."""


@dataclass(frozen=True, slots=True, eq=False)
class Patch:
    """Clean values to be changed, in each signal's own scales from its mean.

    Attributes
    ----------
    series
        Shape ``(m, s)``: the chosen signals in all rows of the asset, in order.
    start, stop
        The rows of the segment, as a range in ``series``.
    """

    series: FloatArray
    start: int
    stop: int

    @property
    def values(self) -> FloatArray:
        """The segment itself, shape ``(stop - start, s)``."""
        return self.series[self.start : self.stop]

    def signs(self, rng: np.random.Generator) -> FloatArray:
        """Return up (1) or down (-1) for each signal, shape ``(s,)``."""
        return np.asarray(rng.choice([-1.0, 1.0], self.series.shape[1]))


def _shifted(patch: Patch, amplitude: float, rng: np.random.Generator) -> FloatArray:
    return patch.values + amplitude * patch.signs(rng)


def _drifting(patch: Patch, amplitude: float, rng: np.random.Generator) -> FloatArray:
    rows = len(patch.values)
    ramp = np.arange(1, rows + 1)[:, None] / rows
    return patch.values + amplitude * ramp * patch.signs(rng)


def _noisy(patch: Patch, amplitude: float, rng: np.random.Generator) -> FloatArray:
    return patch.values + amplitude * rng.standard_normal(patch.values.shape)


def _frozen(patch: Patch, amplitude: float, rng: np.random.Generator) -> FloatArray:
    rows = len(patch.values)
    if rng.random() < 0.5 and patch.start >= rows:
        begin = int(rng.integers(0, patch.start - rows + 1))
        return patch.series[begin : begin + rows]
    return np.repeat(patch.series[max(patch.start - 1, 0)][None, :], rows, axis=0)


def _amplified(patch: Patch, amplitude: float, rng: np.random.Generator) -> FloatArray:
    return patch.values * (1.0 + amplitude)


def _swapped(patch: Patch, amplitude: float, rng: np.random.Generator) -> FloatArray:
    weight = min(amplitude / WHOLE_SWAP, 1.0)
    return (1.0 - weight) * patch.values + weight * np.roll(patch.values, 1, axis=1)


def _jittered(patch: Patch, amplitude: float, rng: np.random.Generator) -> FloatArray:
    reach = max(1, round(2 * amplitude))
    rows = np.arange(patch.start, patch.stop)
    away = rng.integers(-reach, reach + 1, len(rows))
    return np.asarray(patch.series[np.clip(rows + away, 0, len(patch.series) - 1)])


INJECTORS: Mapping[Injector, Callable[[Patch, float, np.random.Generator], FloatArray]] = {
    Injector.SPIKE: _shifted,
    Injector.LEVEL: _shifted,
    Injector.DRIFT: _drifting,
    Injector.VARIANCE: _noisy,
    Injector.FREEZE: _frozen,
    Injector.GAIN: _amplified,
    Injector.SWAP: _swapped,
    Injector.JITTER: _jittered,
}
"""Each returns the new values of the patch, on the scale of the old ones."""
