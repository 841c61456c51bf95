"""Impute: a missing number becomes the signal's usual one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
from scipy import sparse

from clarion.arrays import BoolArray, FloatArray, Int64Array
from clarion.errors import InvalidFrameError
from clarion.features import ExtractorTraits, Features, FitContext, Trace, columns_of
from clarion.frames import Frame, Signal
from clarion.inputs import require_rows, robust_scale
from clarion.parameters import parameter
from clarion.state import State, signal_values

_VERSION = 1


@dataclass(frozen=True, slots=True, eq=False)
class FittedImpute:
    """The usual value of each signal, ``usual`` in its unit, shape ``(d,)``."""

    inputs: tuple[Signal, ...]
    usual: FloatArray
    indicators: bool

    @property
    def signals(self) -> tuple[Signal, ...]:
        """The signals fitted, then, with indicators, ``pressure.missing`` for each."""
        missing = (Signal(f"{signal.name}.missing") for signal in self.inputs)
        return (*self.inputs, *missing) if self.indicators else self.inputs

    @property
    def reads(self) -> dict[str, tuple[str, ...]]:
        """Each feature reads one signal."""
        names = [signal.name for signal in self.inputs]
        return {s.name: (names[j % len(names)],) for j, s in enumerate(self.signals)}

    @property
    def history(self) -> int:
        """No earlier rows."""
        return 0

    def transform(self, frame: Frame) -> Features:
        """Return the signals without missing cells, and 1 in the indicator of a missing one.

        Raises
        ------
        SignalMismatchError
            Other signals than those fitted.
        """
        names = [signal.name for signal in self.inputs]
        values = frame.aligned_to(names).numeric()
        missing = np.isnan(values)
        filled = np.where(missing, self.usual, values)
        if self.indicators:
            filled = np.hstack([filled, missing.astype(np.float64)])
        lineage = _ImputeLineage(missing, columns_of(frame, names), self.indicators)
        output = frame.with_numeric(filled, self.signals)
        return Features(output, np.arange(len(frame)), lineage)

    def state(self) -> State:
        """Return all that was learned."""
        parameters = {"inputs": signal_values(self.inputs), "indicators": self.indicators}
        return State(_VERSION, parameters, {"usual": self.usual})

    @classmethod
    def from_state(cls, state: State) -> Self:
        """Return the fitted extractor that ``state`` describes."""
        inputs = state.require(_VERSION).signals("inputs")
        usual = state.array("usual", (len(inputs),))
        return cls(inputs, usual, state.parameter("indicators", bool))


@dataclass(frozen=True, slots=True, eq=False)
class _ImputeLineage:
    """A present cell is its own feature; an imputed feature is made of no cell at all.

    Attributes
    ----------
    missing
        Shape ``(n, d)``.
    columns
        Shape ``(d,)``: the place of each signal in the input frame.
    """

    missing: BoolArray
    columns: Int64Array
    indicators: bool

    def rows(self, index: int) -> Trace:
        """Return the trace of one row: 1 where present; an indicator is not linear."""
        n, d = self.missing.shape
        traced = ~self.missing[index]
        linear = np.ones(d, np.bool_)
        columns = self.columns
        if self.indicators:
            traced = np.concatenate([traced, np.ones(d, np.bool_)])
            linear = np.concatenate([linear, np.zeros(d, np.bool_)])
            columns = np.tile(columns, 2)
        ends = np.concatenate([[0], np.cumsum(traced)])
        cells = index * d + columns[traced]
        weights = sparse.csr_array((np.ones(len(cells)), cells, ends), shape=(len(traced), n * d))
        return Trace(weights, linear)


@dataclass(frozen=True, slots=True, kw_only=True)
class Impute:
    """Puts a signal's median or mean over the fitted rows in place of its missing cells."""

    traits: ClassVar[ExtractorTraits] = ExtractorTraits(missing_values=True)
    fitted: ClassVar[type[FittedImpute]] = FittedImpute

    method: str = parameter("median", "What stands in.", choices=("median", "mean"))
    indicators: bool = parameter(
        False, "Whether to add a feature for each signal that is 1 where it was missing."
    )

    def fit(self, frame: Frame, context: FitContext) -> FittedImpute:
        """Learn the usual value of each signal.

        Raises
        ------
        TooFewRowsError
            No rows.
        InvalidFrameError
            A signal is missing in all of them; it is named.
        """
        require_rows(len(frame), 1, f"a {self.method}")
        values = frame.numeric()
        for column, signal in enumerate(frame.signals):
            if np.isnan(values[:, column]).all():
                raise InvalidFrameError(
                    f"signal '{signal.name}' is missing (NaN) in all {len(frame)} rows that are "
                    "learned from; leave it out, or send rows that have it",
                    field="frame",
                    signal=signal.name,
                )
        usual = robust_scale(values)[0] if self.method == "mean" else _medians(values)
        return FittedImpute(frame.signals, usual, self.indicators)


def _medians(values: FloatArray) -> FloatArray:
    """Return the median of each column's present cells; halved first, so that no sum overflows."""
    medians: FloatArray = np.nanmedian(values / 2, axis=0) * 2
    return medians
