"""RNN: how far a row is from what a network with a memory foretells from the last rows."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np

from clarion.arrays import BoolArray, FloatArray
from clarion.detectors import DetectorKind, DetectorTraits
from clarion.errors import ArtifactCorruptError
from clarion.features import FitContext
from clarion.frames import Frame
from clarion.kernels.recurrent import gru_last, lstm_last
from clarion.kernels.recurrent_gradients import gru_back, lstm_back
from clarion.parameters import parameter
from clarion.state import State
from clarion_detectors.forecast_score import FittedForecaster, Forecaster, ForecastNetwork
from clarion_detectors.network_gradients import Pull, dense_pulled
from clarion_detectors.networks import (
    Shapes,
    dense,
    dense_shapes,
    dense_tensor,
    started,
    stored_size,
)
from clarion_detectors.training import torch

_GATES = {"lstm": 4, "gru": 3}
_LAST = {"lstm": lstm_last, "gru": gru_last}
_BACK = {"lstm": lstm_back, "gru": gru_back}
_GIVEN = ("input.weights", "memory.weights", "gates.biases")
"""What the kernels are given of the weights, in their order."""
_IN_TORCH = {
    "weight_ih_l0": "input.weights",
    "weight_hh_l0": "memory.weights",
}


@dataclass(frozen=True, slots=True)
class Recurrence:
    """One layer of ``width`` LSTM or GRU cells, then one linear layer."""

    cell: str
    width: int

    def values(self) -> dict[str, Any]:
        """Return the form as JSON values."""
        return {"cell": self.cell, "width": self.width}

    @classmethod
    def of_state(cls, state: State) -> Self:
        """Return the form among the parameters of ``state``."""
        cell = state.parameter("cell", str)
        if cell not in _GATES:
            raise ArtifactCorruptError(f"the state's 'cell' is {cell!r:.80}, neither lstm nor gru")
        return cls(cell, stored_size(state, "width"))

    def shapes(self, d: int, lags: int) -> Shapes:
        """Return the shapes of the weights."""
        gates = _GATES[self.cell] * self.width
        return {
            "input.weights": (d, gates),
            "memory.weights": (self.width, gates),
            "gates.biases": (2, gates),
            **dense_shapes("head", (self.width, d)),
        }

    def units(self, d: int, lags: int) -> int:
        """Return how many numbers are computed for one row."""
        return lags * (_GATES[self.cell] + 2) * self.width + d

    def started(self, d: int, lags: int, rng: np.random.Generator) -> dict[str, FloatArray]:
        """Return weights to start training from: even ones for the gates, as torch's."""
        weights, bound = started(self.shapes(d, lags), rng), 1.0 / math.sqrt(self.width)
        for name in ("input.weights", "memory.weights"):
            weights[name] = rng.uniform(-bound, bound, weights[name].shape)
        return weights

    def forecast(self, weights: Mapping[str, FloatArray], past: FloatArray) -> FloatArray:
        """Return the forecast, each row on its own."""
        return dense(weights, "head", self._last(weights, past))

    def forecast_pulled(
        self, weights: Mapping[str, FloatArray], past: FloatArray
    ) -> tuple[FloatArray, Pull]:
        """Return the forecast, and the way back."""
        forecast, by_last = dense_pulled(weights, "head", self._last(weights, past))
        by_input, by_state, biases = (weights[name] for name in _GIVEN)

        def back(by_forecast: FloatArray) -> FloatArray:
            by_outputs = by_last(by_forecast)
            return _BACK[self.cell](past, by_input, by_state, biases, by_outputs)

        return forecast, back

    def _last(self, weights: Mapping[str, FloatArray], past: FloatArray) -> FloatArray:
        """Return the cells' outputs after ``past`` (n, lags, d), shape ``(n, width)``."""
        given = (weights[name] for name in _GIVEN)
        return _LAST[self.cell](np.ascontiguousarray(past), *given)

    def forecast_tensor(self, weights: Mapping[str, Any], past: Any) -> Any:
        """Return the same, of tensors."""
        library = torch()
        kinds = {"lstm": library.nn.LSTM, "gru": library.nn.GRU}
        d, biases = past.shape[2], weights["gates.biases"]
        # Without weights of its own: the layer is a function, which torch has compiled for GPUs.
        layer = kinds[self.cell](d, self.width, batch_first=True, device="meta")
        given = {place: weights[name].T for place, name in _IN_TORCH.items()}
        given |= {"bias_ih_l0": biases[0], "bias_hh_l0": biases[1]}
        outputs, _ = library.func.functional_call(layer, given, (past,))
        return dense_tensor(weights, "head", outputs[:, -1])


@dataclass(frozen=True, slots=True, eq=False)
class FittedRnn(FittedForecaster):
    """A forecaster of recurrent cells."""

    form: ClassVar[type[ForecastNetwork]] = Recurrence


@dataclass(frozen=True, slots=True, kw_only=True)
class Rnn(Forecaster):
    """Squared error of an LSTM's or a GRU's one-step forecast."""

    traits: ClassVar[DetectorTraits] = DetectorTraits(
        kind=DetectorKind.SEQUENCE,
        ordered=True,
        paper="Malhotra et al. (2015), Long Short Term Memory Networks for Anomaly Detection in "
        "Time Series, ESANN, errors unweighted",
    )
    fitted: ClassVar[type[FittedForecaster]] = FittedRnn

    cell: str = parameter(
        "lstm", "Kind of the cells: with long short-term memory, or gated.", choices=("lstm", "gru")
    )
    width: int = parameter(32, "Number of cells.", minimum=1, maximum=4096)

    def fit(self, frame: Frame, labels: BoolArray | None, context: FitContext) -> FittedForecaster:
        """Train the network on normal rows.

        Raises
        ------
        TooFewRowsError
            Series not longer than the window, or fewer than 10 windows.
        LimitExceededError
            The network does not fit this machine's memory.
        MissingExtraError
            Torch is not installed.
        """
        return self.trained(FittedRnn, Recurrence(self.cell, self.width), frame, context)
