"""Reference: the held-out scores of one kind of rows, and what p-values and thresholds they give."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from clarion.arrays import BoolArray, FloatArray, Int64Array
from clarion.errors import InvalidParameterError
from clarion.pipeline.classes import POOLED
from clarion.pipeline.rank_rule import Promise, rank
from clarion.pipeline.tail import Tail


@dataclass(frozen=True, slots=True)
class Level:
    """A threshold, the smallest anomalous score.

    ``expected_rate`` is the share of normal rows expected to reach it, in (0, 1); ``extrapolated``
    whether held-out scores are too few for the promise, which is then not made.
    """

    threshold: float
    expected_rate: float
    extrapolated: bool = False


@dataclass(frozen=True, slots=True)
class Levels:
    """The threshold of rows that are judged pooled, and that of each class calibrated alone."""

    pooled: Level
    by_class: tuple[Level, ...] = ()

    def of(self, code: int) -> Level:
        """Return the level of one class; `classes.POOLED` for the pooled one."""
        return self.pooled if code == POOLED else self.by_class[code]

    def thresholds(self, classes: Int64Array | None, rows: int) -> FloatArray:
        """Return the threshold of each of ``rows`` rows, whose ``classes`` are as `Calibration` says."""
        if classes is None:
            return np.full(rows, self.pooled.threshold)
        every = [level.threshold for level in self.by_class]
        return np.array([*every, self.pooled.threshold])[classes]  # POOLED is the last one


@dataclass(frozen=True, slots=True, eq=False)
class Reference:
    """Scores of normal rows that no fit has seen, ascending, shape ``(n,)``, and the tail above them."""

    scores: FloatArray
    tail: Tail | None

    @classmethod
    def of(cls, scores: FloatArray) -> Self:
        """Make it of ``scores`` in any order, n >= 1.

        Raises
        ------
        InvalidParameterError
            A score is not finite: no p-value would mean anything.
        """
        if not np.isfinite(scores).all():
            raise InvalidParameterError(
                "scores to calibrate on must be finite numbers", field="scores"
            )
        ascending = np.sort(scores)
        return cls(ascending, Tail.of(ascending))

    @property
    def rows(self) -> int:
        """How many scores there are."""
        return len(self.scores)

    @property
    def smallest_p(self) -> float:
        """The smallest conformal p-value, ``1 / (n + 1)``; smaller ones are extrapolated."""
        return 1.0 / (self.rows + 1)

    def p_values(self, scores: FloatArray) -> FloatArray:
        """Return p-values, shape ``(n,)``: NaN where the score is.

        ``(1 + #{held-out scores >= score}) / (n + 1)``; above all held-out scores what the tail says, where
        there is one, in ``[1 / (5 n), 1 / (n + 1)]``.
        """
        reached = self.rows - np.searchsorted(self.scores, scores, side="left")
        p = np.asarray((1.0 + reached) / (self.rows + 1.0))
        beyond = scores > self.scores[-1]
        if self.tail is not None and beyond.any():
            p[beyond] = self.tail.p_values(scores[beyond])
        p[np.isnan(scores)] = np.nan
        return p

    def extrapolated(self, p_values: FloatArray) -> BoolArray:
        """Return which of `p_values` held-out scores alone could not show, shape ``(n,)``."""
        return np.asarray(p_values < self.smallest_p)

    def level(self, rate: float, promise: Promise, *, extrapolate: bool) -> Level | None:
        """Return the threshold for ``rate``, in (0, 1); None where there is none.

        It is the smallest double above an order statistic. Where no rank keeps the promise and
        ``extrapolate`` says so, it is the smallest score whose p-value is at most ``rate``.
        """
        found = self._ranked(rank(rate, self.rows, promise))
        if found is not None or not extrapolate:
            return found
        ranked = self._ranked(rank(rate, self.rows, Promise.AVERAGE))
        return self._beyond(rate) if ranked is None else replace(ranked, extrapolated=True)

    def _ranked(self, k: int) -> Level | None:
        if k < 1:
            return None
        threshold = math.nextafter(self.scores[self.rows - k], math.inf)
        return Level(threshold, k / (self.rows + 1))

    def _beyond(self, rate: float) -> Level | None:
        if self.tail is None or rate < self.tail.smallest_p:
            return None
        above = math.nextafter(self.scores[-1], math.inf)
        return Level(max(above, self.tail.score(rate)), rate, True)
