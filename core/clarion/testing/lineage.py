"""Laws of lineage: which input cells made a feature."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from scipy import sparse

from clarion.arrays import BoolArray, FloatArray, Int64Array
from clarion.features import Features, Trace, rows_by_asset
from clarion.frames import Frame, Signal, SignalKind
from clarion.testing import data
from clarion.testing.cases import ExtractorCase
from clarion.testing.errors import law, require

_CELLS = 40  # moved one by one, for each row looked at


def require_reads(
    reads: Mapping[str, tuple[str, ...]], outputs: tuple[Signal, ...], inputs: tuple[str, ...]
) -> None:
    """Require that ``reads`` covers all outputs, and names inputs only."""
    names = {signal.name for signal in outputs}
    require(set(reads) == names, f"'reads' covers {sorted(reads)}, not {sorted(names)}")
    for output, read in reads.items():
        strangers = sorted(set(read) - set(inputs))
        require(not strangers, f"'{output}' reads {strangers}, which are no inputs")


def require_trace(trace: Trace, features: Frame, frame: Frame) -> None:
    """Require a trace that leads from all ``features`` to the cells of ``frame``."""
    shape = (len(features.signals), len(frame) * len(frame.signals))
    weights, linear = trace.weights, trace.linear
    require(isinstance(weights, sparse.csr_array), "a trace's weights must be a csr_array")
    require(weights.shape == shape, f"a trace's weights have shape {weights.shape}, not {shape}")
    require(np.isfinite(weights.data).all(), "a trace has a weight that is not finite")
    require(
        linear.dtype == np.bool_ and linear.shape == shape[:1],
        f"'linear' is {linear.dtype} of shape {linear.shape}, not bool of shape {shape[:1]}",
    )


def require_lineage(frame: Frame, transform: Callable[[Frame], Features]) -> None:
    """Require traces that fit ``frame`` and, for linear features, hold their derivatives."""
    features = transform(frame)
    for index in _some(features):
        require_trace(features.lineage.rows(index), features.frame, frame)
    require_derivatives(frame, transform)


@law
def check_reads_are_real(case: ExtractorCase) -> None:
    """``reads`` names inputs for every feature, and no other input changes it."""
    reads, frame = case.fitted.reads, case.fresh
    require_reads(reads, case.fitted.signals, frame.names)
    before = case.answer(case.fitted, frame)
    for column, signal in enumerate(frame.names):
        cells = np.zeros((len(frame), len(frame.signals)), np.bool_)
        cells[:, column] = True
        after = case.answer(case.fitted, _moved(frame, cells))
        for j, name in enumerate(before.names):
            require(
                signal in reads[name] or np.array_equal(before.values[:, j], after.values[:, j]),
                f"'{name}' changes with '{signal}', but is said to read {reads[name]}",
            )


@law
def check_traces_fit_the_frame(case: ExtractorCase) -> None:
    """A trace has a row for each feature and a column for each cell of the input frame."""
    features = case.fitted.transform(case.fresh)
    for index in _some(features):
        require_trace(features.lineage.rows(index), features.frame, case.fresh)


@law
def check_linear_weights_are_derivatives(case: ExtractorCase) -> None:
    """A cell moved by h moves each linear feature by its weight times h."""
    require_derivatives(case.fresh, case.fitted.transform)


def require_derivatives(frame: Frame, transform: Callable[[Frame], Features]) -> None:
    """Require that each linear feature moves with each of its cells by the cell's weight."""
    features = transform(frame)
    for index in _some(features):
        trace, row = features.lineage.rows(index), int(features.source_rows[index])
        numeric, before = _numeric(features.frame), _numbers_of(features, row)
        for cell in _numeric_cells(frame, trace):
            after = _numbers_of(transform(_moved(frame, _only(frame, cell))), row)
            weights = trace.weights[:, [cell]].toarray()[numeric, 0]
            wanted = weights * _step(frame, cell % len(frame.signals))
            off = np.abs(after - before - wanted) > _rounding(before) + 1e-6 * np.abs(wanted)
            for j in np.flatnonzero(off & trace.linear[numeric]):
                require(
                    False,
                    f"{_named(frame, cell)} moves '{features.frame.names[numeric[j]]}' of row "
                    f"{row} by {after[j] - before[j]:.9g}, its weight says {wanted[j]:.9g}",
                )


@law
def check_untraced_cells_do_not_matter(case: ExtractorCase) -> None:
    """No cell outside a linear feature's trace, or outside any feature's window, moves it."""
    frame, features = case.fresh, case.fitted.transform(case.fresh)
    for index in _some(features):
        trace, row = features.lineage.rows(index), int(features.source_rows[index])
        before = _numbers_of(features, row)
        for j, feature in enumerate(_numeric(features.frame)):
            name = features.frame.names[feature]
            if trace.linear[feature]:
                traced = trace.weights[[feature]].toarray().reshape(len(frame), -1) != 0
            else:
                traced = _window(case, frame, row, case.fitted.reads[name])
            after = _numbers_of(case.fitted.transform(_moved(frame, ~traced)), row)
            require(
                abs(after[j] - before[j]) <= _rounding(before[j]),
                f"'{name}' of row {row} moves from {before[j]:.9g} to {after[j]:.9g} with cells "
                "that its lineage leaves out",
            )


def _window(case: ExtractorCase, frame: Frame, row: int, reads: tuple[str, ...]) -> BoolArray:
    """Return which cells a feature of ``row`` may read, shape ``(n, n_signals)``."""
    (own,) = (rows for rows in rows_by_asset(frame) if row in rows)
    place = int(np.searchsorted(own, row))
    cells = np.zeros((len(frame), len(frame.signals)), np.bool_)
    columns = np.array([frame.names.index(name) for name in reads])
    cells[np.ix_(own[max(0, place - case.fitted.history) : place + 1], columns)] = True
    return cells


def _only(frame: Frame, cell: int) -> BoolArray:
    """Return True for one cell only, shape ``(n, n_signals)``."""
    cells = np.zeros(len(frame) * len(frame.signals), np.bool_)
    cells[cell] = True
    return cells.reshape(len(frame), -1)


def _named(frame: Frame, cell: int) -> str:
    row, column = divmod(cell, len(frame.signals))
    return f"'{frame.names[column]}' of row {row}"


def _rounding(before: FloatArray) -> FloatArray:
    """Return what rounding may move, beside features of this size."""
    return 1e-9 * (1 + np.abs(before))


def _some(features: Features) -> list[int]:
    """Return two rows of features to look at: one inside, and the last."""
    n = len(features.frame)
    require(n > 2, f"only {n} rows have features")
    return [n // 2, n - 1]


def _numeric(features: Frame) -> Int64Array:
    """Return which signals are numeric, by their place among all."""
    return np.flatnonzero([signal.kind is SignalKind.NUMERIC for signal in features.signals])


def _numbers_of(features: Features, row: int) -> FloatArray:
    """Return the numeric features that stand for the input's ``row``."""
    index = int(np.searchsorted(features.source_rows, row))
    return np.asarray(features.frame.values[index], np.float64)


def _numeric_cells(frame: Frame, trace: Trace) -> list[int]:
    """Return some of the numeric cells in the trace, spread over it."""
    cells = np.unique(trace.weights.indices)
    numeric = cells[np.isin(cells % len(frame.signals), _numeric(frame))]
    return [int(cell) for cell in numeric[:: 1 + len(numeric) // _CELLS]]


def _step(frame: Frame, column: int) -> float:
    """Return by how much `_moved` moves a numeric signal."""
    place = int(np.searchsorted(_numeric(frame), column))
    return float(0.5 * data.scale_of(frame)[place])


def _moved(frame: Frame, cells: BoolArray) -> Frame:
    """Return ``frame`` with the chosen cells (n, n_signals) moved half a scale, or to another word."""
    numeric = _numeric(frame)
    coded = np.setdiff1d(np.arange(len(frame.signals)), numeric)
    steps = 0.5 * data.scale_of(frame)
    values = np.where(cells[:, numeric], frame.values + steps, frame.values)
    codes = np.where(cells[:, coded], (frame.codes + 1) % 3, frame.codes).astype(np.int32)
    return data.changed(frame, values, codes)
