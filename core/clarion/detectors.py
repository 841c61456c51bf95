"""Contract of detectors, and the capabilities that let explainers be exact.

A detector is a frozen dataclass of parameters with ``fit``; what it returns scores. Capabilities
are small Protocols that a *fitted* detector satisfies by having the method: nothing is declared
twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, ClassVar, Protocol, Self, runtime_checkable

import numpy as np

from clarion.arrays import BoolArray, FloatArray, Int64Array
from clarion.features import Features, FitContext
from clarion.frames import Frame, Signal, SignalKind
from clarion.state import State


class DetectorKind(StrEnum):
    """Whether a score depends on earlier rows of the same asset."""

    ROW = "row"
    SEQUENCE = "sequence"


class Paradigm(StrEnum):
    """What labels a fit needs."""

    UNSUPERVISED = "unsupervised"
    SEMI_SUPERVISED = "semi_supervised"
    SUPERVISED = "supervised"


@dataclass(frozen=True, slots=True)
class DetectorTraits:
    """What a detector is and can take.

    Attributes
    ----------
    kind, paradigm
        See the enumerations.
    signal_kinds, missing_values
        What cells it accepts; the pipeline puts ``encode`` and ``impute`` in front where needed.
    ordered
        Whether the rows of a fit must be in time order.
    paper
        Where the method was published.
    """

    kind: DetectorKind = DetectorKind.ROW
    paradigm: Paradigm = Paradigm.UNSUPERVISED
    signal_kinds: frozenset[SignalKind] = frozenset({SignalKind.NUMERIC})
    missing_values: bool = False
    ordered: bool = False
    paper: str = ""


@runtime_checkable
class FittedDetector(Protocol):
    """Scores rows: higher is stranger, each row independent of its batch mates.

    Scores are finite float64 for every finite input, however large, and bit-equal in any batch.
    """

    @property
    def signals(self) -> tuple[Signal, ...]:
        """Signals of the frames that `score` takes."""
        ...

    def score(self, frame: Frame) -> FloatArray:
        """Return anomaly scores, shape ``(n,)``.

        Raises
        ------
        SignalMismatchError
            ``frame`` has other signals than those fitted.
        InvalidFrameError
            A cell is missing, and the detector cannot take that; signal and row are named.
        """
        ...

    def state(self) -> State:
        """Return all that was learned."""
        ...

    @classmethod
    def from_state(cls, state: State) -> Self:
        """Return the fitted detector that `state` describes."""
        ...


@runtime_checkable
class FittedSequenceDetector(FittedDetector, Protocol):
    """A detector with a memory: rows are unrolled with it, and then scored one by one.

    ``score`` takes what `unroll` returns, whose rows hold all that their scores depend on. So
    explainers see an ordinary detector, and any cut of the rows gives the same scores.
    """

    @property
    def inputs(self) -> tuple[Signal, ...]:
        """Signals of the frames that `unroll` takes."""
        ...

    @property
    def reads(self) -> dict[str, tuple[str, ...]]:
        """Names of the input signals that each unrolled signal reads."""
        ...

    def start(self) -> State:
        """Return the memory of an asset never seen before."""
        ...

    def unroll(self, memory: State, frame: Frame) -> tuple[Features, State]:
        """Return one row for each row of ``frame`` (one asset, in order), and the memory after it.

        ``Features.source_rows`` may leave out rows (a forecaster's first ones).
        """
        ...


class Detector(Protocol):
    """A frozen dataclass of parameters; ``fitted`` names the class that `fit` returns."""

    traits: ClassVar[DetectorTraits]
    fitted: ClassVar[type[Any]]

    def fit(self, frame: Frame, labels: BoolArray | None, context: FitContext) -> FittedDetector:
        """Learn from ``frame``; ``labels`` (n,) are True where a row is known to be anomalous.

        An unsupervised detector is given normal rows, and no labels.

        Raises
        ------
        TooFewRowsError, InvalidParameterError, InvalidFrameError
            Rows or parameters that cannot be fitted, each named.
        """
        ...


# Capabilities -------------------------------------------------------------------------------------


@runtime_checkable
class AdditiveTerms(Protocol):
    """The score is the sum of one term a feature."""

    def terms(self, frame: Frame) -> FloatArray:
        """Return the terms, shape ``(n, d)``; each reads its own feature only; they sum to score."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Quadratic:
    """``score = (u - center)' matrix (u - center) + offset`` with ``u = coordinates(frame)``."""

    center: FloatArray
    matrix: FloatArray
    offset: float = 0.0


@runtime_checkable
class QuadraticForm(Protocol):
    """The score is a positive semi-definite quadratic form of per-feature coordinates."""

    def quadratic(self) -> Quadratic:
        """Return center (d,), symmetric matrix (d, d) and offset."""
        ...

    def coordinates(self, frame: Frame) -> FloatArray:
        """Return ``u``, shape ``(n, d)``: each column a function of its own feature only."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class KernelSum:
    """``score = offset + sum_i weights_i prod_j exp(-gamma_ij (u_j - points_ij)^2)``.

    Shapes ``(m, d)`` of points, ``(m,)`` of weights, ``(m, d)`` of gamma; a gamma of shape ``(d,)``
    is that of every point.
    """

    points: FloatArray
    weights: FloatArray
    gamma: FloatArray
    offset: float = 0.0

    def __post_init__(self) -> None:
        """Give every point its own gamma."""
        gamma = np.ascontiguousarray(np.broadcast_to(self.gamma, self.points.shape))
        object.__setattr__(self, "gamma", gamma)


@runtime_checkable
class ProductKernel(Protocol):
    """The score is a weighted sum of Gaussian product kernels."""

    def kernel_sum(self) -> KernelSum:
        """Return points (m, d), weights (m,), gamma (m, d) and offset."""
        ...

    def coordinates(self, frame: Frame) -> FloatArray:
        """Return ``u``, shape ``(n, d)``: each column a function of its own feature only."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Forest:
    """Trees laid end to end; ``score = offset + scale * mean over trees of the leaf's value``.

    Attributes
    ----------
    roots
        Shape ``(n_trees,)``: index of each tree's root node.
    left, right
        Shape ``(n_nodes,)``: child nodes; -1 at a leaf.
    feature, threshold
        Shape ``(n_nodes,)``: a row goes left where ``float32(x[feature]) <= threshold``.
    value
        Shape ``(n_nodes,)``: the leaf's value (0 elsewhere).
    cover
        Shape ``(n_nodes,)``: training rows that reached the node.
    """

    roots: Int64Array
    left: Int64Array
    right: Int64Array
    feature: Int64Array
    threshold: FloatArray
    value: FloatArray
    cover: FloatArray
    scale: float
    offset: float = 0.0


@runtime_checkable
class TreeEnsemble(Protocol):
    """The score is an affine function of a forest's mean leaf value."""

    def forest(self) -> Forest:
        """Return the trees."""
        ...


@runtime_checkable
class Neighbours(Protocol):
    """The score is the mean squared distance to the nearest reference rows."""

    def coordinates(self, frame: Frame) -> FloatArray:
        """Return ``u``, shape ``(n, d)``: each column a function of its own feature only."""
        ...

    def neighbours(self, frame: Frame) -> FloatArray:
        """Return each row's nearest reference rows in ``u``, shape ``(n, k, d)``."""
        ...


@runtime_checkable
class Differentiable(Protocol):
    """The score is a continuous function of per-feature coordinates, and has gradients.

    It may have kinks, where the gradient is that of one of their sides.
    """

    def coordinates(self, frame: Frame) -> FloatArray:
        """Return ``u``, shape ``(n, d)``: each column a function of its own feature only."""
        ...

    def gradients(self, points: FloatArray) -> FloatArray:
        """Return ``d score / d u`` at ``points``, shape ``(n, d)``: a row's bytes in any batch.

        Points lie between coordinates of frames.
        """
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Layers:
    """Fully connected layers: ``z_(i+1) = f(z_i weights_i + biases_i)``, with f(z) = z in the last.

    In all others f(z) is ``slope z`` below 0 and z above. Shapes (inputs, outputs) of weights, and
    (outputs,) of biases; the last layer has one output.
    """

    weights: tuple[FloatArray, ...]
    biases: tuple[FloatArray, ...]
    slope: float


@runtime_checkable
class FeedForward(Protocol):
    """The score is the output of fully connected layers, whose inputs are per-feature coordinates."""

    def layers(self) -> Layers:
        """Return the layers."""
        ...

    def coordinates(self, frame: Frame) -> FloatArray:
        """Return ``u``, shape ``(n, d)``: each column a function of its own feature only."""
        ...


@runtime_checkable
class LinkedSum(Protocol):
    """The score is a sum of increasing functions (links) of other detectors' scores.

    ``score(frame) = sum_i linked(i, members()[i].score(frame))``, each member given the columns of
    its own ``signals``.
    """

    def members(self) -> tuple[FittedDetector, ...]:
        """Return the detectors; the signals of each are among those of this one."""
        ...

    def linked(self, member: int, scores: FloatArray) -> FloatArray:
        """Return what scores ``(n,)`` of a member add to the sum; continuous, never decreasing."""
        ...


@runtime_checkable
class Reconstruction(Protocol):
    """The score grows with what a model cannot reproduce of a row.

    A hint for counterfactuals, whose proofs are scores: nothing rests on its numbers.
    """

    def reconstruct(self, frame: Frame) -> FloatArray:
        """Return what the model makes of each row, in each signal's unit, shape ``(n, d)``."""
        ...


CAPABILITIES: dict[str, type[Any]] = {
    "additive_terms": AdditiveTerms,
    "quadratic_form": QuadraticForm,
    "product_kernel": ProductKernel,
    "tree_ensemble": TreeEnsemble,
    "neighbours": Neighbours,
    "gradient": Differentiable,
    "feed_forward": FeedForward,
    "linked_sum": LinkedSum,
}


def capabilities_of(fitted: type[Any]) -> tuple[str, ...]:
    """Return the names of the capabilities that a class of fitted detectors has."""
    return tuple(name for name, protocol in CAPABILITIES.items() if issubclass(fitted, protocol))
