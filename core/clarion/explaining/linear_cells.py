"""Exact pull-back to raw cells: a quadratic score of linear features is quadratic in the cells.

With ``z = W x`` (affine in the raw cells ``x``), ``u = D z`` up to a constant and the score
``(u - c)' A (u - c)``, the Shapley values of the game whose players are the cells and whose
background are whole raw windows with mean ``m`` are

    phi_c = sum_j D_j W_jc ((x_c - m_c) g_j - sum_k A_jk Cov(u_k, x_c)),  g = A (u + mean(u) - 2 c),

which is SCIENCE 1's quadratic form with ``A_raw = W' D A D W``, never formed.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse

from clarion.arrays import FloatArray
from clarion.detectors import QuadraticForm
from clarion.explaining.background import Background, Positions
from clarion.explaining.pull_back import Cells
from clarion.frames import Frame
from clarion.pipeline.chain import Transformed


def derivative(done: Transformed, index: int) -> sparse.csr_array[Any] | None:
    """Return the derivative of one row of features by the raw cells; None if not all is linear.

    Shape ``(d, n_raw_rows * n_raw_signals)``.
    """
    d = len(done.frame.signals)
    whole: sparse.csr_array[Any] | None = None
    for stage in reversed(done.stages):
        width = len(stage.frame.signals)
        if whole is None:
            columns = np.arange(d) + index * d
            shape = (d, len(stage.frame) * width)
            whole = sparse.csr_array((np.ones(d), (np.arange(d), columns)), shape=shape)
        inner = _stage_derivative(stage, whole, width)
        if inner is None:
            return None
        whole = inner
    return whole


def exact_cells(
    done: Transformed,
    index: int,
    raw: Frame,
    positions: Positions,
    background: Background,
    detector: QuadraticForm,
) -> Cells | None:
    """Return the cells' Shapley values for one row of features; None if not all is linear.

    Nor is it where a value is so far out that a feature no longer follows it.
    """
    weights = derivative(done, index)
    if weights is None or raw.of_kind(numeric=False):
        return None
    columns = np.unique(weights.indices)
    row, signal = np.divmod(columns, len(raw.signals))
    lag = positions.lag(int(done.source_rows[index]), row)
    absent = background.lagged()[:, lag, signal]
    here = raw.values[row, signal].astype(np.float64)
    if np.isnan(here).any() or np.isnan(absent).any():
        return None
    slopes = coordinate_slopes(detector, background.rows)
    dense = slopes[:, None] * weights[:, columns].toarray()
    form = detector.quadratic()
    u = detector.coordinates(done.frame.take(slice(index, index + 1)))[0]
    u_absent = detector.coordinates(background.rows)
    mean, u_mean = absent.mean(axis=0), u_absent.mean(axis=0)
    if not _follows(dense, here - mean, u - u_mean):
        return None
    cross = (u_absent - u_mean).T @ (absent - mean) / len(absent)
    gradient = form.matrix @ (u + u_mean - 2 * form.center)
    parts = dense * ((here - mean)[None, :] * gradient[:, None] - form.matrix @ cross)
    return Cells(row, signal, np.asarray(parts.sum(axis=0)))


def _follows(slopes: FloatArray, cells: FloatArray, coordinates: FloatArray) -> bool:
    """Return whether the slopes make a row's coordinates of its cells, both as deviations."""
    with np.errstate(over="ignore", invalid="ignore"):
        gap = np.abs(slopes @ cells - coordinates)
        size = np.maximum(1.0, np.abs(slopes) @ np.abs(cells))
    return bool((gap <= 1e-9 * size).all() and np.isfinite(size).all())


def coordinate_slopes(detector: QuadraticForm, background: Frame) -> FloatArray:
    """Return the slope of each coordinate over its feature around the background, shape ``(d,)``."""
    values = background.numeric()
    middle = values.mean(axis=0)
    step = np.maximum(values.std(axis=0), 1e-3 * np.maximum(np.abs(middle), 1.0))
    both = background.take(slice(0, 1)).with_numeric(np.array([middle]))
    low = detector.coordinates(both)[0]
    high = detector.coordinates(both.with_numeric(np.array([middle + step])))[0]
    return np.asarray((high - low) / step)


def _stage_derivative(
    stage: Any, whole: sparse.csr_array[Any], width: int
) -> sparse.csr_array[Any] | None:
    """Return ``whole`` times the derivative of one stage; None where that is not linear."""
    total = None
    for row in np.unique(whole.indices // width):
        trace = stage.lineage.rows(int(row))
        block = whole[:, row * width : (row + 1) * width]
        used = np.unique(block.nonzero()[1])
        if not trace.linear[used].all():
            return None
        part = sparse.csr_array(block @ trace.weights)
        total = part if total is None else total + part
    return None if total is None else sparse.csr_array(total)
