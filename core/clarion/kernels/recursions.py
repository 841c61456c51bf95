"""Recursions over time, which carry a memory from row to row."""

from __future__ import annotations

import numpy as np

from clarion.arrays import FloatArray
from clarion.kernels.compiled import kernel


@kernel
def standardised_ewma(
    points: FloatArray, weight: float, last: FloatArray, rows_before: int
) -> tuple[FloatArray, FloatArray]:
    """Return the EWMA of each column divided by its standard deviation, (n, d), and its last value.

    With z_0 = 0 and independent points of variance 1, ``z_t = weight u_t + (1 - weight) z_{t-1}``
    has the variance ``weight / (2 - weight) (1 - (1 - weight)^(2 t))``: Lucas & Saccucci (1990),
    Technometrics 32(1), p. 2.

    Parameters
    ----------
    points
        Rows in time order, shape ``(n, d)``.
    weight
        In (0, 1].
    last, rows_before
        The EWMA ``(d,)`` after the ``rows_before`` rows already seen.
    """
    n, d = points.shape
    out = np.empty((n, d))
    ewma = last.copy()
    for i in range(n):
        grown = 1.0 - (1.0 - weight) ** (2.0 * (rows_before + i + 1))
        deviation = np.sqrt(weight / (2.0 - weight) * grown)
        for j in range(d):
            ewma[j] = weight * points[i, j] + (1.0 - weight) * ewma[j]
            out[i, j] = ewma[j] / deviation
    return out, ewma
