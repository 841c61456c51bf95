"""KitNET: small autoencoders of signals that go together, and one more of their errors."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from clarion.arrays import BoolArray, FloatArray, Int64Array
from clarion.detectors import DetectorTraits
from clarion.errors import ArtifactCorruptError
from clarion.features import FitContext
from clarion.frames import Frame, Signal
from clarion.inputs import SATURATION, complete, require_rows, robust_scale, scaled
from clarion.kernels.sigmoid_autoencoder import (
    copied_rows,
    copy_error_gradients,
    copy_errors,
    copy_pass,
)
from clarion.parameters import parameter
from clarion.state import State, signal_values

_VERSION = 1


@dataclass(frozen=True, slots=True, eq=False)
class Copier:
    """One autoencoder, of the ``columns`` of rows scaled to [0, 1] by ``low`` and ``span``, (m,).

    The other arrays are those of `copy_errors`.
    """

    columns: Int64Array
    low: FloatArray
    span: FloatArray
    weights: FloatArray
    inner: FloatArray
    outer: FloatArray

    def rows(self, values: FloatArray) -> FloatArray:
        """Return its columns of ``values``, scaled."""
        return scaled(np.ascontiguousarray(values[:, self.columns]), self.low, self.span)

    def errors(self, values: FloatArray) -> FloatArray:
        """Return the root mean square errors, shape ``(n,)``."""
        return copy_errors(self.rows(values), self.weights, self.inner, self.outer)

    def pulled(self, rows: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the errors of its scaled ``rows`` (n, m), and their gradients by these."""
        network = (np.ascontiguousarray(rows), self.weights, self.inner, self.outer)
        return copy_errors(*network), copy_error_gradients(*network)

    def copies(self, values: FloatArray) -> FloatArray:
        """Return the copies of its columns of ``values``, in their units, shape ``(n, m)``."""
        copied = copied_rows(self.rows(values), self.weights, self.inner, self.outer)
        return self.low + self.span * copied

    def arrays(self, name: str) -> dict[str, FloatArray | Int64Array]:
        """Return its arrays for a state, under ``name``."""
        return {f"{name}.{part}": getattr(self, part) for part in self.__slots__}

    @classmethod
    def of_state(cls, state: State, name: str, inputs: int) -> Self:
        """Return what `arrays` put into ``state``, of rows with so many ``inputs``."""
        columns = state.array(f"{name}.columns", (-1,), np.int64)
        m = len(columns)
        if not m or columns.min() < 0 or columns.max() >= inputs:
            raise ArtifactCorruptError(f"the state's '{name}' reads columns that are not there")
        weights = state.array(f"{name}.weights", (m, -1))
        low, span, outer = (
            state.array(f"{name}.{part}", (m,)) for part in ("low", "span", "outer")
        )
        inner = state.array(f"{name}.inner", (weights.shape[1],))
        return cls(columns, low, span, weights, inner, outer)


@dataclass(frozen=True, slots=True, eq=False)
class FittedKitnet:
    """The autoencoders of the signals, ``members``, and the one of their errors, ``last``."""

    signals: tuple[Signal, ...]
    members: tuple[Copier, ...]
    last: Copier

    def score(self, frame: Frame) -> FloatArray:
        """Return the last autoencoder's error, shape ``(n,)``: >= 0, unitless.

        Raises
        ------
        SignalMismatchError, InvalidFrameError
            Other signals than those fitted, or a missing cell.
        """
        return self.last.errors(self.errors(frame))

    def errors(self, frame: Frame) -> FloatArray:
        """Return each member's error, shape ``(n, members)``: which group of signals is strange."""
        return _errors(complete(frame, self.signals), self.members)

    def reconstruct(self, frame: Frame) -> FloatArray:
        """Return what the members make of each row, in each signal's unit, shape ``(n, d)``."""
        values = complete(frame, self.signals)
        copies = np.empty(values.shape)
        for member in self.members:
            copies[:, member.columns] = member.copies(values)
        return copies

    def coordinates(self, frame: Frame) -> FloatArray:
        """Return each signal as its autoencoder is shown it, shape ``(n, d)``."""
        values = complete(frame, self.signals)
        points = np.zeros(values.shape)
        for member in self.members:
            points[:, member.columns] = member.rows(values)
        return points

    def gradients(self, points: FloatArray) -> FloatArray:
        """Return the gradients of the score by coordinates ``points`` (n, d), shape ``(n, d)``."""
        parts = [member.pulled(points[:, member.columns]) for member in self.members]
        rows = self.last.rows(np.column_stack([errors for errors, _ in parts]))
        followed = np.abs(rows) < SATURATION
        by_errors = np.where(followed, self.last.pulled(rows)[1] / self.last.span, 0.0)
        by_points = np.zeros(points.shape)
        for i, (member, (_, by_rows)) in enumerate(zip(self.members, parts, strict=True)):
            by_points[:, member.columns] = by_errors[:, i, None] * by_rows
        return by_points

    def state(self) -> State:
        """Return all that was learned."""
        arrays = self.last.arrays("last")
        for i, member in enumerate(self.members):
            arrays |= member.arrays(f"member{i}")
        parameters = {"signals": signal_values(self.signals), "members": len(self.members)}
        return State(_VERSION, parameters, arrays)

    @classmethod
    def from_state(cls, state: State) -> Self:
        """Return the fitted detector that ``state`` describes."""
        signals = state.require(_VERSION).signals()
        count = state.parameter("members", int)
        members = [Copier.of_state(state, f"member{i}", len(signals)) for i in range(count)]
        return cls(signals, tuple(members), Copier.of_state(state, "last", count))


@dataclass(frozen=True, slots=True, kw_only=True)
class Kitnet:
    """Error of an ensemble of small autoencoders, each of signals that correlate.

    KitNET learns from a stream for a while and then scores; here the stream is the fit, in the
    order of its rows, and the model is frozen after it. The last autoencoder is trained once the
    others are.
    """

    traits: ClassVar[DetectorTraits] = DetectorTraits(
        paper="Mirsky et al. (2018), Kitsune: An Ensemble of Autoencoders for Online Network "
        "Intrusion Detection, NDSS, section V"
    )
    fitted: ClassVar[type[FittedKitnet]] = FittedKitnet

    group: int = parameter(10, "Signals of one autoencoder, at most.", minimum=1, maximum=1000)
    ratio: float = parameter(
        0.75, "Hidden units for each signal.", exclusive_minimum=0.0, maximum=1.0
    )
    passes: int = parameter(
        20, "Times that the rows are learned from.", minimum=1, maximum=10_000, unit="passes"
    )
    learning_rate: float = parameter(0.1, "Size of a step.", exclusive_minimum=0.0, maximum=1.0)

    def fit(self, frame: Frame, labels: BoolArray | None, context: FitContext) -> FittedKitnet:
        """Group the signals, then train the autoencoders on normal rows.

        Raises
        ------
        TooFewRowsError
            Fewer than 2 rows.
        """
        values = complete(frame, frame.signals)
        require_rows(len(values), 2, "a correlation")
        groups = correlated_groups(values, self.group)
        members = []
        for i, columns in enumerate(groups):
            members.append(self._trained(values, columns, context))
            context.progress((i + 1) / (len(groups) + 1), f"trained {i + 1} of {len(groups)} parts")
        errors = _errors(values, members)
        last = self._trained(errors, np.arange(len(members)), context)
        return FittedKitnet(frame.signals, tuple(members), last)

    def _trained(self, values: FloatArray, columns: Int64Array, context: FitContext) -> Copier:
        """Return an autoencoder of some columns of ``values``, trained."""
        given, m = values[:, columns], len(columns)
        low, scale = given.min(axis=0), robust_scale(given)[1]
        span = given.max(axis=0) - low
        weights = context.rng.uniform(-1.0 / m, 1.0 / m, (m, math.ceil(self.ratio * m)))
        inner, outer = np.zeros(weights.shape[1]), np.zeros(m)
        made = Copier(columns, low, np.where(span > 0, span, scale), weights, inner, outer)
        rows = made.rows(values)
        for _ in range(self.passes):
            context.check_cancelled()
            copy_pass(rows, weights, inner, outer, self.learning_rate)
        return made


def correlated_groups(values: FloatArray, most: int) -> list[Int64Array]:
    """Return the columns in groups of at most ``most``: a dendrogram's branches that are small enough.

    By single linkage over ``1 - correlation``, as in the paper's section V.B.
    """
    from scipy.cluster.hierarchy import linkage, to_tree
    from scipy.spatial.distance import squareform

    d = values.shape[1]
    if d == 1:
        return [np.zeros(1, np.int64)]
    center, scale = robust_scale(values)
    points = scaled(values, center, scale)
    points /= np.maximum(np.sqrt(np.square(points).sum(axis=0)), 1e-300)
    distances = np.clip(1.0 - points.T @ points, 0.0, 2.0)
    tree = to_tree(linkage(squareform(distances, checks=False)))
    groups, waiting = [], [tree]
    while waiting:
        branch = waiting.pop()
        if branch.count <= most:
            groups.append(np.sort(np.array(branch.pre_order(), np.int64)))
        else:
            waiting += [branch.right, branch.left]
    return groups


def _errors(values: FloatArray, members: Sequence[Copier]) -> FloatArray:
    return np.column_stack([member.errors(values) for member in members])
