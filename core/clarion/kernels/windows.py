"""Statistics over trailing windows, each window on its own: any cut of the rows gives the same bits."""

from __future__ import annotations

import numpy as np

from clarion.arrays import FloatArray, Int64Array
from clarion.kernels.compiled import kernel

STATISTICS = ("mean", "sd", "min", "max", "slope", "energy", "last", "change")
"""What `window_statistics` computes, in the order of its last axis."""


@kernel
def window_statistics(
    values: FloatArray, order: Int64Array, starts: Int64Array, window: int
) -> FloatArray:
    """Return the `STATISTICS` of each column in each window.

    Parameters
    ----------
    values
        Shape ``(n, d)``.
    order, starts
        Window i holds the rows ``order[starts[i] : starts[i] + window]`` of ``values``.
    window
        Rows in a window, at least 2.

    Returns
    -------
    FloatArray
        Shape ``(len(starts), d, 8)``: the sd divides by ``window``, the slope is least squares, the
        energy is the mean square, the change is that from the row before the last.
    """
    d = values.shape[1]
    out = np.empty((len(starts), d, 8))
    sums = np.empty((6, d))
    middle = (window - 1) / 2.0
    time_squares = window * (window * window - 1.0) / 12.0
    for i in range(len(starts)):
        first = order[starts[i]]
        before, last = order[starts[i] + window - 2], order[starts[i] + window - 1]
        sums[:] = 0.0
        for j in range(d):
            sums[2, j] = values[first, j]
            sums[3, j] = values[first, j]
        for k in range(window):
            row = order[starts[i] + k]
            for j in range(d):
                value = values[row, j]
                # From the first value on: a constant window has sd and slope 0, not rounding.
                sums[0, j] += value - values[first, j]
                sums[2, j] = min(sums[2, j], value)
                sums[3, j] = max(sums[3, j], value)
                sums[4, j] += (k - middle) * (value - values[first, j])
                sums[5, j] += value * value
        for j in range(d):
            sums[0, j] /= window
        for k in range(window):
            row = order[starts[i] + k]
            for j in range(d):
                deviation = values[row, j] - values[first, j] - sums[0, j]
                sums[1, j] += deviation * deviation
        for j in range(d):
            out[i, j, 0] = values[first, j] + sums[0, j]
            out[i, j, 1] = np.sqrt(sums[1, j] / window)
            out[i, j, 2] = sums[2, j]
            out[i, j, 3] = sums[3, j]
            out[i, j, 4] = sums[4, j] / time_squares
            out[i, j, 5] = sums[5, j] / window
            out[i, j, 6] = values[last, j]
            out[i, j, 7] = values[last, j] - values[before, j]
    return out
