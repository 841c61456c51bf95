"""Explainers that keep every law: an exact, an additive, a sampled one, and a cross-check."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from clarion.arrays import FloatArray
from clarion.detectors import AdditiveTerms, Neighbours
from clarion.errors import UnsupportedPairError
from clarion.explainers import Attribution, Label, Role, Scorable, Support, additivity_error
from clarion.frames import Frame
from clarion.parameters import parameter

Seeds = NDArray[np.uint64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Exact:
    """Each term less its mean over the background."""

    role: ClassVar[Role] = Role.DECOMPOSITION

    def supports(self, scorable: Scorable) -> Support | None:
        fits = isinstance(scorable.capability, AdditiveTerms)
        return Support(Label.EXACT, 0) if fits else None

    def explain(
        self, scorable: Scorable, frame: Frame, *, evaluations: int, seeds: Seeds
    ) -> Attribution:
        detector = scorable.capability
        if not isinstance(detector, AdditiveTerms):
            raise UnsupportedPairError("there are no terms")
        absent = detector.terms(scorable.background).mean(axis=0)
        present = detector.terms(frame)
        contributions = scorable.by_player(np.ascontiguousarray(present - absent))
        base = np.full(len(frame), absent.sum())
        return Attribution(
            contributions,
            base,
            Label.EXACT,
            method="exact",
            value_function="marginal over the background",
            additivity_error=additivity_error(contributions, base, scorable.score(frame)),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Frozen:
    """Each coordinate's squared distance to the row's own neighbours, from zero."""

    role: ClassVar[Role] = Role.DECOMPOSITION

    def supports(self, scorable: Scorable) -> Support | None:
        fits = isinstance(scorable.capability, Neighbours)
        return Support(Label.ADDITIVE, 0) if fits else None

    def explain(
        self, scorable: Scorable, frame: Frame, *, evaluations: int, seeds: Seeds
    ) -> Attribution:
        detector = scorable.capability
        if not isinstance(detector, Neighbours):
            raise UnsupportedPairError("there are no neighbours")
        points = detector.coordinates(frame)
        squares = (points[:, None, :] - detector.neighbours(frame)) ** 2
        parts = squares.mean(axis=1)
        contributions = np.ascontiguousarray(parts)
        base = np.zeros(len(frame))
        return Attribution(
            contributions,
            base,
            Label.ADDITIVE,
            method="frozen",
            value_function="distance zero",
            additivity_error=additivity_error(contributions, base, scorable.score(frame)),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampled:
    """Shapley values from random orders, each walked forth and back over one background row."""

    role: ClassVar[Role] = Role.DECOMPOSITION

    fewest: int = parameter(8, "Pairs of orders that are always drawn.", minimum=2, maximum=1000)

    def supports(self, scorable: Scorable) -> Support | None:
        return Support(Label.SAMPLED, self._cost(scorable) * self.fewest)

    def explain(
        self, scorable: Scorable, frame: Frame, *, evaluations: int, seeds: Seeds
    ) -> Attribution:
        pairs = evaluations // self._cost(scorable)
        n, d = frame.values.shape
        contributions, error = np.zeros((n, d)), np.zeros((n, d))
        for i in range(n):
            rng = np.random.default_rng(seeds[i])
            parts = _walks(scorable, frame.values[i], pairs, rng)
            contributions[i] = parts.mean(axis=0)
            error[i] = parts.std(axis=0, ddof=1) / np.sqrt(pairs)
        scores = scorable.score(frame)
        base = scores - contributions.sum(axis=1)
        return Attribution(
            contributions,
            base,
            Label.SAMPLED,
            method="sampled",
            value_function="marginal over the background",
            additivity_error=additivity_error(contributions, base, scores),
            standard_error=error,
        )

    def _cost(self, scorable: Scorable) -> int:
        return 2 * (len(scorable.background.signals) + 1)


def _walks(scorable: Scorable, row: FloatArray, pairs: int, rng: np.random.Generator) -> FloatArray:
    """Return each pair's mean contributions, shape (pairs, d)."""
    background, d = scorable.background, len(row)
    paths, orders = [], []
    for _ in range(pairs):
        order = rng.permutation(d)
        absent = background.values[rng.integers(len(background))]
        for walk in (order, order[::-1]):
            step = np.argsort(walk)
            paths.append(np.where(step < np.arange(d + 1)[:, None], row, absent))
            orders.append(walk)
    cells = Frame.of(np.concatenate(paths), background.names)
    gains = np.diff(scorable.score(cells).reshape(-1, d + 1), axis=1)
    parts = np.empty_like(gains)
    np.put_along_axis(parts, np.array(orders), gains, axis=1)
    means: FloatArray = parts.reshape(pairs, 2, d).mean(axis=1)
    return means


@dataclass(frozen=True, slots=True, kw_only=True)
class Occlusion:
    """By how much the score falls when one signal returns to the background's median."""

    role: ClassVar[Role] = Role.CROSS_CHECK

    def supports(self, scorable: Scorable) -> Support | None:
        return Support(Label.SAMPLED, len(scorable.background.signals))

    def explain(
        self, scorable: Scorable, frame: Frame, *, evaluations: int, seeds: Seeds
    ) -> Attribution:
        scores, median = scorable.score(frame), np.median(scorable.background.values, axis=0)
        falls = []
        for j in range(frame.values.shape[1]):
            values = frame.values.copy()
            values[:, j] = median[j]
            falls.append(scores - scorable.score(frame.with_numeric(values)))
        contributions = np.ascontiguousarray(np.stack(falls, axis=1))
        base = np.full(len(frame), scorable.mean_score())
        honest = additivity_error(contributions, base, scores)
        quality = 1.0 - honest
        return Attribution(
            contributions,
            base,
            Label.SAMPLED,
            method="occlusion",
            value_function="the median of the background",
            additivity_error=honest,
            fit_quality=quality,
        )
