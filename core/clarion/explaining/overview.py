"""Overview: what the reasons of many rows have in common, period by period.

A period's drift compares its contributions, signal by signal, with those of the background rows, by
the two-sample Kolmogorov-Smirnov statistic: which signals came to matter, or ceased to (Mougan et al.
2023, Explanation shift, arXiv 2303.08081, section 4).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy.stats import ks_2samp

from clarion.arrays import FloatArray
from clarion.errors import PluginError
from clarion.explainers import Interactions, Scorable
from clarion.explaining.ladder import Rung
from clarion.frames import Frame
from clarion.pipeline.guard import are_finite, plugin_errors

MOST_PERIODS = 100
MOST_PAIRS = 50
"""Pairs of players told at most, the strongest ones."""
MOST_PLAYERS = 256
"""With more, pairs are too many to work out: 200 rows of theirs take 100 MiB."""
INTERACTION_ROWS = 200
"""Rows whose interactions are worked out at most, spread evenly."""


@dataclass(frozen=True, slots=True, eq=False)
class Period:
    """Explained rows that follow each other.

    Attributes
    ----------
    rows
        Places of its explained rows among all that were explained: from, and up to without.
    sizes
        Mean |contribution| of each player, shape ``(k,)``, in score units.
    drift, drift_p_values
        Shape ``(k,)``: Kolmogorov-Smirnov distance in [0, 1] to the background's contributions, and
        the probability of one as large if nothing has changed; empty without a reference.
    """

    rows: tuple[int, int]
    sizes: FloatArray
    drift: FloatArray
    drift_p_values: FloatArray


@dataclass(frozen=True, slots=True)
class Pair:
    """Two players, and their mean |interaction| (the Shapley interaction index), in score units."""

    first: int
    second: int
    size: float


@dataclass(frozen=True, slots=True, eq=False)
class Overview:
    """What the reasons of ``rows`` explained rows have in common.

    Attributes
    ----------
    sizes, contributions
        Shape ``(k,)``: mean |contribution| and mean contribution of each player.
    periods
        In the order of the rows.
    pairs
        The strongest first; empty where the explainer knows no interactions.
    """

    rows: int
    sizes: FloatArray
    contributions: FloatArray
    periods: tuple[Period, ...]
    pairs: tuple[Pair, ...]


def overview(contributions: FloatArray, reference: FloatArray, periods: int) -> Overview:
    """Return what contributions ``(n, k)``, in the order of their rows, have in common.

    Parameters
    ----------
    reference
        Contributions of the background's rows, shape ``(m, k)``; without rows, nothing drifts.
    periods
        How many to tell apart, of equally many explained rows, in [1, `MOST_PERIODS`]; fewer where
        there are fewer rows.
    """
    n = len(contributions)
    cuts = np.linspace(0, n, min(periods, max(n, 1)) + 1).astype(np.int64)
    return Overview(
        rows=n,
        sizes=_mean(np.abs(contributions)),
        contributions=_mean(contributions),
        periods=tuple(
            _period(contributions, reference, int(start), int(stop))
            for start, stop in pairwise(cuts)
            if stop > start
        ),
        pairs=(),
    )


def strongest_pairs(interactions: FloatArray) -> tuple[Pair, ...]:
    """Return the pairs with the largest mean |interaction| of ``(n, k, k)``, at most `MOST_PAIRS`."""
    if not len(interactions):
        return ()
    sizes = np.triu(np.abs(interactions).mean(axis=0), 1)
    order = np.argsort(-sizes, axis=None, kind="stable")[:MOST_PAIRS]
    places = (np.unravel_index(place, sizes.shape) for place in order)
    return tuple(Pair(int(i), int(j), float(sizes[i, j])) for i, j in places if sizes[i, j] > 0)


def interactions(rung: Rung, scorable: Scorable, frame: Frame) -> FloatArray:
    """Return the interactions of some rows of features, spread evenly, shape ``(n, k, k)``.

    Empty where the explainer knows none, or there are more than `MOST_PLAYERS`.

    Raises
    ------
    PluginError
        It raised, or returned what is none; it is named.
    """
    explainer = rung.explainer
    few = 0 < scorable.n_players <= MOST_PLAYERS
    if not isinstance(explainer, Interactions) or not few or not len(frame):
        return np.empty((0, 0, 0))
    places = np.unique(np.linspace(0, len(frame) - 1, INTERACTION_ROWS).astype(np.int64))
    with plugin_errors("explainers", rung.name, "working out interactions"):
        found = explainer.interactions(scorable, frame.take(places))
    shape = (len(places), scorable.n_players, scorable.n_players)
    if not are_finite(found, shape):
        raise PluginError(
            f"the explainer '{rung.name}' returned interactions that are not finite float64 of shape "
            f"{shape}",
            plugin=rung.name,
            family="explainers",
        )
    return found


def _period(contributions: FloatArray, reference: FloatArray, start: int, stop: int) -> Period:
    part = contributions[start:stop]
    compared = zip(part.T, reference.T, strict=True) if len(reference) else ()
    tests = [ks_2samp(own, usual) for own, usual in compared]
    return Period(
        (start, stop),
        np.abs(part).mean(axis=0),
        np.array([float(test.statistic) for test in tests]),
        np.array([float(test.pvalue) for test in tests]),
    )


def _mean(values: FloatArray) -> FloatArray:
    return np.asarray(values.mean(axis=0)) if len(values) else np.zeros(values.shape[1])
