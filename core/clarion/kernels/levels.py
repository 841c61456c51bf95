"""Rows of many groups on one level: each cell by the center and scale of its row's group."""

from __future__ import annotations

import numpy as np

from clarion.arrays import FloatArray, Int64Array
from clarion.inputs import SATURATION
from clarion.kernels.compiled import kernel

_LARGEST = float(np.finfo(np.float64).max)


@kernel
def levelled(
    values: FloatArray,
    codes: Int64Array,
    center: FloatArray,
    scale: FloatArray,
    middle: FloatArray,
    unit: FloatArray,
) -> FloatArray:
    """Return ``middle + unit (x - center) / scale`` of each cell; a missing one stays missing.

    Parameters
    ----------
    values
        Shape ``(n, d)``.
    codes
        Shape ``(n,)``: each row's group, a row of ``center`` and ``scale``.
    center, scale
        Shape ``(n_groups, d)``; scales are positive.
    middle, unit
        Shape ``(d,)``.

    Returns
    -------
    FloatArray
        Shape ``(n, d)``, finite: beyond `clarion.inputs.SATURATION` scales a cell counts as so many.
    """
    out = np.empty(values.shape)
    for i in range(values.shape[0]):
        group = codes[i]
        for j in range(values.shape[1]):
            deviation = (values[i, j] - center[group, j]) / scale[group, j]
            if deviation > SATURATION:
                deviation = SATURATION
            elif deviation < -SATURATION:
                deviation = -SATURATION
            cell = middle[j] + unit[j] * deviation
            if cell > _LARGEST:
                cell = _LARGEST
            elif cell < -_LARGEST:
                cell = -_LARGEST
            out[i, j] = cell
    return out
