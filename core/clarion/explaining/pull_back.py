"""Pull-back: from the attributions of features to raw cells.

Each stage is undone in turn, a feature's attribution going to the cells in proportion to their
shares in the feature (second-level rule, SCIENCE 1); `linear_cells` has the exact form. What a
signal gets as a player (`clarion.explaining.games`) its cells sum to: see `Tracer.matched`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from clarion.arrays import FloatArray, Int64Array
from clarion.features import Features, Trace
from clarion.frames import Frame, SignalKind
from clarion.pipeline.chain import Transformed

StageReads = Sequence[tuple[Mapping[str, tuple[str, ...]], FloatArray]]
"""For each stage: its ``reads``, and the background mean of each numeric signal it is given."""


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """Contributions of raw cells: row (of the frame scored), signal (index), contribution; (k,)."""

    row: Int64Array
    signal: Int64Array
    contribution: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Origins:
    """Which raw signals each feature reads, by index: ``of[j]`` for feature j."""

    of: tuple[tuple[int, ...], ...]
    n_signals: int

    @classmethod
    def make(
        cls, features: Sequence[str], signals: Sequence[str], reads: Mapping[str, tuple[str, ...]]
    ) -> Origins:
        """Resolve names; with no stage at all (``reads`` empty) each feature is its signal."""
        place = {name: i for i, name in enumerate(signals)}
        of = tuple(tuple(place[raw] for raw in reads.get(name, (name,))) for name in features)
        return cls(of, len(signals))

    @property
    def single(self) -> bool:
        """Whether every feature reads exactly one signal."""
        return all(len(read) == 1 for read in self.of)

    def members(self, signal: int) -> Int64Array:
        """Return the features that read a signal."""
        return np.array([j for j, read in enumerate(self.of) if signal in read], np.int64)


def by_cell(done: Transformed, index: int, contributions: FloatArray, reads: StageReads) -> Cells:
    """Return the raw cells' contributions to one row of features, their sum unchanged.

    Parameters
    ----------
    index
        Row of ``done.frame``.
    contributions
        Shape ``(d,)``: attributions of that row's features.
    reads
        One entry for each stage.
    """
    rows = {index: contributions}
    for stage, given, (read, mean) in reversed(
        list(zip(done.stages, done.inputs, reads, strict=True))
    ):
        rows = _undone(rows, stage, given, read, mean)
    keys = sorted(rows)
    if not keys:  # nothing contributed, so no cell did
        return Cells(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0))
    n_signals = len(rows[keys[0]])
    row = np.repeat(np.array(keys, np.int64), n_signals)
    signal = np.tile(np.arange(n_signals), len(keys))
    contribution = np.concatenate([rows[key] for key in keys])
    kept = contribution != 0
    return Cells(row[kept], signal[kept], contribution[kept])


def _undone(
    rows: Mapping[int, FloatArray],
    stage: Features,
    given: Frame,
    reads: Mapping[str, tuple[str, ...]],
    mean: FloatArray,
) -> dict[int, FloatArray]:
    """Undo one stage: contributions of its output rows become those of its input rows."""
    width = len(given.signals)
    place = {name: i for i, name in enumerate(given.names)}
    names = stage.frame.names
    out: dict[int, FloatArray] = {}
    for index, contributions in rows.items():
        trace = stage.lineage.rows(index)
        for feature in np.flatnonzero(contributions):
            columns, shares = _shares(trace, int(feature), given, mean)
            if not len(columns):  # made of no cell, such as an imputed value: goes where it reads
                source = int(stage.source_rows[index]) * width
                columns = np.array([source + place[name] for name in reads[names[feature]]])
                shares = np.full(len(columns), 1.0 / len(columns))
            for column, share in zip(columns, shares, strict=True):
                cell = out.setdefault(int(column) // width, np.zeros(width))
                cell[int(column) % width] += contributions[feature] * share
    return out


def _shares(
    trace: Trace, feature: int, given: Frame, mean: FloatArray
) -> tuple[Int64Array, FloatArray]:
    """Return a feature's cells (columns of the trace) and their shares, which sum to 1."""
    low, high = trace.weights.indptr[feature : feature + 2]
    columns = trace.weights.indices[low:high].astype(np.int64)
    parts = trace.weights.data[low:high].astype(np.float64)
    if trace.linear[feature]:
        deviations = _deviations(columns, given, mean)
        parts = parts * (deviations / max(float(np.abs(deviations).max(initial=0.0)), 1e-300))
    total, size = parts.sum(), np.abs(parts).sum()
    if size == 0:
        return columns, np.full(len(columns), 1.0 / max(len(columns), 1))
    # Parts that cancel out would make huge shares of either sign: spread by size instead.
    if abs(total) < 1e-6 * size:
        return columns, np.abs(parts) / size
    return columns, parts / total


def _deviations(columns: Int64Array, given: Frame, mean: FloatArray) -> FloatArray:
    """Return how far each cell lies from its signal's background mean; 1 for coded cells."""
    width = len(given.signals)
    numeric = [s.kind is SignalKind.NUMERIC for s in given.signals]
    place = np.cumsum(numeric) - 1
    out = np.ones(len(columns))
    for i, column in enumerate(columns):
        row, signal = divmod(int(column), width)
        if numeric[signal]:
            value = float(given.values[row, place[signal]])
            out[i] = 0.0 if np.isnan(value) else value - mean[place[signal]]
    return out
