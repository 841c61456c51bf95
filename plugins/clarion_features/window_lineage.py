"""Lineage of window statistics: which samples made them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from clarion.arrays import FloatArray, Int64Array
from clarion.features import Trace

_LINEAR = ("mean", "slope", "last", "change")


@dataclass(frozen=True, slots=True, eq=False)
class WindowLineage:
    """Leads from window statistics back to the cells of their windows.

    Mean, slope, last and change are linear. The others share out by what they are made of: the sd by
    squared deviation, the energy by square, minimum and maximum among the samples attaining them.

    Attributes
    ----------
    values
        The input frame's cells, shape ``(n, d)``, in the extractor's order of signals.
    order, starts, window
        Window i holds the rows ``order[starts[i] : starts[i] + window]``.
    statistics
        What was computed of each signal.
    columns
        Shape ``(d,)``: the place of each signal in the input frame.
    """

    values: FloatArray
    order: Int64Array
    starts: Int64Array
    window: int
    statistics: tuple[str, ...]
    columns: Int64Array

    def rows(self, index: int) -> Trace:
        """Return the trace of one row of features."""
        start = int(self.starts[index])
        rows = self.order[start : start + self.window]
        samples = self.values[rows]
        n, d = self.values.shape
        shares = np.stack([_SHARES[statistic](samples) for statistic in self.statistics])
        cells = rows * d + self.columns[:, None]
        weights = sparse.csr_array(
            (
                shares.transpose(2, 0, 1).ravel(),
                np.repeat(cells, len(self.statistics), axis=0).ravel(),
                np.arange(d * len(self.statistics) + 1) * self.window,
            ),
            shape=(d * len(self.statistics), n * d),
        )
        linear = np.array([statistic in _LINEAR for statistic in self.statistics])
        return Trace(weights, np.tile(linear, d))


def _equal_if_none(shares: FloatArray) -> FloatArray:
    """Return ``shares`` with equal ones in each column that has none."""
    return np.where(shares.sum(axis=0) == 0, 1.0, shares)


def _slope_weights(samples: FloatArray) -> FloatArray:
    time = np.arange(len(samples)) - (len(samples) - 1) / 2
    weights: FloatArray = time[:, None] / (time @ time) * np.ones_like(samples)
    return weights


def _newest_weights(samples: FloatArray, *newest: float) -> FloatArray:
    weights = np.zeros_like(samples)
    weights[-len(newest) :] = np.array(newest)[:, None]
    return weights


_SHARES: dict[str, Callable[[FloatArray], FloatArray]] = {
    "mean": lambda samples: np.full_like(samples, 1 / len(samples)),
    "sd": lambda samples: _equal_if_none(np.square(samples - samples.mean(axis=0))),
    "min": lambda samples: (samples == samples.min(axis=0)).astype(np.float64),
    "max": lambda samples: (samples == samples.max(axis=0)).astype(np.float64),
    "slope": _slope_weights,
    "energy": lambda samples: _equal_if_none(np.square(samples)),
    "last": lambda samples: _newest_weights(samples, 1.0),
    "change": lambda samples: _newest_weights(samples, -1.0, 1.0),
}
"""Weight or share of each sample of a window (window, d) in a statistic, by its name."""
