"""Contract of feature extractors: frame to frame of features, with the lineage that leads back.

An extractor is a frozen dataclass of parameters with ``fit``; what it returns holds all that was
learned. Streaming needs nothing more: a fitted extractor says how many earlier rows of the same
asset a row needs (``history``), and the pipeline keeps that many.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol, Self, runtime_checkable

import numpy as np
from scipy import sparse

from clarion.arrays import BoolArray, FloatArray, Int64Array
from clarion.errors import OperationCancelledError
from clarion.frames import Frame, Signal, SignalKind
from clarion.registry import Registries
from clarion.state import State


@dataclass(frozen=True, slots=True, eq=False)
class Trace:
    """Which input cells made one row of features.

    Attributes
    ----------
    weights
        Sparse, shape ``(n_features, n_input_rows * n_input_signals)``, columns ordered by row, then
        by signal (of the input frame). For a linear feature the derivative by the cell; for any
        other feature the cell's share in the feature's value, on any scale (second-level rule).
    linear
        Shape ``(n_features,)``: which features are linear (affine) in their cells.
    """

    weights: sparse.csr_array[Any]
    linear: BoolArray


class Lineage(Protocol):
    """Leads from features back to the cells they were made of; lazy, paid for explained rows only."""

    def rows(self, index: int) -> Trace:
        """Return the trace of one row of features."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Features:
    """What an extractor returns.

    Attributes
    ----------
    frame
        The features, ``n_out`` rows.
    source_rows
        Shape ``(n_out,)``, int64: the input row that each row of features stands for (its last
        one); strictly increasing. Input rows that stand behind no features are not scored.
    lineage
        Leads back to the cells of the input frame.
    """

    frame: Frame
    source_rows: Int64Array
    lineage: Lineage


@dataclass(frozen=True, slots=True)
class RowLineage:
    """Lineage of an extractor whose features read only cells of their own row, each row alike.

    Attributes
    ----------
    weights
        Shape ``(n_features, n_input_signals)``: as in `Trace`, for the signals of one row.
    n_rows
        Rows of the input frame.
    linear
        Shape ``(n_features,)``: which features are linear; all of them where None.
    """

    weights: sparse.csr_array[Any]
    n_rows: int
    linear: BoolArray | None = None

    def rows(self, index: int) -> Trace:
        """Return the trace of row ``index``: the fixed weights at that row's cells."""
        n_features, n_signals = self.weights.shape
        shifted = sparse.csr_array(
            (self.weights.data, self.weights.indices + index * n_signals, self.weights.indptr),
            shape=(n_features, self.n_rows * n_signals),
        )
        linear = np.ones(n_features, np.bool_) if self.linear is None else self.linear
        return Trace(shifted, linear)


@dataclass(frozen=True, slots=True)
class FitContext:
    """What a fit is given besides its rows.

    Attributes
    ----------
    rng
        The only source of randomness.
    registries
        All loaded plugins, for those that hold others (``ensemble``).
    progress
        Called with the share done, in [0, 1], and what is being done.
    cancelled
        True once the caller asked for the fit to stop; poll it through `check_cancelled`.
    held_out
        Normal rows that no fit has seen, for members' own calibration; never the final one's rows.
    """

    rng: np.random.Generator
    registries: Registries
    progress: Callable[[float, str], None] = field(default=lambda share, doing: None)
    cancelled: Callable[[], bool] = field(default=lambda: False)
    held_out: Frame | None = None

    def check_cancelled(self) -> None:
        """Raise OperationCancelledError if the caller asked for the fit to stop."""
        if self.cancelled():
            raise OperationCancelledError("the fit was cancelled by its caller")


@dataclass(frozen=True, slots=True)
class ExtractorTraits:
    """What an extractor can take.

    Attributes
    ----------
    signal_kinds
        Kinds of signals it accepts; the pipeline refuses others before the fit.
    missing_values
        Whether it accepts missing cells.
    ordered
        Whether it looks back in time, so that an asset's rows must come in order.
    paper
        Source of the method; empty where it is common knowledge.
    """

    signal_kinds: frozenset[SignalKind] = frozenset({SignalKind.NUMERIC})
    missing_values: bool = False
    ordered: bool = False
    paper: str = ""


@runtime_checkable
class FittedExtractor(Protocol):
    """Turns frames into features; each row of features depends on its own window only."""

    @property
    def signals(self) -> tuple[Signal, ...]:
        """Signals of the features."""
        ...

    @property
    def reads(self) -> Mapping[str, tuple[str, ...]]:
        """Names of the input signals that each feature reads, by feature name."""
        ...

    @property
    def history(self) -> int:
        """How many earlier rows of the same asset a row needs; rows without them are dropped."""
        ...

    def transform(self, frame: Frame) -> Features:
        """Return the features of every row that has ``history`` rows of its asset before it.

        Windows never cross assets, whose rows may be interleaved.
        """
        ...

    def state(self) -> State:
        """Return all that was learned."""
        ...

    @classmethod
    def from_state(cls, state: State) -> Self:
        """Return the fitted extractor that `state` describes."""
        ...


class FeatureExtractor(Protocol):
    """A frozen dataclass of parameters; ``fitted`` names the class that `fit` returns."""

    traits: ClassVar[ExtractorTraits]
    fitted: ClassVar[type[Any]]

    def fit(self, frame: Frame, context: FitContext) -> FittedExtractor:
        """Learn from ``frame``, which is not kept."""
        ...


def row_wise(
    frame: Frame,
    weights: sparse.csr_array[Any],
    columns: Int64Array | None = None,
    *,
    linear: bool = True,
) -> Features:
    """Return features of a row-wise extractor: ``frame`` is its output, row for row.

    ``columns`` are the places, among the input frame's signals, of the columns of ``weights``;
    ``linear`` says whether these are derivatives, or shares (see `Trace`).
    """
    if columns is not None:
        weights = sparse.csr_array(
            (weights.data, columns[weights.indices], weights.indptr), shape=weights.shape
        )
    kinds = None if linear else np.zeros(weights.shape[0], np.bool_)
    return Features(frame, np.arange(len(frame)), RowLineage(weights, len(frame), kinds))


def rows_by_asset(frame: Frame) -> list[Int64Array]:
    """Return, for each asset present, its row numbers in order; assets in order of appearance."""
    if len(frame) and (frame.asset is None or len(frame) == 1):
        return [np.arange(len(frame))]
    index = frame.asset_index()
    order = np.argsort(index, kind="stable")
    starts = np.flatnonzero(np.diff(index[order], prepend=-1))
    groups = np.split(order, starts[1:])
    return [groups[i] for i in np.argsort(order[starts])]


def columns_of(frame: Frame, names: Sequence[str]) -> Int64Array:
    """Return the place of each of ``names`` among the signals of ``frame``, for lineages."""
    places = {name: column for column, name in enumerate(frame.names)}
    return np.array([places[name] for name in names], np.int64)


def unit_weights(n: int, scale: FloatArray | None = None) -> sparse.csr_array[Any]:
    """Return diagonal weights, shape ``(n, n)``: feature j reads signal j times ``scale[j]``."""
    diagonal = np.ones(n) if scale is None else scale
    return sparse.csr_array((diagonal, np.arange(n), np.arange(n + 1)), shape=(n, n))
