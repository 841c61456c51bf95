"""The fitted extractors of a pipeline in a row, and the memory of a sequence detector behind them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from scipy import sparse

from clarion.arrays import Int64Array
from clarion.detectors import FittedSequenceDetector
from clarion.features import Features, FittedExtractor, Lineage, Trace, rows_by_asset
from clarion.frames import Frame
from clarion.pipeline.guard import checked_features, plugin_errors, row_numbers
from clarion.state import State


@dataclass(frozen=True, slots=True, eq=False)
class Transformed:
    """Rows as the detector scores them, with every stage that made them.

    Attributes
    ----------
    frame
        The features, ``n_out`` rows.
    source_rows
        Shape ``(n_out,)``: the row of the first stage's input that each stands for.
    stages
        What each stage returned; the lineage of one reads the frame of the one before.
    inputs
        The frame that each stage was given.
    """

    frame: Frame
    source_rows: Int64Array
    stages: tuple[Features, ...] = ()
    inputs: tuple[Frame, ...] = ()

    @classmethod
    def start(cls, frame: Frame) -> Transformed:
        """Return ``frame`` as it is: no stage yet."""
        return cls(frame, np.arange(len(frame)))

    def then(self, stage: Features) -> Transformed:
        """Return this with one more stage, which was given this frame."""
        return Transformed(
            stage.frame,
            self.source_rows[stage.source_rows],
            (*self.stages, stage),
            (*self.inputs, self.frame),
        )


@dataclass(frozen=True, slots=True, eq=False)
class Chain:
    """Fitted extractors, by plugin name, in order."""

    steps: tuple[tuple[str, FittedExtractor], ...] = ()

    @property
    def history(self) -> int:
        """Earlier rows of the same asset that a row needs."""
        return sum(step.history for _, step in self.steps)

    def transform(self, frame: Frame) -> Transformed:
        """Return the features of every row that has its history in ``frame``."""
        done = Transformed.start(frame)
        for name, step in self.steps:
            done = stepped(done, name, step)
        return done


def stepped(done: Transformed, name: str, step: FittedExtractor) -> Transformed:
    """Return ``done`` with the features of one more step."""
    with plugin_errors("features", name, "extracting features"), row_numbers(done.source_rows):
        features = step.transform(done.frame)
    return done.then(checked_features(features, len(done.frame), "features", name))


def origins(stages: list[Mapping[str, tuple[str, ...]]]) -> dict[str, tuple[str, ...]]:
    """Return the raw signals that each final feature reads, given each stage's ``reads``."""
    if not stages:
        return {}
    reached = dict(stages[0])
    for reads in stages[1:]:
        reached = {
            feature: tuple(dict.fromkeys(raw for name in names for raw in reached[name]))
            for feature, names in reads.items()
        }
    return reached


def unrolled(
    name: str, detector: FittedSequenceDetector, done: Transformed, memories: Mapping[str, State]
) -> tuple[Transformed, dict[str, State]]:
    """Unroll each asset's rows with its memory; return all rows in order, and the memories after."""
    parts: list[tuple[Int64Array, Features]] = []
    after: dict[str, State] = {}
    for rows in rows_by_asset(done.frame):
        asset = done.frame.asset_of(int(rows[0])).name
        memory = memories[asset] if asset in memories else detector.start()
        with row_numbers(done.source_rows[rows]):
            features, after[asset] = detector.unroll(memory, done.frame.take(rows))
        parts.append((rows, checked_features(features, len(rows), "detectors", name)))
    if not parts:
        features, _ = detector.unroll(detector.start(), done.frame)
        return done.then(features), after
    return done.then(_merged(parts, len(done.frame))), after


@dataclass(frozen=True, slots=True, eq=False)
class _ByAsset:
    """Lineage over rows of several assets, each with its own."""

    parts: tuple[tuple[Int64Array, Lineage], ...]
    part: Int64Array
    local: Int64Array
    n_rows: int

    def rows(self, index: int) -> Trace:
        """Return the trace of one row, its columns renumbered from its asset's rows to all rows."""
        rows, lineage = self.parts[int(self.part[index])]
        trace = lineage.rows(int(self.local[index]))
        n_features, n_cells = trace.weights.shape
        width = n_cells // len(rows)
        entries = trace.weights.tocoo()
        columns = rows[entries.col // width] * width + entries.col % width
        weights = sparse.csr_array(
            (entries.data, (entries.row, columns)), shape=(n_features, self.n_rows * width)
        )
        return replace(trace, weights=weights)


def _merged(parts: list[tuple[Int64Array, Features]], n_rows: int) -> Features:
    sources = np.concatenate([rows[features.source_rows] for rows, features in parts])
    order = np.argsort(sources, kind="stable")
    values = np.concatenate([features.frame.values for _, features in parts])[order]
    first = parts[0][1].frame
    sizes = [len(features.source_rows) for _, features in parts]
    part = np.repeat(np.arange(len(parts)), sizes)[order]
    local = np.concatenate([np.arange(size) for size in sizes])[order]
    lineage = _ByAsset(tuple((r, f.lineage) for r, f in parts), part, local, n_rows)
    frame = Frame(first.signals, values, np.empty((len(values), 0), np.int32))
    return Features(frame, sources[order], lineage)
