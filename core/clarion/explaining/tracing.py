"""From explained rows of features back to raw cells: one object that knows both ends."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from clarion.arrays import FloatArray, Int64Array
from clarion.detectors import FittedDetector, FittedSequenceDetector, QuadraticForm
from clarion.explaining.background import Background, Positions, asset_positions
from clarion.explaining.linear_cells import derivative, exact_cells
from clarion.explaining.players import Roster
from clarion.explaining.pull_back import Cells, StageReads, by_cell
from clarion.frames import Frame
from clarion.pipeline.chain import Chain, Transformed


@dataclass(frozen=True, eq=False)
class Tracer:
    """Leads rows of features back to raw cells.

    Attributes
    ----------
    raw, done
        The raw rows (remembered ones first), and what became of them.
    reads
        What each stage reads.
    """

    raw: Frame
    done: Transformed
    detector: FittedDetector
    background: Background
    reads: StageReads

    @cached_property
    def _positions(self) -> Positions:
        return asset_positions(self.raw)

    @property
    def row_by_row(self) -> bool:
        """Whether scores read a row's own cells only, one a signal."""
        return not self.background.history and not isinstance(self.detector, FittedSequenceDetector)

    def exact(self, index: int) -> Cells | None:
        """Return the cells' Shapley values for one row of features; None where there is no such form."""
        detector = self.detector
        if isinstance(detector, FittedSequenceDetector) or not isinstance(detector, QuadraticForm):
            return None
        return exact_cells(self.done, index, self.raw, self._positions, self.background, detector)

    def cells(self, index: int, contributions: FloatArray) -> Cells:
        """Return the cells' shares in a row's features, whose ``contributions`` are given, ``(d,)``."""
        return by_cell(self.done, index, contributions, self.reads)

    def lags(self, index: int, cells: Cells) -> Int64Array:
        """Return how many rows of the asset lie between each cell and a row of features."""
        return self._positions.lag(int(self.done.source_rows[index]), cells.row)

    def by_player(self, index: int, cells: Cells, roster: Roster) -> FloatArray:
        """Return the sums of the cells of each player, shape ``(n_players,)``."""
        owners = roster.at(cells.signal, self.lags(index, cells))
        return _sums(owners, cells.contribution, len(roster.players))

    def matched(self, index: int, cells: Cells, roster: Roster, wanted: FloatArray) -> Cells:
        """Return the cells moved so that those of each player sum to ``wanted``, ``(n_players,)``.

        What a player's cells lack is spread over them by their size, so that none grows beyond it.
        A player without cells (its rows came in an earlier frame) gets those of the explained row.
        """
        owners = roster.at(cells.signal, self.lags(index, cells))
        size = _sums(owners, np.abs(cells.contribution), len(wanted))
        gap = wanted - self.by_player(index, cells, roster)
        weight = np.abs(cells.contribution) / np.where(size > 0, size, 1.0)[owners]
        moved = [(cells.row, cells.signal, cells.contribution + gap[owners] * weight)]
        source = int(self.done.source_rows[index])
        for player in np.flatnonzero((size == 0) & (gap != 0)):
            own = np.flatnonzero(roster.group_of == player // roster.blocks)
            moved.append(
                (np.full(len(own), source), own, np.full(len(own), gap[player] / len(own)))
            )
        return _merged(*(np.concatenate(parts) for parts in zip(*moved, strict=True)))


def _merged(row: Int64Array, signal: Int64Array, contribution: FloatArray) -> Cells:
    """Return each cell once, with all that was given to it, by row and then by signal."""
    width = int(signal.max(initial=0)) + 1
    cell, place = np.unique(row * width + signal, return_inverse=True)
    return Cells(cell // width, cell % width, _sums(place, contribution, len(cell)))


def _sums(places: Int64Array, values: FloatArray, count: int) -> FloatArray:
    return np.bincount(places, values, minlength=count).astype(np.float64, copy=False)


def oldest_exact_lag(chain: Chain, detector: FittedDetector, background: Background) -> int | None:
    """Return the oldest row whose cells `Tracer.exact` tells apart; None where it tells none."""
    sequence = isinstance(detector, FittedSequenceDetector)
    if sequence or not isinstance(detector, QuadraticForm) or background.windows.codes.shape[1]:
        return None
    done = chain.transform(background.apart())
    return None if derivative(done, 0) is None else chain.history
