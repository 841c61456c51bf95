"""Shapley values by enumeration: slow, plain, and true by definition.

A game gives each set of players a worth. With ``k`` players there are ``2^k`` sets, numbered so that
bit ``j`` says whether player ``j`` is present, with all its features; unless said, each feature is a
player. Shapley (1953), Contributions to the Theory of Games II, p. 307.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from clarion.arrays import BoolArray, FloatArray, Int64Array
from clarion.detectors import Forest, QuadraticForm, TreeEnsemble
from clarion.explainers import Scorable
from clarion.frames import Frame
from clarion.kernels.shrunk_gaussian import shrunk_gaussian
from clarion.testing import data

MOST_FEATURES = 8
GAUSSIAN = "conditional (Gaussian"
"""How the value function of the conditional game of `conditional_worth` begins."""


def shapley_values(worth: FloatArray) -> FloatArray:
    """Return each player's Shapley value, shape ``(k,)``, from the worth of each set, ``(2^k,)``."""
    n_sets = len(worth)
    d = n_sets.bit_length() - 1
    sizes = _present(d).sum(axis=1)
    values = np.zeros(d)
    for j in range(d):
        without = np.flatnonzero(~_present(d)[:, j])
        weights = [1.0 / (d * math.comb(d - 1, int(sizes[s]))) for s in without]
        values[j] = math.fsum(weights * (worth[without + 2**j] - worth[without]))
    return values


def worth(scorable: Scorable, value_function: str, row: Frame) -> FloatArray:
    """Return the worth of each set of players, ``(2^k,)``, in the game that ``value_function`` names.

    It is the marginal game over the background, the path-dependent one of a forest, or the
    conditional one of a quadratic form.
    """
    forest = scorable.capability
    if GAUSSIAN in value_function and isinstance(forest, QuadraticForm):
        return conditional_worth(forest, scorable.background, row, scorable.players)
    if "path" in value_function and isinstance(forest, TreeEnsemble):
        return path_worth(forest.forest(), row.numeric()[0], scorable.players)
    return marginal_worth(scorable.score, scorable.background, row, scorable.players)


def marginal_worth(
    score: Callable[[Frame], FloatArray],
    background: Frame,
    row: Frame,
    player_of: Int64Array | None = None,
) -> FloatArray:
    """Return the mean score of the background rows with each set's cells taken from ``row``.

    ``player_of`` is the player of each signal, shape ``(d,)``.
    """
    m, sets = len(background), _sets(len(row.signals), player_of)
    present = np.repeat(sets, m, axis=0)
    rows = background.take(np.tile(np.arange(m), len(sets)))
    numeric = np.array([s in row.of_kind(numeric=True) for s in row.signals])
    mixed = data.changed(
        rows,
        np.where(present[:, numeric], row.values, rows.values),
        np.where(present[:, ~numeric], row.codes, rows.codes),
    )
    return np.asarray(score(mixed).reshape(len(sets), m).mean(axis=1))


def conditional_worth(
    detector: QuadraticForm, background: Frame, row: Frame, player_of: Int64Array | None = None
) -> FloatArray:
    """Return the mean of a quadratic score given each set's coordinates, in a Gaussian.

    Its mean and covariance are what `shrunk_gaussian` makes of the background's coordinates.
    """
    form, points = detector.quadratic(), np.array(detector.coordinates(background))
    mean, scale, correlation = shrunk_gaussian(points)
    covariance = correlation * np.outer(scale, scale)
    sets = _sets(len(mean), player_of)
    worth, delta = np.empty(len(sets)), detector.coordinates(row)[0] - mean
    for i, present in enumerate(sets):
        told = np.linalg.solve(covariance[np.ix_(present, present)], covariance[present])
        left = covariance - covariance[:, present] @ told
        expected = np.where(present, delta, told.T @ delta[present]) + mean - form.center
        worth[i] = expected @ form.matrix @ expected + (form.matrix * left).sum() + form.offset
    return worth


def path_worth(forest: Forest, row: FloatArray, player_of: Int64Array | None = None) -> FloatArray:
    """Return the expected score where absent features follow the training rows down each tree.

    Lundberg et al. (2020), Nature Machine Intelligence 2, Algorithm 1: at a split on an absent
    feature, both branches count, each by its share of the node's cover.
    """
    present = _sets(len(row), player_of)
    reach = np.zeros((len(forest.left), len(present)))
    reach[forest.roots] = 1.0
    level = forest.roots
    while len(level := level[forest.left[level] >= 0]):
        feature = forest.feature[level]
        # Beyond the range of float32 a value becomes infinite there, and compares as it should.
        with np.errstate(over="ignore"):
            goes_left = row[feature].astype(np.float32) <= forest.threshold[level]
        for child, taken in ((forest.left[level], goes_left), (forest.right[level], ~goes_left)):
            share = (forest.cover[child] / forest.cover[level])[:, None]
            reach[child] = reach[level] * np.where(present[:, feature].T, taken[:, None], share)
        level = np.concatenate([forest.left[level], forest.right[level]])
    leaves = forest.left < 0
    means = (reach[leaves] * forest.value[leaves][:, None]).sum(axis=0) / len(forest.roots)
    return np.asarray(forest.offset + forest.scale * means)


def _sets(features: int, player_of: Int64Array | None) -> BoolArray:
    """Return which features are present in which set of players, shape ``(2^k, d)``."""
    if player_of is None:
        return _present(features)
    return _present(int(player_of.max()) + 1)[:, player_of]


def _present(d: int) -> BoolArray:
    """Return which of ``d`` players are in which set, shape ``(2^d, d)``."""
    return np.asarray((np.arange(2**d)[:, None] >> np.arange(d)) & 1, np.bool_)
