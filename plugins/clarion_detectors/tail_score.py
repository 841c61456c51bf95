"""A sum of tail surprises: what the detectors of empirical distributions fit."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Self

import numpy as np

from clarion.arrays import BoolArray, FloatArray
from clarion.errors import ArtifactCorruptError
from clarion.features import FitContext
from clarion.frames import Frame, Signal
from clarion.inputs import complete, require_rows, sampled_rows
from clarion.kernels.ecdf import tail_surprise
from clarion.kernels.sums import row_sums
from clarion.state import State, signal_values

_VERSION = 1


@dataclass(frozen=True, slots=True, eq=False)
class FittedTails:
    """The distributions of the signals as they were in the fit.

    Attributes
    ----------
    columns
        Shape ``(d, m)``: reference values of each signal, in its unit, sorted.
    left_tail
        Shape ``(d,)``: whether the signal is skewed to the left.
    either
        Whether the rarer tail counts (ECOD), or the one on the skewed side (COPOD).
    surprise
        Shape ``(m + 1,)``: ``-log((k + 1) / (m + 1))`` of a tail with k reference values.
    """

    signals: tuple[Signal, ...]
    columns: FloatArray
    left_tail: BoolArray
    either: bool
    surprise: FloatArray = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Tabulate the logarithms."""
        counts = np.arange(1.0, self.columns.shape[1] + 2.0)
        object.__setattr__(self, "surprise", -np.log(counts / counts[-1]))

    def terms(self, frame: Frame) -> FloatArray:
        """Return each signal's -log of its tail probability, shape ``(n, d)``: >= 0, in nats.

        Raises
        ------
        SignalMismatchError, InvalidFrameError
            Other signals than those fitted, or a missing cell.
        """
        values = complete(frame, self.signals)
        return tail_surprise(values, self.columns, self.surprise, self.left_tail, self.either)

    def score(self, frame: Frame) -> FloatArray:
        """Return the sum of the terms, shape ``(n,)``: at most ``d log(m + 1)``."""
        return row_sums(self.terms(frame))

    def state(self) -> State:
        """Return all that was learned."""
        arrays = {"columns": self.columns, "left_tail": self.left_tail}
        parameters = {"signals": signal_values(self.signals), "either": self.either}
        return State(_VERSION, parameters, arrays)

    @classmethod
    def from_state(cls, state: State) -> Self:
        """Return the fitted detector that ``state`` describes."""
        signals = state.require(_VERSION).signals()
        columns = state.array("columns", (len(signals), -1))
        if not columns.size or (np.diff(columns, axis=1) < 0).any():
            raise ArtifactCorruptError("the state's array 'columns' is not sorted", array="columns")
        left_tail = state.array("left_tail", (len(signals),), np.bool_)
        return cls(signals, columns, left_tail, state.parameter("either", bool))


def fit_tails(frame: Frame, context: FitContext, max_rows: int, *, either: bool) -> FittedTails:
    """Learn the distribution of each signal from at most ``max_rows`` rows.

    Raises
    ------
    TooFewRowsError
        Fewer than 2 rows.
    """
    values = complete(frame, frame.signals)
    require_rows(len(frame), 2, "an empirical distribution")
    reference = values[sampled_rows(len(frame), max_rows, context.rng)]
    columns = np.sort(np.ascontiguousarray(reference.T), axis=1)
    return FittedTails(frame.signals, columns, _third_moments(values) < 0, either)


def _third_moments(values: FloatArray) -> FloatArray:
    """Return the third central moment of each column, up to a positive factor, shape ``(d,)``."""
    largest = np.abs(values).max(axis=0)
    bounded = values / np.where(largest > 0, largest, 1.0)
    moments: FloatArray = ((bounded - bounded.mean(axis=0)) ** 3).mean(axis=0)
    return moments
