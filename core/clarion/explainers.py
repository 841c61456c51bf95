"""Contract of explainers: why a score is what it is, over a `Scorable`."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, ClassVar, Protocol, TypeVar, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from clarion.arrays import FloatArray, Int64Array
from clarion.frames import Frame
from clarion.kernels.sums import group_sums

T = TypeVar("T")


class Label(StrEnum):
    """How far to trust an attribution, best first."""

    EXACT = "exact"
    """Shapley values of the returned score."""
    ADDITIVE = "additive"
    """Base value + attributions = score, but not its Shapley values."""
    SAMPLED = "sampled"
    """Estimates, with standard errors."""

    @property
    def rank(self) -> int:
        """0 for the best."""
        return list(Label).index(self)


class Role(StrEnum):
    """What an explainer's numbers are for."""

    DECOMPOSITION = "decomposition"
    """They sum to the score."""
    CROSS_CHECK = "cross_check"
    """A local slope (LIME): they sum to nothing, and come with the quality of their fit."""


@dataclass(frozen=True, slots=True, eq=False)
class Scorable:
    """What is explained: a detector alone, or a whole pipeline.

    Attributes
    ----------
    score
        Frame of ``n`` rows to scores (n,), each row on its own.
    background
        Normal rows standing for "feature absent", shape ``(m, d)``, their signals in the order
        that the detector was fitted on: that of the contributions.
    capability
        The fitted detector, to be asked for its capabilities; None where only `score` is known.
    players
        Player of each feature, shape ``(d,)``, in 0 .. k - 1, each with a feature at least: the
        features of one player are present or absent together. None: each feature is a player.
    """

    score: Callable[[Frame], FloatArray]
    background: Frame
    capability: object = None
    players: Int64Array | None = None
    _memo: dict[str, Any] = field(default_factory=dict, init=False, repr=False)

    def once(self, key: str, make: Callable[[], T]) -> T:
        """Return ``make()``, kept under ``key`` as long as this scorable lives.

        For what explainers derive from background and capability alone. Threads may race to make
        it; all are given the same object.
        """
        if key not in self._memo:
            self._memo.setdefault(key, make())
        made: T = self._memo[key]
        return made

    @property
    def player_of(self) -> Int64Array:
        """Return the player of each feature, shape ``(d,)``."""
        alone = self.players is None
        return np.arange(len(self.background.signals)) if alone else np.asarray(self.players)

    @property
    def n_players(self) -> int:
        """Columns of the contributions."""
        return int(self.player_of.max(initial=-1)) + 1

    def by_player(self, contributions: FloatArray) -> FloatArray:
        """Return the sums over each player's features, ``(n, d)`` to ``(n, k)``, in their order.

        For a 2-additive game (additive terms, a quadratic form) these are the Shapley values of the
        game among the players (SCIENCE 1, "Grouping").
        """
        if self.players is None:
            return contributions
        return group_sums(contributions, self.player_of, self.n_players)

    def background_scores(self) -> FloatArray:
        """Return the background's scores, shape ``(m,)``."""
        return self.once("background_scores", lambda: self.score(self.background))

    def mean_score(self) -> float:
        """Return the mean score over the background."""
        return math.fsum(self.background_scores()) / len(self.background)


@dataclass(frozen=True, slots=True)
class Support:
    """What an explainer can do for a scorable: its label, and rows to be scored for each row.

    The row itself and the background, which is scored once, are not counted. ``by_name`` says that
    it answers another question than the others do, and so comes after them all unless named.
    """

    label: Label
    evaluations: int
    by_name: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Attribution:
    """Signed contributions of features to scores, in score units.

    Attributes
    ----------
    contributions
        Shape ``(n, k)``, one a player (a feature, unless grouped), float64; positive pushed the
        score up.
    base_value
        Shape ``(n,)``: what contributions add to. For ``exact`` the mean score over the background.
    label, method, value_function
        How far to trust them; the explainer's name; what "absent" means, in a few words.
    additivity_error
        Shape ``(n,)``: ``|base + sum - score| / max(1, |score|, sum |contribution|)``.
    standard_error
        Shape ``(n, k)`` for ``sampled``, and for ``additive`` where shares in the sum are estimates
        (the gradient family); else None.
    fit_quality
        Shape ``(n,)``: R² of a cross-check, at most 1; else None.
    interval
        Shape ``(n, k, 2)``: lower and upper end of each contribution's 95 % interval, where a
        cross-check worked one out; else None.
    """

    contributions: FloatArray
    base_value: FloatArray
    label: Label
    method: str
    value_function: str
    additivity_error: FloatArray
    standard_error: FloatArray | None = None
    fit_quality: FloatArray | None = None
    interval: FloatArray | None = None


class Explainer(Protocol):
    """A frozen dataclass of parameters."""

    role: ClassVar[Role]

    def supports(self, scorable: Scorable) -> Support | None:
        """Return what it can do for ``scorable``; None if it cannot explain it."""
        ...

    def explain(
        self, scorable: Scorable, frame: Frame, *, evaluations: int, seeds: NDArray[np.uint64]
    ) -> Attribution:
        """Explain each row of ``frame``.

        Parameters
        ----------
        evaluations
            Rows that may be scored for each row explained; at least what `supports` asked for
            (those that sample use as many as fit).
        seeds
            Shape ``(n,)``: the only source of randomness, one a row.
        """
        ...


@runtime_checkable
class Interactions(Protocol):
    """An explainer that also knows how pairs of players act together."""

    def interactions(self, scorable: Scorable, frame: Frame) -> FloatArray:
        """Return the Shapley interaction index of each pair, ``(n, k, k)``, in score units.

        Symmetric, 0 on the diagonal: what two players add together beyond what each adds alone, for
        the game that `Explainer.explain` plays (Grabisch & Roubens 1999, Int. J. Game Theory 28,
        p. 547).
        """
        ...


def additivity_error(
    contributions: FloatArray, base_value: FloatArray, scores: FloatArray
) -> FloatArray:
    """Return the scaled gap ``|base + sum - score| / max(1, |score|, sum |contribution|)``, (n,)."""
    gap = np.abs(base_value + contributions.sum(axis=1) - scores)
    size = np.abs(contributions).sum(axis=1)
    return np.asarray(gap / np.maximum(1.0, np.maximum(np.abs(scores), size)))
