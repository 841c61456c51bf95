"""How far a row is from what a network foretold from the rows before it: what cnn and rnn fit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, Self

import numpy as np

from clarion.arrays import FloatArray, Int32Array, Int64Array
from clarion.features import Features, FitContext
from clarion.frames import Frame, Signal
from clarion.inputs import complete, require_rows, robust_scale, scaled
from clarion.kernels.sums import row_sums
from clarion.parameters import parameter
from clarion.state import State, signal_values
from clarion_detectors.lags import LagWindow, lag_rows
from clarion_detectors.network_gradients import Pull
from clarion_detectors.networks import Shapes, restored, size_of, stored_size
from clarion_detectors.training import Trained, require_training_memory

_VERSION = 1
_FEWEST_WINDOWS = 10
_REACH = 10.0
"""Deviations that the network is shown at most, in scales; it learned nothing of larger ones."""
_BLOCK = 2048
"""Rows forecast at once, which bounds the memory that layers take."""


class ForecastNetwork(Protocol):
    """The form of a network: frozen, its weights kept apart.

    From the rows before each, ``past`` (n, lags, d), oldest first, it foretells ``(n, d)``.
    """

    def values(self) -> dict[str, Any]:
        """Return its form as JSON values."""
        ...

    @classmethod
    def of_state(cls, state: State) -> Self:
        """Return the form whose checked `values` are among the parameters of ``state``."""
        ...

    def shapes(self, d: int, lags: int) -> Shapes:
        """Return the shapes of its weights."""
        ...

    def units(self, d: int, lags: int) -> int:
        """Return how many numbers it computes for one row."""
        ...

    def started(self, d: int, lags: int, rng: np.random.Generator) -> dict[str, FloatArray]:
        """Return weights to start training from."""
        ...

    def forecast(self, weights: Mapping[str, FloatArray], past: FloatArray) -> FloatArray:
        """Return the forecast, each row on its own."""
        ...

    def forecast_pulled(
        self, weights: Mapping[str, FloatArray], past: FloatArray
    ) -> tuple[FloatArray, Pull]:
        """Return the forecast and the way back, from gradients (n, d) to those by ``past``."""
        ...

    def forecast_tensor(self, weights: Mapping[str, Any], past: Any) -> Any:
        """Return the same, of tensors."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class FittedForecaster:
    """A network over ``window``, in the coordinates ``u = (x - center) / scale``.

    Attributes
    ----------
    center, scale
        Shape ``(d,)``, in each signal's unit.
    weights
        By name, as `ForecastNetwork.shapes` lays them out.
    """

    form: ClassVar[type[ForecastNetwork]]

    window: LagWindow
    center: FloatArray
    scale: FloatArray
    network: ForecastNetwork
    weights: Mapping[str, FloatArray]

    @property
    def inputs(self) -> tuple[Signal, ...]:
        """Signals of the frames to unroll."""
        return self.window.inputs

    @property
    def signals(self) -> tuple[Signal, ...]:
        """Each input at each lag."""
        return self.window.signals

    @property
    def reads(self) -> dict[str, tuple[str, ...]]:
        """Each unrolled signal reads the input it is named after."""
        return self.window.reads

    def start(self) -> State:
        """Return the memory of an asset never seen: no rows."""
        return self.window.start()

    def unroll(self, memory: State, frame: Frame) -> tuple[Features, State]:
        """Return each row that has ``lags`` rows before it together with them."""
        return self.window.unroll(memory, frame)

    def residuals(self, frame: Frame) -> FloatArray:
        """Return ``u`` minus its forecast, shape ``(n, d)``, in scales; ``frame`` is unrolled."""
        windows = self.window.windows(frame)
        parts = [self._residuals(windows[i : i + _BLOCK]) for i in range(0, len(windows), _BLOCK)]
        return np.concatenate([np.empty((0, len(self.inputs))), *parts])

    def score(self, frame: Frame) -> FloatArray:
        """Return the sum of the squared residuals, shape ``(n,)``: >= 0, unitless.

        Raises
        ------
        SignalMismatchError, InvalidFrameError
            Other signals than `unroll` returns, or a missing cell.
        """
        return row_sums(np.square(self.residuals(frame)))

    def coordinates(self, frame: Frame) -> FloatArray:
        """Return ``u`` as the network is shown it, and that of the row itself, ``frame``'s shape."""
        windows = self.window.windows(frame)
        return self._shown(windows).reshape(len(windows), -1)

    def gradients(self, points: FloatArray) -> FloatArray:
        """Return the gradients of the score by ``u`` at ``points`` (n, (lags + 1) d), their shape."""
        windows = points.reshape(len(points), self.window.lags + 1, -1)
        parts = [self._gradients(windows[i : i + _BLOCK]) for i in range(0, len(windows), _BLOCK)]
        return np.concatenate([np.empty((0, points.shape[1])), *parts])

    def _residuals(self, windows: FloatArray) -> FloatArray:
        points = self._shown(windows)
        return points[:, -1] - self.network.forecast(self.weights, points[:, :-1])

    def _gradients(self, points: FloatArray) -> FloatArray:
        past = np.ascontiguousarray(points[:, :-1])
        forecast, pull = self.network.forecast_pulled(self.weights, past)
        by_residuals = 2.0 * (points[:, -1] - forecast)
        by_past = -pull(by_residuals)
        return np.concatenate([by_past, by_residuals[:, None]], axis=1).reshape(len(points), -1)

    def _shown(self, windows: FloatArray) -> FloatArray:
        """Return ``u`` of windows (n, lags + 1, d), the past within the network's reach."""
        points = scaled(windows, self.center, self.scale)
        points[:, :-1] = np.clip(points[:, :-1], -_REACH, _REACH)
        return points

    def state(self) -> State:
        """Return all that was learned."""
        parameters = {"inputs": signal_values(self.inputs), "lags": self.window.lags}
        arrays = {"center": self.center, "scale": self.scale, **self.weights}
        return State(_VERSION, parameters | self.network.values(), arrays)

    @classmethod
    def from_state(cls, state: State) -> Self:
        """Return the fitted detector that ``state`` describes."""
        inputs = state.require(_VERSION).signals("inputs")
        lags, network = stored_size(state, "lags"), cls.form.of_state(state)
        center, scale = (state.array(name, (len(inputs),)) for name in ("center", "scale"))
        weights = restored(network.shapes(len(inputs), lags), state)
        return cls(LagWindow(inputs, lags), center, scale, network, weights)


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecaster(Trained):
    """What the forecasters have in common: the window, and how they are fitted."""

    lags: int = parameter(
        10, "Earlier rows that foretell a row.", minimum=1, maximum=1000, unit="rows"
    )
    epochs: int = parameter(
        30, "Passes over the rows, at most.", minimum=1, maximum=100_000, unit="passes"
    )

    def trained(
        self,
        fitted: type[FittedForecaster],
        network: ForecastNetwork,
        frame: Frame,
        context: FitContext,
    ) -> FittedForecaster:
        """Train ``network`` on every window of ``frame``; the last ones of each asset are held back.

        Raises
        ------
        TooFewRowsError
            No asset has more rows than ``lags``, or fewer than 10 windows in all.
        LimitExceededError
            The network does not fit this machine's memory.
        MissingExtraError
            Torch is not installed.
        """
        values, d = complete(frame, frame.signals), len(frame.signals)
        rows = lag_rows(frame, self.lags)
        require_rows(len(rows), _FEWEST_WINDOWS, "a forecaster, of whole windows,")
        size, units = size_of(network.shapes(d, self.lags)), network.units(d, self.lags)
        require_training_memory(size, units, values.size + rows.size, self.batch_rows)
        center, scale = robust_scale(values)
        points = np.clip(scaled(values, center, scale), -_REACH, _REACH)

        def loss(weights: Mapping[str, Any], data: Mapping[str, Any], batch: Any) -> Any:
            windows = data["points"][data["rows"][batch]]
            past, now = windows[:, :-1], windows[:, -1]
            forecast = network.forecast_tensor(weights, past)
            return (forecast - now).square().sum(1).mean()

        initial = network.started(d, self.lags, context.rng)
        parts = self._last_of_each_asset(frame.asset_index()[rows[:, -1]])
        weights = self.train(initial, loss, {"points": points, "rows": rows}, parts, context)
        return fitted(LagWindow(frame.signals, self.lags), center, scale, network, weights)

    def _last_of_each_asset(self, assets: Int32Array) -> tuple[Int64Array, Int64Array]:
        """Return windows to learn from and windows held back; ``assets`` (m,) are in one piece each."""
        parts = [np.flatnonzero(assets == asset) for asset in np.unique(assets)]
        split = [[part[chosen] for chosen in self.split(len(part), None)] for part in parts]
        learned, held_back = (np.concatenate(both) for both in zip(*split, strict=True))
        return learned, held_back
