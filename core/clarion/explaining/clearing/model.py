"""What one model's alarms are cleared with: its normal rows, and those that constraints allow."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from clarion.arrays import FloatArray, Int64Array
from clarion.detectors import FittedDetector, FittedSequenceDetector
from clarion.explaining.background import Background
from clarion.explaining.clearing.culprits import Clearer
from clarion.explaining.clearing.raw import RawModel
from clarion.explaining.clearing.task import Normal
from clarion.explaining.counterfactual import CellLines, Line, cell_lines
from clarion.explaining.pull_back import Origins
from clarion.explaining.values import Reader
from clarion.frames import Frame
from clarion.pipeline.chain import Chain
from clarion.pipeline.constraints import SignalConstraint


@dataclass(frozen=True, eq=False)
class ClearingModel:
    """Makes what finds culprits, with or without constraints.

    Attributes
    ----------
    plugin, score
        The detector's name, and its checked scores.
    origins
        Which raw signals each feature reads.
    """

    plugin: str
    score: Callable[[Frame], FloatArray]
    detector: FittedDetector
    chain: Chain
    background: Background
    origins: Origins

    @cached_property
    def free(self) -> Clearer:
        """What finds culprits where everything may change."""
        return self._clearer([SignalConstraint.FREE] * self.origins.n_signals)

    def within(self, constraints: Sequence[SignalConstraint]) -> Clearer:
        """Return what finds culprits within constraints, one a raw signal."""
        free = all(constraint == SignalConstraint.FREE for constraint in constraints)
        return self.free if free else self._clearer(constraints)

    @cached_property
    def _players(self) -> list[Int64Array]:
        return [self.origins.members(signal) for signal in range(self.origins.n_signals)]

    @cached_property
    def _lines(self) -> tuple[Line | None, ...]:
        by_cell = self.origins.single and not self.chain.history
        return cell_lines(self.background, self._players, by_cell=by_cell, lagged=self._unrolls)

    @property
    def _unrolls(self) -> bool:
        return isinstance(self.detector, FittedSequenceDetector)

    def _clearer(self, constraints: Sequence[SignalConstraint]) -> Clearer:
        lines = CellLines(self._lines, tuple(constraints))
        windows = self._kept(constraints)
        raw = RawModel(self.plugin, self.detector, self.chain, windows, self._players, lines)
        rows = self.background.rows
        if any(constraint.bends for constraint in constraints):
            rows = rows.with_numeric(self._features(raw, lines))
        normal = Normal(rows, self.score(rows))
        return Clearer(self.score, self.detector, self._players, normal, lines, raw)

    def _kept(self, constraints: Sequence[SignalConstraint]) -> Frame:
        """Return the background's raw windows with every value where its constraint allows it."""
        windows = self.background.windows
        values, columns = windows.values.astype(np.float64), Reader.of(windows).columns
        for signal, constraint in enumerate(constraints):
            if constraint.bends:
                values[:, columns[signal]] = constraint.kept(values[:, columns[signal]])
        return Frame(windows.signals, values, windows.codes)

    def _features(self, raw: RawModel, lines: CellLines) -> FloatArray:
        """Return the features of such windows; of a memory, those that lead back to cells."""
        rows = self.background.rows.numeric()
        if self._unrolls:
            every = range(len(self._players))
            return np.array([lines.settled(every, self._players, row) for row in rows])
        made = raw.features(raw.windows, len(rows))
        return rows if made is None else made
