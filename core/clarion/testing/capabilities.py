"""Laws of capabilities: what a fitted detector tells explainers is what it scores by.

A check lets a detector pass that does not have its capability.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from clarion.arrays import FloatArray
from clarion.detectors import (
    AdditiveTerms,
    Differentiable,
    FeedForward,
    Forest,
    LinkedSum,
    Neighbours,
    ProductKernel,
    QuadraticForm,
    TreeEnsemble,
)
from clarion.frames import Frame
from clarion.inputs import narrowed
from clarion.testing import data
from clarion.testing.cases import DetectorCase
from clarion.testing.errors import law, require

_TOLERANCE = 1e-9
_STEP = 1e-6
"""Of a signal's deviation: how far a score is moved to see its gradient."""
_ROUNDED, _BENT = 1e-13, 1e-3
"""Shares of a score, and of what it moves by, that rounding and curvature may take of that."""


@law
def check_additive_terms(case: DetectorCase) -> None:
    """Terms add up to the score, and each reads its own feature only."""
    rows, fitted = _subject(case), case.fitted
    if isinstance(fitted, AdditiveTerms):
        terms = fitted.terms(rows)
        _require_scores(case, rows, "the sum of the terms", terms.sum(axis=1), terms)
        _require_own_feature_only(case, rows, "term", fitted.terms)


@law
def check_quadratic_form(case: DetectorCase) -> None:
    """The quadratic form of the coordinates is the score; its matrix is symmetric and >= 0."""
    rows, fitted = _subject(case), case.fitted
    if isinstance(fitted, QuadraticForm):
        form = fitted.quadratic()
        require(np.array_equal(form.matrix, form.matrix.T), "the matrix is not symmetric")
        lowest = float(np.linalg.eigvalsh(form.matrix).min())
        largest = float(np.abs(form.matrix).max())
        require(lowest >= -1e-9 * largest, f"the matrix has the eigenvalue {lowest:.6g} < 0")
        delta = fitted.coordinates(rows) - form.center
        products = delta * (delta @ form.matrix)
        score = products.sum(axis=1) + form.offset
        _require_scores(case, rows, "the quadratic form", score, products)
        _require_own_feature_only(case, rows, "coordinate", fitted.coordinates)


@law
def check_product_kernel(case: DetectorCase) -> None:
    """The weighted sum of product kernels is the score."""
    rows, fitted = _subject(case), case.fitted
    if isinstance(fitted, ProductKernel):
        kernel = fitted.kernel_sum()
        gaps = (fitted.coordinates(rows)[:, None, :] - kernel.points) ** 2
        summands = kernel.weights * np.exp(-(gaps * kernel.gamma).sum(axis=2))
        score = summands.sum(axis=1) + kernel.offset
        _require_scores(case, rows, "the kernel sum", score, summands)
        _require_own_feature_only(case, rows, "coordinate", fitted.coordinates)


@law
def check_tree_ensemble(case: DetectorCase) -> None:
    """A walk down the forest's trees gives the score, and the covers of children add up."""
    rows, fitted = _subject(case), case.fitted
    if isinstance(fitted, TreeEnsemble):
        forest = fitted.forest()
        inner = np.flatnonzero(forest.left >= 0)
        parts = forest.cover[forest.left[inner]] + forest.cover[forest.right[inner]]
        require(np.allclose(parts, forest.cover[inner]), "a node's cover is not its children's sum")
        values = forest.scale * leaf_values(forest, rows.numeric())
        score = forest.offset + values.mean(axis=1)
        _require_scores(case, rows, "the forest's mean leaf", score, values)


def leaf_values(forest: Forest, values: FloatArray) -> FloatArray:
    """Return the leaf that each row of ``values`` reaches in each tree, shape ``(n, n_trees)``."""
    # Beyond the range of float32 a value becomes infinite there, and compares as it should.
    with np.errstate(over="ignore"):
        single = values.astype(np.float32)
    node = np.tile(forest.roots, (len(values), 1))
    row = np.arange(len(values))[:, None]
    while (inner := forest.left[node] >= 0).any():
        goes_left = single[row, np.maximum(forest.feature[node], 0)] <= forest.threshold[node]
        child = np.where(goes_left, forest.left[node], forest.right[node])
        node = np.where(inner, child, node)
    return forest.value[node]


@law
def check_neighbours(case: DetectorCase) -> None:
    """The mean squared distance to the neighbours is the score."""
    rows, fitted = _subject(case), case.fitted
    if isinstance(fitted, Neighbours):
        points = fitted.coordinates(rows)
        squares = (points[:, None, :] - fitted.neighbours(rows)) ** 2
        distances = squares.sum(axis=2)
        score = distances.mean(axis=1)
        _require_scores(case, rows, "the mean squared distance", score, distances)
        _require_own_feature_only(case, rows, "coordinate", fitted.coordinates)


@law
def check_gradient(case: DetectorCase) -> None:
    """A score moves with each coordinate as the gradient says; rows have theirs in any batch.

    At a kink of the score the gradient may be that of either side, or lie between them.
    """
    rows, fitted = _subject(case), case.fitted
    if isinstance(fitted, Differentiable):
        _require_own_feature_only(case, rows, "coordinate", fitted.coordinates)
        points = fitted.coordinates(rows)
        got = fitted.gradients(points)
        alone = [fitted.gradients(points[i : i + 1])[0] for i in range(len(points))]
        moved = np.flatnonzero((got != np.array(alone)).any(axis=1))
        require(not len(moved), f"alone, row {moved[:1]} has another gradient than in a batch")
        names = [signal.name for signal in case.fitted.signals]
        steps = rows.values.std(axis=0) * _STEP
        for column, signal in enumerate(rows.of_kind(numeric=True)):
            _require_slope(case, rows, column, steps[column], got[:, names.index(signal.name)])


def _require_slope(
    case: DetectorCase, rows: Frame, column: int, step: float, claimed: FloatArray
) -> None:
    """Require that ``claimed`` (n,) lies between the slopes below and above each row."""
    fitted, feature = case.fitted, [s.name for s in case.fitted.signals].index(rows.names[column])
    seen = []
    for sign in (-1.0, 0.0, 1.0):
        values = rows.values.astype(np.float64)
        values[:, column] += sign * step
        there = data.changed(rows, values)
        seen.append((fitted.coordinates(there)[:, feature], fitted.score(there)))
    (low, below), (here, scores), (high, above) = seen
    rises = np.array([scores - below, above - scores])
    runs = np.array([here - low, high - here])
    says = claimed * runs
    size = np.abs(scores) * _ROUNDED + np.abs(rises).max(axis=0) * _BENT
    off = np.maximum(np.minimum(*(rises - says)), -np.maximum(*(rises - says))) - size
    worst = int(np.argmax(off))
    require(
        off[worst] <= 0,
        f"along '{rows.names[column]}' the score of row {worst} moves by {rises[:, worst]} where "
        f"its gradient, {claimed[worst]:.9g}, says {says[:, worst]}",
    )


@law
def check_feed_forward(case: DetectorCase) -> None:
    """What the layers make of the coordinates is the score."""
    rows, fitted = _subject(case), case.fitted
    if isinstance(fitted, FeedForward):
        layers, values = fitted.layers(), fitted.coordinates(rows)
        for weights, biases in zip(layers.weights[:-1], layers.biases[:-1], strict=True):
            sums = values @ weights + biases
            values = np.where(sums < 0, layers.slope * sums, sums)
        summands = values * layers.weights[-1].T
        claimed = summands.sum(axis=1) + layers.biases[-1][0]
        _require_scores(case, rows, "the layers' output", claimed, summands)
        _require_own_feature_only(case, rows, "coordinate", fitted.coordinates)


@law
def check_linked_sum(case: DetectorCase) -> None:
    """The members' linked scores add up to the score, and no link ever decreases."""
    rows, fitted = _subject(case), case.fitted
    if isinstance(fitted, LinkedSum):
        scores = [m.score(narrowed(rows, m.signals)) for m in fitted.members()]
        linked = np.column_stack([fitted.linked(i, s) for i, s in enumerate(scores)])
        _require_scores(case, rows, "the sum of the links", linked.sum(axis=1), linked)
        for member, own in enumerate(scores):
            between = np.linspace(own.min(), own.max(), 200)
            falls = np.flatnonzero(np.diff(fitted.linked(member, between)) < 0)
            require(
                not len(falls),
                f"the link of member {member} decreases at its score {between[falls[:1]]}",
            )


def _subject(case: DetectorCase) -> Frame:
    """Return rows that `score` takes, with spikes among them."""
    frame = data.spiked(case.fresh, 3)
    frame = data.spiked(frame, len(frame) - 9, slice(0, 1))
    return case.scorable_rows(frame)


def _require_scores(
    case: DetectorCase, rows: Frame, what: str, claimed: FloatArray, summands: FloatArray
) -> None:
    """Require that ``claimed`` (n,) are the scores, up to the rounding of their summands."""
    scores = case.fitted.score(rows)
    size = np.maximum(1.0, np.maximum(np.abs(scores), np.abs(summands).sum(axis=1)))
    gap = np.abs(claimed - scores) / size
    worst = int(np.argmax(gap))
    require(
        gap[worst] <= _TOLERANCE,
        f"{what} of row {worst} is {claimed[worst]:.12g}, its score is {scores[worst]:.12g}",
    )


def _require_own_feature_only(
    case: DetectorCase, rows: Frame, what: str, read: Callable[[Frame], FloatArray]
) -> None:
    """Require that column j of ``read`` stays the same when only other features change."""
    before = read(rows)
    for column, signal in enumerate(rows.of_kind(numeric=True)):
        values = rows.values.copy()
        values[:, column] = values[::-1, column]
        after = read(data.changed(rows, values))
        others = np.delete(np.arange(before.shape[1]), rows.names.index(signal.name))
        moved = np.flatnonzero((before[:, others] != after[:, others]).any(axis=0))
        if len(moved):
            name = rows.names[int(others[moved[0]])]
            require(False, f"the {what} of '{name}' depends on '{signal.name}'")
