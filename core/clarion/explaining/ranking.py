"""Ranking: which raw signals are the sick ones, whatever the detector made of them.

A decomposition says what made the score; it finds sick sensors badly (SCIENCE 1 and 2). So a small
model of each raw signal's own normal behaviour is kept, and a row's signals are ranked by how far
they depart from it, in standard deviations of normal rows (which compare between signals and rows):

- rows in time order: by the largest jump off the signal's running means, over spans of time;
- rows in no order: by the distance from what the healthy signals foretell, where the sick ones are
  found and foretell nothing, or from the mean, whichever is further;
- words and missing cells: by their rarity.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from clarion.arrays import FloatArray, Int64Array, NumericArray, frozen
from clarion.errors import ArtifactCorruptError
from clarion.explaining.rarity import FLOOR, Rarity, rarity
from clarion.explaining.relations import Relations
from clarion.features import rows_by_asset
from clarion.frames import Frame, Signal, SignalKind
from clarion.kernels.surprise import departures, jumps, moments
from clarion.state import State, nested, unnested

SPANS = frozen(np.array([1.0, 8.0, 64.0, 512.0]))
"""Rows behind each running mean, in equal steps of the logarithm: from sudden changes to lasting ones."""
_SAME = 1e-12
"""Range, as a share of a signal's size, that is rounding: it never moved."""

Pasts = Mapping[str, FloatArray]
"""By asset: its running means, and how many numbers made them; ``(len(SPANS) + 1, d_numeric)``."""


@dataclass(frozen=True, eq=False)
class SignalRanking:
    """What each raw signal does in normal rows.

    Attributes
    ----------
    center, scale
        Shape ``(d_numeric,)``, in each signal's unit; the scale of one that never moved is 0.
    rare
        How rare words and missing cells are.
    steps
        Of rows in order: how much a signal jumps off each running mean, ``(len(SPANS), d_numeric)``.
    related
        Of rows in no order: how the signals go together; None of too many of them.
    """

    center: FloatArray
    scale: FloatArray
    rare: Rarity
    steps: FloatArray | None
    related: Relations | None

    @classmethod
    def learn(cls, frame: Frame, *, ordered: bool) -> SignalRanking:
        """Learn from normal rows."""
        values = frozen(frame.values.astype(np.float64))
        center, scale = _center_and_scale(values)
        points = departures(values, center, scale, rarity(0, len(frame)))
        steps = _steps(frame, points) if ordered else None
        related = None if ordered else Relations.learn(points)
        return cls(center, scale, Rarity.learn(frame), steps, related)

    def scores(
        self, frame: Frame, chosen: Int64Array, pasts: Pasts
    ) -> tuple[FloatArray, dict[str, FloatArray]]:
        """Return the ranking scores of chosen rows, and what is known of each asset after all rows.

        Parameters
        ----------
        frame
            Rows with the signals in the model's order.
        chosen
            Shape ``(m,)``: which rows.
        pasts
            What came before, where rows are in order.

        Returns
        -------
        Shape ``(m, n_signals)``, >= 0, in standard deviations; and the pasts of the assets in it.
        """
        if self.steps is None:
            surprises = self._unordered(self._points(frame.values[chosen]))
            return self.rare.filled(frame, chosen, surprises), {}
        surprises, after = self._ordered(frame, pasts, self.steps)
        return self.rare.filled(frame, chosen, surprises[chosen]), after

    def _points(self, values: NumericArray) -> FloatArray:
        wide = frozen(values.astype(np.float64, copy=False))
        return departures(wide, self.center, self.scale, self._first)

    @cached_property
    def _first(self) -> float:
        return rarity(0, self.rare.rows)

    def _unordered(self, points: FloatArray) -> FloatArray:
        if self.related is None:
            return np.abs(points)
        return self.related.surprises(points)

    def _ordered(
        self, frame: Frame, pasts: Pasts, steps: FloatArray
    ) -> tuple[FloatArray, dict[str, FloatArray]]:
        points = self._points(frame.values)
        out, after = np.empty(points.shape), dict[str, FloatArray]()
        for rows in rows_by_asset(frame):
            name = frame.asset_of(int(rows[0])).name
            past = pasts[name] if name in pasts else _no_past(points.shape[1])
            out[rows], after[name], _ = jumps(points[rows], past, SPANS, steps)
        return out, after

    def state(self) -> State:
        """Return all of it."""
        parts = {"rare": self.rare.state()}
        if self.related is not None:
            parts["related"] = self.related.state()
        whole = nested(parts)
        arrays = {"center": self.center, "scale": self.scale, **whole.arrays}
        if self.steps is not None:
            arrays["steps"] = self.steps
        return State(1, {"parts": whole.parameters}, arrays)

    @classmethod
    def from_state(cls, state: State, signals: tuple[Signal, ...]) -> SignalRanking:
        """Return the model that `state` describes, of ``signals``.

        Raises
        ------
        ArtifactCorruptError
            It describes none.
        """
        numeric = sum(signal.kind is SignalKind.NUMERIC for signal in signals)
        center, scale = (
            state.require(1).array("center", (numeric,)),
            state.array("scale", (numeric,)),
        )
        parts = unnested(State(1, state.parameter("parts", dict), state.arrays, state.blobs))
        if "rare" not in parts or (scale < 0).any():
            raise ArtifactCorruptError(
                "the stored ranking lacks its rarities, or a scale is negative"
            )
        steps = related = None
        if "steps" in state.arrays:
            steps = state.array("steps", (len(SPANS), numeric))
        if "related" in parts:
            related = Relations.from_state(parts["related"], numeric)
        if steps is not None and (steps <= 0).any():
            raise ArtifactCorruptError("the stored ranking has a jump scale that is not positive")
        return cls(center, scale, Rarity.from_state(parts["rare"], signals), steps, related)


def _center_and_scale(values: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return each column's mean, and its deviation plus `FLOOR` of its range; 0 if it never moved."""
    low, high = (np.nan_to_num(f.reduce(values, axis=0)) for f in (np.fmin, np.fmax))
    size = np.maximum(np.abs(low), np.abs(high))
    size = np.where(size > 0, size, 1.0)
    mean, deviation = moments(values, size)
    reach = high / size - low / size
    with np.errstate(over="ignore"):
        scale = np.minimum((deviation + FLOOR * reach) * size, np.finfo(float).max)
    return frozen(mean * size), frozen(np.where(reach > _SAME, scale, 0.0))


def _steps(frame: Frame, points: FloatArray) -> FloatArray:
    """Return the root mean square jump off each running mean, plus `FLOOR` of the range; > 0."""
    d = points.shape[1]
    squares, count = np.zeros((len(SPANS), d)), np.zeros(d)
    for rows in rows_by_asset(frame):
        unlimited = np.full((len(SPANS), d), math.inf)
        _, after, summed = jumps(points[rows], _no_past(d), SPANS, unlimited)
        squares += summed
        count += np.maximum(after[-1] - 1, 0)
    known = np.where(np.isnan(points), 0.0, points)
    steps = np.sqrt(squares / np.maximum(count, 1)) + FLOOR * np.ptp(known, axis=0)
    return frozen(np.where(steps > 0, steps, 1.0))


def _no_past(signals: int) -> FloatArray:
    return np.zeros((len(SPANS) + 1, signals))
