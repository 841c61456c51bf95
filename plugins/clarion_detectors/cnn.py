"""CNN: how far a row is from what filters over the last rows foretell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np

from clarion.arrays import BoolArray, FloatArray
from clarion.detectors import DetectorKind, DetectorTraits
from clarion.features import FitContext
from clarion.frames import Frame
from clarion.parameters import parameter
from clarion.state import State
from clarion_detectors.forecast_score import FittedForecaster, Forecaster, ForecastNetwork
from clarion_detectors.network_gradients import Pull, dense_pulled, filtered_pulled
from clarion_detectors.networks import (
    SLOPE,
    Shapes,
    dense,
    dense_shapes,
    dense_tensor,
    filter_shapes,
    filtered,
    filtered_tensor,
    started,
    stored_sizes,
)

_WIDTH = 3
"""Rows that a filter spans."""


@dataclass(frozen=True, slots=True)
class Convolutions:
    """Layers of so many ``filters`` along time, over all signals, then one linear layer."""

    filters: tuple[int, ...]

    def values(self) -> dict[str, Any]:
        """Return the form as JSON values."""
        return {"filters": list(self.filters)}

    @classmethod
    def of_state(cls, state: State) -> Self:
        """Return the form among the parameters of ``state``."""
        return cls(tuple(stored_sizes(state, "filters")))

    def shapes(self, d: int, lags: int) -> Shapes:
        """Return the shapes of the weights."""
        channels = (d, *self.filters)
        filters = filter_shapes("filter", channels, (1, _WIDTH))
        return filters | dense_shapes("head", (channels[-1] * lags, d))

    def units(self, d: int, lags: int) -> int:
        """Return how many numbers are computed for one row."""
        return lags * sum(self.filters) + d

    def started(self, d: int, lags: int, rng: np.random.Generator) -> dict[str, FloatArray]:
        """Return weights to start training from."""
        return started(self.shapes(d, lags), rng)

    def forecast(self, weights: Mapping[str, FloatArray], past: FloatArray) -> FloatArray:
        """Return the forecast, each row on its own: signals are channels of an image of one line."""
        images = past[:, None]
        for i in range(len(self.filters)):
            images = filtered(weights, f"filter{i}", images, 1, SLOPE)
        return dense(weights, "head", images.reshape(len(past), -1))

    def forecast_pulled(
        self, weights: Mapping[str, FloatArray], past: FloatArray
    ) -> tuple[FloatArray, Pull]:
        """Return the forecast, and the way back."""
        images, pulls = past[:, None], []
        for i in range(len(self.filters)):
            images, pull = filtered_pulled(weights, f"filter{i}", images, 1, SLOPE)
            pulls.append(pull)
        forecast, by_flat = dense_pulled(weights, "head", images.reshape(len(past), -1))

        def back(by_forecast: FloatArray) -> FloatArray:
            by_images = by_flat(by_forecast).reshape(images.shape)
            for pull in reversed(pulls):
                by_images = pull(by_images)
            return by_images[:, 0]

        return forecast, back

    def forecast_tensor(self, weights: Mapping[str, Any], past: Any) -> Any:
        """Return the same, of tensors."""
        images = past.swapaxes(1, 2)[:, :, None, :]
        for i in range(len(self.filters)):
            images = filtered_tensor(weights, f"filter{i}", images, 1, SLOPE)
        return dense_tensor(weights, "head", images.swapaxes(1, 3).flatten(1))


@dataclass(frozen=True, slots=True, eq=False)
class FittedCnn(FittedForecaster):
    """A forecaster of convolutions."""

    form: ClassVar[type[ForecastNetwork]] = Convolutions


@dataclass(frozen=True, slots=True, kw_only=True)
class Cnn(Forecaster):
    """Squared error of a convolutional network's one-step forecast."""

    traits: ClassVar[DetectorTraits] = DetectorTraits(
        kind=DetectorKind.SEQUENCE,
        ordered=True,
        paper="Munir et al. (2019), DeepAnT, IEEE Access 7, without its pooling layers",
    )
    fitted: ClassVar[type[FittedForecaster]] = FittedCnn

    filters: tuple[int, ...] = parameter(
        (32, 32), "Filters of each layer, each three rows long.", minimum=1, maximum=1024
    )

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
        return self.trained(FittedCnn, Convolutions(self.filters), frame, context)
