"""Differences: how much each signal changed since the row before of the same asset."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
from scipy import sparse

from clarion.arrays import Int64Array
from clarion.features import (
    ExtractorTraits,
    Features,
    FitContext,
    Trace,
    columns_of,
    rows_by_asset,
)
from clarion.frames import Frame, Signal
from clarion.inputs import complete, require_rows
from clarion.state import State, signal_values

_LARGEST = 1e300  # two cells of this size have a finite difference


@dataclass(frozen=True, slots=True, eq=False)
class FittedDifferences:
    """Nothing is learned but the signals."""

    inputs: tuple[Signal, ...]

    @property
    def signals(self) -> tuple[Signal, ...]:
        """``pressure.change`` ..., in the unit of the signal."""
        return tuple(Signal(f"{signal.name}.change", unit=signal.unit) for signal in self.inputs)

    @property
    def reads(self) -> dict[str, tuple[str, ...]]:
        """Each change reads its own signal."""
        return {f"{signal.name}.change": (signal.name,) for signal in self.inputs}

    @property
    def history(self) -> int:
        """The row before."""
        return 1

    def transform(self, frame: Frame) -> Features:
        """Return the changes of every row that has a row of its asset before it.

        Raises
        ------
        SignalMismatchError, InvalidFrameError
            Other signals than those fitted, or a missing cell.
        """
        values = np.clip(complete(frame, self.inputs), -_LARGEST, _LARGEST)
        pairs = [np.stack([rows[:-1], rows[1:]], axis=1) for rows in rows_by_asset(frame)]
        pair = np.concatenate([*pairs, np.empty((0, 2), np.int64)])
        pair = pair[np.argsort(pair[:, 1])]
        changes = values[pair[:, 1]] - values[pair[:, 0]]
        output = frame.take(pair[:, 1]).with_numeric(changes, self.signals)
        columns = columns_of(frame, [signal.name for signal in self.inputs])
        return Features(output, pair[:, 1], _Pairs(pair, columns, len(frame)))

    def state(self) -> State:
        """Return the signals."""
        return State(1, {"inputs": signal_values(self.inputs)})

    @classmethod
    def from_state(cls, state: State) -> Self:
        """Return the fitted extractor that ``state`` describes."""
        return cls(state.require(1).signals("inputs"))


@dataclass(frozen=True, slots=True, eq=False)
class _Pairs:
    """Lineage: a change is the later cell (weight 1) less the earlier one (weight -1)."""

    pairs: Int64Array
    columns: Int64Array
    n_rows: int

    def rows(self, index: int) -> Trace:
        """Return the trace of one row of changes."""
        d = len(self.columns)
        cells = self.pairs[index] * d + self.columns[:, None]
        weights = sparse.csr_array(
            (np.tile([-1.0, 1.0], d), cells.ravel(), np.arange(0, 2 * d + 1, 2)),
            shape=(d, self.n_rows * d),
        )
        return Trace(weights, np.ones(d, np.bool_))


@dataclass(frozen=True, slots=True, kw_only=True)
class Differences:
    """The change of each signal since the row before of the same asset."""

    traits: ClassVar[ExtractorTraits] = ExtractorTraits()
    fitted: ClassVar[type[FittedDifferences]] = FittedDifferences

    def fit(self, frame: Frame, context: FitContext) -> FittedDifferences:
        """Check that there is something to subtract.

        Raises
        ------
        TooFewRowsError
            Fewer than 2 rows.
        """
        complete(frame, frame.signals)
        require_rows(len(frame), 2, "a difference")
        return FittedDifferences(frame.signals)
