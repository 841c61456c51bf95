"""Autoencoders of one layer of sigmoid units, trained a row at a time: KitNET's parts."""

from __future__ import annotations

import numpy as np

from clarion.arrays import FloatArray
from clarion.kernels.compiled import kernel


@kernel
def _encode(row: FloatArray, weights: FloatArray, biases: FloatArray, out: FloatArray) -> None:
    for k in range(len(out)):
        out[k] = biases[k]
    for j in range(len(row)):
        for k in range(len(out)):
            out[k] += row[j] * weights[j, k]
    for k in range(len(out)):
        out[k] = 1.0 / (1.0 + np.exp(-out[k]))


@kernel
def _lacking(
    row: FloatArray, code: FloatArray, weights: FloatArray, biases: FloatArray, out: FloatArray
) -> None:
    """Write ``row`` minus its copy from ``code`` into ``out``."""
    for j in range(len(row)):
        total = biases[j]
        for k in range(len(code)):
            total += code[k] * weights[j, k]
        out[j] = row[j] - 1.0 / (1.0 + np.exp(-total))


@kernel
def copy_errors(
    rows: FloatArray, weights: FloatArray, inner: FloatArray, outer: FloatArray
) -> FloatArray:
    """Return the root mean square error of each row's copy, shape ``(n,)``.

    Parameters
    ----------
    rows
        Shape ``(n, m)``, meant to lie in [0, 1].
    weights, inner, outer
        Shapes ``(m, h)``, ``(h,)`` and ``(m,)``: ``code = sigmoid(row weights + inner)``,
        ``copy = sigmoid(code weights' + outer)``.
    """
    n, m = rows.shape
    out = np.empty(n)
    code = np.empty(len(inner))
    lacking = np.empty(m)
    for i in range(n):
        _encode(rows[i], weights, inner, code)
        _lacking(rows[i], code, weights, outer, lacking)
        total = 0.0
        for j in range(m):
            total += lacking[j] * lacking[j]
        out[i] = np.sqrt(total / m)
    return out


@kernel
def copied_rows(
    rows: FloatArray, weights: FloatArray, inner: FloatArray, outer: FloatArray
) -> FloatArray:
    """Return the copies of ``rows`` themselves, shape ``(n, m)``; the arrays are those of `copy_errors`."""
    n, m = rows.shape
    out = np.empty((n, m))
    code = np.empty(len(inner))
    lacking = np.empty(m)
    for i in range(n):
        _encode(rows[i], weights, inner, code)
        _lacking(rows[i], code, weights, outer, lacking)
        for j in range(m):
            out[i, j] = rows[i, j] - lacking[j]
    return out


@kernel
def copy_error_gradients(
    rows: FloatArray, weights: FloatArray, inner: FloatArray, outer: FloatArray
) -> FloatArray:
    """Return the gradients of `copy_errors` by ``rows`` (n, m), in their shape.

    Where a copy has no error at all, the error's kink, they are 0.
    """
    n, m = rows.shape
    out = np.zeros((n, m))
    code = np.empty(len(inner))
    blame = np.empty(len(inner))
    lacking = np.empty(m)
    for i in range(n):
        _encode(rows[i], weights, inner, code)
        _lacking(rows[i], code, weights, outer, lacking)
        total = 0.0
        for j in range(m):
            total += lacking[j] * lacking[j]
        if total == 0.0:
            continue
        blame[:] = 0.0
        for j in range(m):
            copied = rows[i, j] - lacking[j]
            for k in range(len(code)):
                blame[k] += lacking[j] * copied * (1.0 - copied) * weights[j, k]
        for k in range(len(code)):
            blame[k] *= code[k] * (1.0 - code[k])
        for j in range(m):
            by_input = lacking[j]
            for k in range(len(code)):
                by_input -= blame[k] * weights[j, k]
            out[i, j] = by_input / np.sqrt(total * m)
    return out


@kernel
def copy_pass(
    rows: FloatArray, weights: FloatArray, inner: FloatArray, outer: FloatArray, rate: float
) -> None:
    """Learn from each row in turn, in place: a step down the cross-entropy of its copy.

    Vincent et al. (2008), Extracting and Composing Robust Features with Denoising Autoencoders,
    ICML, without the noise.

    Parameters
    ----------
    rate
        Size of a step.
    """
    n, m = rows.shape
    code = np.empty(len(inner))
    blame = np.empty(len(inner))
    lacking = np.empty(m)
    for i in range(n):
        _encode(rows[i], weights, inner, code)
        _lacking(rows[i], code, weights, outer, lacking)
        for k in range(len(code)):
            total = 0.0
            for j in range(m):
                total += lacking[j] * weights[j, k]
            blame[k] = total * code[k] * (1.0 - code[k])
        for j in range(m):
            for k in range(len(code)):
                weights[j, k] += rate * (rows[i, j] * blame[k] + lacking[j] * code[k])
            outer[j] += rate * lacking[j]
        for k in range(len(code)):
            inner[k] += rate * blame[k]
