"""Charts: one statistic a signal, followed over time, and their squares added up.

A detector of this kind fits a subclass of `FittedChart` that says how the statistics follow from
the rows; everything else is the same for all.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from scipy import sparse

from clarion.arrays import FloatArray, Int64Array
from clarion.features import Features, Trace, columns_of
from clarion.frames import Frame, Signal
from clarion.inputs import complete, scaled
from clarion.kernels.sums import row_sums
from clarion.state import State, signal_values

_VERSION = 1
_SQUARABLE = 1e150
"""Far above any statistic that `unroll` returns; keeps squares finite for frames made by others."""


@dataclass(frozen=True, slots=True, eq=False)
class FittedChart(ABC):
    """One statistic a signal.

    Attributes
    ----------
    inputs
        The signals followed.
    settings
        The parameters that the statistic needs.
    center, scale
        In control, in each signal's unit, shape ``(d,)``.
    extra
        Further arrays that the statistic needs, by name.
    """

    inputs: tuple[Signal, ...]
    settings: Mapping[str, float]
    center: FloatArray
    scale: FloatArray
    extra: Mapping[str, FloatArray]

    statistic: ClassVar[str]
    """Name of the statistic, behind the signal's: ``flow.cusum``."""

    @abstractmethod
    def first(self) -> FloatArray:
        """Return the memory of an asset never seen, of any shape."""

    @abstractmethod
    def follow(self, points: FloatArray, memory: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the statistics after the last ``m <= n`` of ``points`` (n, d), and the memory."""

    @abstractmethod
    def reach(self) -> int:
        """Return how many rows a statistic goes back to, for its lineage."""

    @property
    def signals(self) -> tuple[Signal, ...]:
        """One statistic a signal, unitless."""
        return tuple(Signal(f"{signal.name}.{self.statistic}") for signal in self.inputs)

    @property
    def reads(self) -> dict[str, tuple[str, ...]]:
        """Each statistic reads its own signal."""
        return {f"{signal.name}.{self.statistic}": (signal.name,) for signal in self.inputs}

    def start(self) -> State:
        """Return the memory of an asset never seen."""
        return State(_VERSION, {}, {"memory": self.first()})

    def unroll(self, memory: State, frame: Frame) -> tuple[Features, State]:
        """Return the statistics after each row that has its window, and the memory after the last.

        Lineage gives the rows of ``frame`` that a statistic goes back to shares by their squared
        deviations.
        """
        points = scaled(complete(frame, self.inputs), self.center, self.scale)
        before = memory.require(_VERSION, "memory").arrays["memory"]
        values, after = self.follow(points, before)
        source_rows = np.arange(len(frame) - len(values), len(frame))
        columns = columns_of(frame, [signal.name for signal in self.inputs])
        lineage = _ChartLineage(points, columns, source_rows, self.reach(), len(frame.signals))
        made = frame.take(source_rows).with_numeric(values, self.signals)
        return Features(made, source_rows, lineage), State(_VERSION, {}, {"memory": after})

    def terms(self, frame: Frame) -> FloatArray:
        """Return each signal's squared statistic, shape ``(n, d)``: unitless."""
        return np.square(np.clip(complete(frame, self.signals), -_SQUARABLE, _SQUARABLE))

    def score(self, frame: Frame) -> FloatArray:
        """Return the sum of the terms, shape ``(n,)``.

        Raises
        ------
        SignalMismatchError, InvalidFrameError
            Other signals than `unroll` returns, or a missing cell.
        """
        return row_sums(self.terms(frame))

    def state(self) -> State:
        """Return all that was learned."""
        parameters = {"inputs": signal_values(self.inputs), "settings": dict(self.settings)}
        return State(
            _VERSION, parameters, {"center": self.center, "scale": self.scale, **self.extra}
        )

    @classmethod
    def from_state(cls, state: State) -> Self:
        """Return the fitted detector that ``state`` describes."""
        inputs = state.require(_VERSION).signals("inputs")
        center, scale = (state.array(name, (len(inputs),)) for name in ("center", "scale"))
        own = set(state.arrays) - {"center", "scale"}
        extra = {name: state.array(name, (len(inputs), -1)) for name in own}
        return cls(inputs, state.parameter("settings", dict), center, scale, extra)


def window_rows(points: FloatArray, memory: FloatArray, window: int) -> tuple[Any, FloatArray]:
    """Return the remembered rows with ``points`` behind them, and the rows to remember."""
    known = np.concatenate([memory.reshape(-1, points.shape[1]), points])
    return known, known[max(len(known) - window + 1, 0) :].copy()


@dataclass(frozen=True, slots=True, eq=False)
class _ChartLineage:
    """Leads from a statistic to the rows of the frame that it goes back to."""

    points: FloatArray
    columns: Int64Array
    source_rows: Int64Array
    reach: int
    n_signals: int

    def rows(self, index: int) -> Trace:
        """Return each cell's squared deviation as its share."""
        source = int(self.source_rows[index])
        rows = np.arange(max(0, source - self.reach + 1), source + 1)
        d = len(self.columns)
        shares = np.minimum(self.points[rows].T ** 2, 1e100) + 1e-12
        cells = rows[None, :] * self.n_signals + self.columns[:, None]
        weights = sparse.csr_array(
            (shares.ravel(), cells.ravel(), np.arange(d + 1) * len(rows)),
            shape=(d, len(self.points) * self.n_signals),
        )
        return Trace(weights, np.zeros(d, np.bool_))
