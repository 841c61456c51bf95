"""Seeded rows and fitted detectors for what is measured without recorded data."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

import numpy as np

from clarion.arrays import FloatArray
from clarion.explainers import Scorable
from clarion.features import FitContext
from clarion.frames import Frame
from clarion.plugins import load_plugins

T = TypeVar("T")

FITTED_ROWS = 2000
FITTING_SEED = 2
BACKGROUND_ROWS = 128
"""As many as a pipeline keeps by default."""
_FACTORS = 5
_BAD = 3
"""Signals of every other row to be explained that are off."""


def normal_rows(n: int, d: int, seed: int) -> FloatArray:
    """Return rows of ``d`` signals that follow 5 common factors, with noise of their own, (n, d)."""
    loadings = np.random.default_rng(0).normal(size=(_FACTORS, d))
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, _FACTORS)) @ loadings + rng.normal(size=(n, d))


def odd_rows(n: int, d: int, seed: int) -> FloatArray:
    """Return such rows; in every other one 3 signals are off by 6 deviations of their noise."""
    rows = normal_rows(n, d, seed)
    rng = np.random.default_rng(seed + 1)
    for row in rows[::2]:
        row[rng.choice(d, _BAD, replace=False)] += 6.0
    return rows


def scorable(detector: str, d: int) -> Scorable:
    """Return a detector fitted with its defaults, and a background."""
    registries = load_plugins()
    rows = Frame.of(normal_rows(FITTED_ROWS, d, seed=1))
    context = FitContext(np.random.default_rng(FITTING_SEED), registries)
    fitted = registries.detectors.build(detector, {}).fit(rows, None, context)
    return Scorable(fitted.score, rows.take(slice(0, BACKGROUND_ROWS)), fitted)


def timed(work: Callable[[], T]) -> tuple[T, float]:
    """Return what ``work`` returns, and the processor seconds that this one thread took for it.

    What else the machine does is not counted; ``work`` must not hand anything to other threads.
    """
    begun = time.thread_time()
    done = work()
    return done, time.thread_time() - begun
