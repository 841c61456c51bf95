"""Recurrent layers, sequence by sequence: the state after the last row."""

from __future__ import annotations

import numpy as np

from clarion.arrays import FloatArray
from clarion.kernels.compiled import kernel


@kernel
def sigmoid(value: float) -> float:
    """Return ``1 / (1 + exp(-value))``."""
    # exp overflows to infinity far below 0, where the sigmoid is 0.
    return 1.0 / (1.0 + float(np.exp(-value)))


@kernel
def affine(row: FloatArray, weights: FloatArray, biases: FloatArray, out: FloatArray) -> None:
    """Write ``row weights + biases`` into ``out``."""
    for k in range(len(out)):
        out[k] = biases[k]
    for j in range(len(row)):
        for k in range(len(out)):
            out[k] += row[j] * weights[j, k]


@kernel
def gru_last(
    windows: FloatArray, by_input: FloatArray, by_state: FloatArray, biases: FloatArray
) -> FloatArray:
    """Return a GRU's state after each window, shape ``(n, h)``, from a state of 0.

    With torch's gates: ``r, z = sigmoid(x W + a + s U + b)``, ``c = tanh(x W + a + r (s U + b))``,
    ``s' = (1 - z) c + z s``: Cho et al. (2014), EMNLP, eqs. 5-8.

    Parameters
    ----------
    windows
        Shape ``(n, t, d)``, the oldest row first.
    by_input, by_state, biases
        Shapes ``(d, 3 h)``, ``(h, 3 h)`` and ``(2, 3 h)`` (a and b); gates in the order r, z, c.
    """
    n, steps, _ = windows.shape
    h = by_state.shape[0]
    out = np.zeros((n, h))
    given = np.empty(3 * h)
    kept = np.empty(3 * h)
    for i in range(n):
        state = out[i]
        for t in range(steps):
            affine(windows[i, t], by_input, biases[0], given)
            affine(state, by_state, biases[1], kept)
            for k in range(h):
                reset = sigmoid(given[k] + kept[k])
                update = sigmoid(given[h + k] + kept[h + k])
                new = np.tanh(given[2 * h + k] + reset * kept[2 * h + k])
                state[k] = (1.0 - update) * new + update * state[k]
    return out


@kernel
def lstm_last(
    windows: FloatArray, by_input: FloatArray, by_state: FloatArray, biases: FloatArray
) -> FloatArray:
    """Return an LSTM's output after each window, shape ``(n, h)``, from a state of 0.

    Hochreiter & Schmidhuber (1997), Neural Computation 9(8), with the forget gate of Gers,
    Schmidhuber & Cummins (2000), Neural Computation 12(10).

    Parameters
    ----------
    windows
        Shape ``(n, t, d)``, the oldest row first.
    by_input, by_state, biases
        Shapes ``(d, 4 h)``, ``(h, 4 h)`` and ``(2, 4 h)``, which add up; gates in torch's order:
        input, forget, cell, output.
    """
    n, steps, _ = windows.shape
    h = by_state.shape[0]
    out = np.zeros((n, h))
    given = np.empty(4 * h)
    kept = np.empty(4 * h)
    cell = np.empty(h)
    for i in range(n):
        state = out[i]
        cell[:] = 0.0
        for t in range(steps):
            affine(windows[i, t], by_input, biases[0], given)
            affine(state, by_state, biases[1], kept)
            for k in range(h):
                enters = sigmoid(given[k] + kept[k])
                stays = sigmoid(given[h + k] + kept[h + k])
                new = np.tanh(given[2 * h + k] + kept[2 * h + k])
                leaves = sigmoid(given[3 * h + k] + kept[3 * h + k])
                cell[k] = stays * cell[k] + enters * new
                state[k] = leaves * np.tanh(cell[k])
    return out
