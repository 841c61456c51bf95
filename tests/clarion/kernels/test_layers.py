from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit

from clarion.arrays import FloatArray
from clarion.kernels.dense import dense_layer
from clarion.kernels.recurrent import gru_last, lstm_last

RNG = np.random.default_rng(3)


def leaky(values: FloatArray, slope: float) -> FloatArray:
    return np.where(values < 0, slope * values, values)


@pytest.mark.parametrize("slope", [0.0, 0.2, 1.0])
def test_a_dense_layer_is_a_matrix_product(slope: float) -> None:
    rows, weights, biases = (RNG.normal(size=size) for size in ((9, 5), (5, 7), (7,)))
    expected = leaky(rows @ weights + biases, slope)
    np.testing.assert_allclose(dense_layer(rows, weights, biases, slope), expected, atol=1e-13)


def test_a_gru_follows_its_equations() -> None:
    windows, wide, high = RNG.normal(size=(6, 4, 3)), RNG.normal(size=(3, 15)), (5, 15)
    by_state, biases = RNG.normal(size=high), RNG.normal(size=(2, 15))
    expected = []
    for window in windows:
        state = np.zeros(5)
        for row in window:
            x, s = row @ wide + biases[0], state @ by_state + biases[1]
            reset, update = expit(x[:5] + s[:5]), expit(x[5:10] + s[5:10])
            new = np.tanh(x[10:] + reset * s[10:])
            state = (1 - update) * new + update * state
        expected.append(state)
    np.testing.assert_allclose(gru_last(windows, wide, by_state, biases), expected, atol=1e-13)


def test_an_lstm_follows_its_equations() -> None:
    windows, wide = RNG.normal(size=(6, 4, 3)), RNG.normal(size=(3, 20))
    by_state, biases = RNG.normal(size=(5, 20)), RNG.normal(size=(2, 20))
    expected = []
    for window in windows:
        state, cell = np.zeros(5), np.zeros(5)
        for row in window:
            gates = row @ wide + state @ by_state + biases.sum(axis=0)
            enters, stays, leaves = expit(gates[:5]), expit(gates[5:10]), expit(gates[15:])
            cell = stays * cell + enters * np.tanh(gates[10:15])
            state = leaves * np.tanh(cell)
        expected.append(state)
    np.testing.assert_allclose(lstm_last(windows, wide, by_state, biases), expected, atol=1e-13)


def test_every_layer_gives_a_row_the_same_bits_in_any_batch() -> None:
    rows, matrix = RNG.normal(size=(40, 13)), RNG.normal(size=(13, 11))
    windows = RNG.normal(size=(40, 4, 3))
    gru = [RNG.normal(size=size) for size in ((3, 18), (6, 18), (2, 18))]
    lstm = [RNG.normal(size=size) for size in ((3, 24), (6, 24), (2, 24))]

    def answers(part: slice) -> list[bytes]:
        outputs = (
            dense_layer(rows[part], matrix, np.ones(11), 0.1),
            lstm_last(windows[part], *lstm),
            gru_last(windows[part], *gru),
        )
        return [output[-1].tobytes() for output in outputs]

    whole = answers(slice(0, 40))
    for first in (0, 1, 17, 38, 39):
        assert answers(slice(first, 40)) == whole


def test_gates_saturate_without_a_warning() -> None:
    windows = np.array([[[1e9], [-1e9]]])
    with np.errstate(all="raise"):
        one = gru_last(windows, np.ones((1, 3)), np.ones((1, 3)), np.zeros((2, 3)))
        other = lstm_last(windows, np.ones((1, 4)), np.ones((1, 4)), np.zeros((2, 4)))
    assert np.abs(one).max() <= 1
    assert np.abs(other).max() <= 1
