"""A quadratic form of lag windows: what the linear forecasters and window subspaces fit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from clarion.arrays import FloatArray
from clarion.detectors import Quadratic
from clarion.errors import LimitExceededError
from clarion.features import Features
from clarion.frames import Frame, Signal
from clarion.inputs import complete, require_rows, robust_scale, scaled
from clarion.state import State, nested, signal_values, unnested
from clarion_detectors.lags import LagWindow, lag_rows
from clarion_detectors.quadratic_score import FittedQuadratic

_VERSION = 1
MAX_CELLS = 2_000
"""Cells of a window, at most: the form of so many takes 32 MB."""
MAX_FIT_CELLS = 30_000_000
"""Cells of all fitted windows together, at most (240 MB): of more, evenly spaced ones are fitted."""


@dataclass(frozen=True, slots=True, eq=False)
class FittedLagQuadratic:
    """A window of ``lags`` earlier rows, and the form of its cells that is the score."""

    window: LagWindow
    form: FittedQuadratic

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

    def score(self, frame: Frame) -> FloatArray:
        """Return the form of each window, shape ``(n,)``: >= 0, unitless."""
        return self.form.score(frame)

    def coordinates(self, frame: Frame) -> FloatArray:
        """Return the scaled cells of each window, shape ``(n, (lags + 1) * d)``."""
        return self.form.coordinates(frame)

    def quadratic(self) -> Quadratic:
        """Return the score as a quadratic form of the coordinates."""
        return self.form.quadratic()

    def state(self) -> State:
        """Return all that was learned."""
        whole = nested({"form": self.form.state()})
        parameters = {
            "inputs": signal_values(self.inputs),
            "lags": self.window.lags,
            "parts": whole.parameters,
        }
        return State(_VERSION, parameters, whole.arrays)

    @classmethod
    def from_state(cls, state: State) -> Self:
        """Return the fitted detector that ``state`` describes."""
        inputs = state.require(_VERSION).signals("inputs")
        parts = State(1, state.parameter("parts", dict), state.arrays)
        form = FittedQuadratic.from_state(unnested(parts)["form"])
        return cls(LagWindow(inputs, state.parameter("lags", int)), form)


@dataclass(frozen=True, slots=True, eq=False)
class LagPoints:
    """The fitted rows' windows, in the coordinates ``u = (x - center) / scale`` of each signal.

    ``points`` has shape ``(m, lags + 1, d)``, the row itself last.
    """

    window: LagWindow
    center: FloatArray
    scale: FloatArray
    points: FloatArray

    @classmethod
    def of(cls, frame: Frame, lags: int, needed: int, what: str) -> LagPoints:
        """Cut ``frame`` into windows of each asset.

        Raises
        ------
        TooFewRowsError
            Series shorter than the window, or fewer than ``needed`` windows.
        LimitExceededError
            A window of more than `MAX_CELLS` cells.
        """
        values = complete(frame, frame.signals)
        cells = (lags + 1) * len(frame.signals)
        if cells > MAX_CELLS:
            raise LimitExceededError(
                f"a window of {lags + 1} rows of {len(frame.signals)} signals has {cells} cells, "
                f"more than {MAX_CELLS}; use fewer lags or fewer signals",
                cells=cells,
                limit=MAX_CELLS,
            )
        rows = lag_rows(frame, lags)
        require_rows(len(rows), needed, what)
        rows = rows[:: -(-len(rows) * cells // MAX_FIT_CELLS)]
        center, scale = robust_scale(values)
        points = scaled(values, center, scale)[rows]
        return cls(LagWindow(frame.signals, lags), center, scale, points)

    def fitted(self, location: FloatArray, matrix: FloatArray) -> FittedLagQuadratic:
        """Return the detector with that form of the windows' cells, oldest row first."""
        repeats = self.window.lags + 1
        form = FittedQuadratic(
            self.window.signals,
            np.tile(self.center, repeats),
            np.tile(self.scale, repeats),
            location,
            matrix,
        )
        return FittedLagQuadratic(self.window, form)
