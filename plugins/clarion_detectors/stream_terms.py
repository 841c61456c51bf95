"""Scores that are learned from the stream itself: a row unrolls to one term a signal, which add up.

A term depends on all signals of its row and on what the rows before it taught; unrolled, it is a
number, and the score an ordinary sum.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from scipy import sparse

from clarion.arrays import FloatArray, Int64Array
from clarion.features import Features, Trace, columns_of
from clarion.frames import Frame, Signal
from clarion.inputs import complete
from clarion.kernels.sums import row_sums
from clarion.state import State

_LARGEST = 1e300
"""Far above any term that `unroll` returns; keeps sums finite for frames made by others."""


@dataclass(frozen=True, slots=True, eq=False)
class FittedStreamTerms(ABC):
    """What is common to detectors that learn while they score."""

    inputs: tuple[Signal, ...]

    quantity: ClassVar[str]
    """Name of the terms, behind the signal's: ``flow.rarity``."""

    @abstractmethod
    def start(self) -> State:
        """Return the memory of an asset never seen."""

    @abstractmethod
    def follow(self, values: FloatArray, memory: State) -> tuple[FloatArray, State]:
        """Return the terms of each row of ``values``, (n, d), and the memory after the last.

        A row's terms are worked out before it is learned from.
        """

    @property
    def signals(self) -> tuple[Signal, ...]:
        """One term a signal, unitless."""
        return tuple(Signal(f"{signal.name}.{self.quantity}") for signal in self.inputs)

    @property
    def reads(self) -> dict[str, tuple[str, ...]]:
        """Each term reads every signal."""
        every = tuple(signal.name for signal in self.inputs)
        return {signal.name: every for signal in self.signals}

    def unroll(self, memory: State, frame: Frame) -> tuple[Features, State]:
        """Return each row's terms, and what was learned after the last.

        Lineage leads each term to the cell of its own signal, whose part in the score it is.
        """
        terms, after = self.follow(complete(frame, self.inputs), memory)
        columns = columns_of(frame, [signal.name for signal in self.inputs])
        lineage = _OwnCell(columns, (len(frame), len(frame.signals)))
        made = frame.with_numeric(terms, self.signals)
        return Features(made, np.arange(len(frame)), lineage), after

    def terms(self, frame: Frame) -> FloatArray:
        """Return each signal's part in the score, shape ``(n, d)``: what `unroll` returned."""
        return np.clip(complete(frame, self.signals), -_LARGEST, _LARGEST)

    def score(self, frame: Frame) -> FloatArray:
        """Return the sum of the terms, shape ``(n,)``.

        Raises
        ------
        SignalMismatchError, InvalidFrameError
            Other signals than `unroll` returns, or a missing cell.
        """
        return row_sums(self.terms(frame))


@dataclass(frozen=True, slots=True, eq=False)
class _OwnCell:
    """Leads from a term to the cell of its signal in the same row."""

    columns: Int64Array
    shape: tuple[int, int]

    def rows(self, index: int) -> Trace:
        """Return a share of 1 for each term's own cell."""
        n_rows, n_signals = self.shape
        d = len(self.columns)
        weights = sparse.csr_array(
            (np.ones(d), index * n_signals + self.columns, np.arange(d + 1)),
            shape=(d, n_rows * n_signals),
        )
        return Trace(weights, np.zeros(d, np.bool_))
