"""Recurrent layers run backwards through time: Werbos (1990), Proceedings of the IEEE 78(10)."""

from __future__ import annotations

import numpy as np

from clarion.arrays import FloatArray
from clarion.kernels.compiled import kernel
from clarion.kernels.recurrent import affine, sigmoid


@kernel
def gru_back(
    windows: FloatArray,
    by_input: FloatArray,
    by_state: FloatArray,
    biases: FloatArray,
    by_last: FloatArray,
) -> FloatArray:
    """Return gradients by ``windows``, in their shape, from those by a GRU's last state.

    Parameters
    ----------
    windows, by_input, by_state, biases
        As in `recurrent.gru_last`.
    by_last
        Shape ``(n, h)``.
    """
    n, steps, _ = windows.shape
    h = by_state.shape[0]
    out = np.empty(windows.shape)
    given, kept = np.empty(3 * h), np.empty((steps, 3 * h))
    gates, states = np.empty((steps, 3 * h)), np.zeros((steps + 1, h))
    by_given, by_kept = np.empty(3 * h), np.empty(3 * h)
    by_now, by_then = np.empty(h), np.empty(h)
    for i in range(n):
        for t in range(steps):
            affine(windows[i, t], by_input, biases[0], given)
            affine(states[t], by_state, biases[1], kept[t])
            for k in range(h):
                gates[t, k] = sigmoid(given[k] + kept[t, k])
                gates[t, h + k] = sigmoid(given[h + k] + kept[t, h + k])
                new = np.tanh(given[2 * h + k] + gates[t, k] * kept[t, 2 * h + k])
                gates[t, 2 * h + k] = new
                update = gates[t, h + k]
                states[t + 1, k] = (1.0 - update) * new + update * states[t, k]
        by_now[:] = by_last[i]
        for t in range(steps - 1, -1, -1):
            for k in range(h):
                reset, update, new = gates[t, k], gates[t, h + k], gates[t, 2 * h + k]
                by_new = by_now[k] * (1.0 - update) * (1.0 - new * new)
                by_update = by_now[k] * (states[t, k] - new) * update * (1.0 - update)
                by_reset = by_new * kept[t, 2 * h + k] * reset * (1.0 - reset)
                by_given[k], by_given[h + k], by_given[2 * h + k] = by_reset, by_update, by_new
                by_kept[k], by_kept[h + k], by_kept[2 * h + k] = by_reset, by_update, by_new * reset
            _through(by_given, by_input, out[i, t])
            _through(by_kept, by_state, by_then)
            for k in range(h):
                by_now[k] = by_then[k] + by_now[k] * gates[t, h + k]
    return out


@kernel
def lstm_back(
    windows: FloatArray,
    by_input: FloatArray,
    by_state: FloatArray,
    biases: FloatArray,
    by_last: FloatArray,
) -> FloatArray:
    """Return gradients by ``windows``, in their shape, from those by an LSTM's last output.

    Parameters
    ----------
    windows, by_input, by_state, biases
        As in `recurrent.lstm_last`.
    by_last
        Shape ``(n, h)``.
    """
    n, steps, _ = windows.shape
    h = by_state.shape[0]
    out = np.empty(windows.shape)
    given, kept, gates = np.empty(4 * h), np.empty(4 * h), np.empty((steps, 4 * h))
    cells, states = np.zeros((steps + 1, h)), np.zeros((steps + 1, h))
    by_gates, by_now, by_cell = np.empty(4 * h), np.empty(h), np.empty(h)
    for i in range(n):
        for t in range(steps):
            affine(windows[i, t], by_input, biases[0], given)
            affine(states[t], by_state, biases[1], kept)
            for k in range(h):
                enters = sigmoid(given[k] + kept[k])
                stays = sigmoid(given[h + k] + kept[h + k])
                new = np.tanh(given[2 * h + k] + kept[2 * h + k])
                leaves = sigmoid(given[3 * h + k] + kept[3 * h + k])
                gates[t, k], gates[t, h + k] = enters, stays
                gates[t, 2 * h + k], gates[t, 3 * h + k] = new, leaves
                cells[t + 1, k] = stays * cells[t, k] + enters * new
                states[t + 1, k] = leaves * np.tanh(cells[t + 1, k])
        by_now[:] = by_last[i]
        by_cell[:] = 0.0
        for t in range(steps - 1, -1, -1):
            for k in range(h):
                enters, stays = gates[t, k], gates[t, h + k]
                new, leaves = gates[t, 2 * h + k], gates[t, 3 * h + k]
                shown = np.tanh(cells[t + 1, k])
                by_cell[k] += by_now[k] * leaves * (1.0 - shown * shown)
                by_gates[k] = by_cell[k] * new * enters * (1.0 - enters)
                by_gates[h + k] = by_cell[k] * cells[t, k] * stays * (1.0 - stays)
                by_gates[2 * h + k] = by_cell[k] * enters * (1.0 - new * new)
                by_gates[3 * h + k] = by_now[k] * shown * leaves * (1.0 - leaves)
                by_cell[k] *= stays
            _through(by_gates, by_input, out[i, t])
            _through(by_gates, by_state, by_now)
    return out


@kernel
def _through(by_sums: FloatArray, weights: FloatArray, out: FloatArray) -> None:
    """Write ``weights by_sums`` into ``out``."""
    for j in range(len(out)):
        total = 0.0
        for k in range(len(by_sums)):
            total += weights[j, k] * by_sums[k]
        out[j] = total
