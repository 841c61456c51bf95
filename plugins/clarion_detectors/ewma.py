"""EWMA control chart: small, lasting shifts of the mean, found by exponential smoothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
from scipy import sparse

from clarion.arrays import BoolArray, FloatArray, Int64Array
from clarion.detectors import DetectorKind, DetectorTraits
from clarion.features import Features, FitContext, Trace, columns_of
from clarion.frames import Frame, Signal
from clarion.inputs import complete, require_rows, robust_scale, scaled
from clarion.kernels.recursions import standardised_ewma
from clarion.kernels.sums import row_sums
from clarion.parameters import parameter
from clarion.state import State, signal_values

_VERSION = 1
_NEGLIGIBLE = 2.0**-53
"""Weights below half a unit in the last place of 1 change no EWMA."""
_SQUARABLE = 1e150
"""Far above any EWMA that `unroll` returns; keeps squares finite for frames made by others."""


@dataclass(frozen=True, slots=True, eq=False)
class FittedEwma:
    """In-control mean and standard deviation of each signal, in its unit, shape ``(d,)``."""

    inputs: tuple[Signal, ...]
    weight: float
    center: FloatArray
    scale: FloatArray

    @property
    def signals(self) -> tuple[Signal, ...]:
        """One standardised EWMA a signal, unitless: near a standard normal while in control."""
        return tuple(Signal(f"{signal.name}.ewma") for signal in self.inputs)

    @property
    def reads(self) -> dict[str, tuple[str, ...]]:
        """Each EWMA reads its own signal."""
        return {f"{signal.name}.ewma": (signal.name,) for signal in self.inputs}

    def start(self) -> State:
        """Return the memory of an asset never seen: at the in-control mean, no rows counted."""
        return State(_VERSION, {"rows": 0}, {"ewma": np.zeros(len(self.inputs))})

    def unroll(self, memory: State, frame: Frame) -> tuple[Features, State]:
        """Return the standardised EWMAs after each row, and the memory after the last.

        The lineage is linear over the rows of ``frame``: the weight of a cell ``k`` rows back
        shrinks as ``(1 - weight)^k``. What earlier frames left in the memory has no cells here.
        """
        names = [signal.name for signal in self.inputs]
        points = scaled(complete(frame, self.inputs), self.center, self.scale)
        rows = memory.require(_VERSION).parameter("rows", int)
        last = memory.array("ewma", (len(names),))
        values, last = standardised_ewma(points, self.weight, last, rows)
        lineage = _EwmaLineage(self.weight, self.scale, columns_of(frame, names), rows, len(frame))
        features = Features(
            frame.with_numeric(values, self.signals), np.arange(len(frame)), lineage
        )
        return features, State(_VERSION, {"rows": rows + len(frame)}, {"ewma": last})

    def terms(self, frame: Frame) -> FloatArray:
        """Return each signal's squared standardised EWMA, shape ``(n, d)``: unitless."""
        charts = complete(frame, self.signals)
        return np.square(np.clip(charts, -_SQUARABLE, _SQUARABLE))

    def score(self, frame: Frame) -> FloatArray:
        """Return the sum of the terms, shape ``(n,)``: near chi-squared with d degrees in control.

        Raises
        ------
        SignalMismatchError, InvalidFrameError
            Other signals than `unroll` returns, or a missing cell.
        """
        return row_sums(self.terms(frame))

    def state(self) -> State:
        """Return all that was learned."""
        parameters = {"inputs": signal_values(self.inputs), "weight": self.weight}
        return State(_VERSION, parameters, {"center": self.center, "scale": self.scale})

    @classmethod
    def from_state(cls, state: State) -> Self:
        """Return the fitted detector that ``state`` describes."""
        inputs = state.require(_VERSION).signals("inputs")
        center, scale = (state.array(name, (len(inputs),)) for name in ("center", "scale"))
        return cls(inputs, state.parameter("weight", float), center, scale)


@dataclass(frozen=True, slots=True, eq=False)
class _EwmaLineage:
    """Leads from a standardised EWMA to the cells of the frame that was unrolled."""

    weight: float
    scale: FloatArray
    columns: Int64Array
    rows_before: int
    n_rows: int

    def rows(self, index: int) -> Trace:
        """Return the derivatives of the EWMAs of one row by the cells up to it."""
        kept = 1.0 - self.weight
        reach = 1 if kept == 0 else int(np.log(_NEGLIGIBLE) / np.log(kept)) + 1
        lags = np.arange(min(reach, index + 1))[::-1]
        grown = 1.0 - kept ** (2.0 * (self.rows_before + index + 1))
        deviation = np.sqrt(self.weight / (2.0 - self.weight) * grown)
        by_lag = self.weight * kept**lags / deviation
        d = len(self.columns)
        cells = (index - lags) * d + self.columns[:, None]
        weights = sparse.csr_array(
            ((by_lag / self.scale[:, None]).ravel(), cells.ravel(), np.arange(d + 1) * len(lags)),
            shape=(d, self.n_rows * d),
        )
        return Trace(weights, np.ones(d, np.bool_))


@dataclass(frozen=True, slots=True, kw_only=True)
class Ewma:
    """One EWMA chart a signal, their squares added up.

    The charts are standardised as if rows were independent; where they are not, scores are larger
    all along, which the calibration takes care of.
    """

    traits: ClassVar[DetectorTraits] = DetectorTraits(
        kind=DetectorKind.SEQUENCE,
        ordered=True,
        paper="Roberts (1959), Technometrics 1(3); Lowry et al. (1992), Technometrics 34(1)",
    )
    fitted: ClassVar[type[FittedEwma]] = FittedEwma

    weight: float = parameter(
        0.2, "Share of the newest row in the average.", minimum=0.001, maximum=1.0
    )

    def fit(self, frame: Frame, labels: BoolArray | None, context: FitContext) -> FittedEwma:
        """Learn the in-control mean and standard deviation from normal rows.

        Raises
        ------
        TooFewRowsError
            Fewer than 2 rows.
        """
        values = complete(frame, frame.signals)
        require_rows(len(frame), 2, "a control chart")
        return FittedEwma(frame.signals, self.weight, *robust_scale(values))
