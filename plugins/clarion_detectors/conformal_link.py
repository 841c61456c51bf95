"""The link of an ensemble's member: from its score to -log of a conformal p-value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from clarion.arrays import FloatArray
from clarion.errors import ArtifactCorruptError
from clarion.kernels.links import LARGEST_SCORE, surprise
from clarion.kernels.pareto import pareto_shape
from clarion.state import State

_VERSION = 1
_TAIL_SHARE = 0.05
"""Share of the scores that the tail is fitted to."""
_SMALLEST_TAIL = 10
_LARGEST_SHAPE = 0.5
"""Beyond, a generalised Pareto law has no variance, and its fit by moments no meaning."""


@dataclass(frozen=True, slots=True, eq=False)
class ConformalLink:
    """-log p, strictly increasing and continuous over all scores, however far out.

    At a calibration score, p is the split-conformal p-value with one more row, below all, counted
    in (Vovk et al. 2005); in between -log p is linear. Above the largest one the tail is a
    generalised Pareto law, fitted to the top 5 % by probability-weighted moments (Hosking & Wallis
    1987, Technometrics 29(3), eq. 5), its shape kept in [0, 0.5] so that p never reaches 0.

    Attributes
    ----------
    knots, values
        Distinct calibration scores, ascending, and -log p there, in nats.
    head_scale, tail_scale, tail_shape
        See `clarion.kernels.links.surprise`.
    """

    knots: FloatArray
    values: FloatArray
    head_scale: float
    tail_scale: float
    tail_shape: float

    @classmethod
    def of(cls, scores: FloatArray) -> Self:
        """Calibrate on the scores of normal rows, shape ``(m,)``, m >= 1."""
        ascending = np.sort(np.clip(scores, -LARGEST_SCORE, LARGEST_SCORE))
        m = len(ascending)
        knots, first = np.unique(ascending, return_index=True)
        values = -np.log((m - first + 1) / (m + 2))
        largest, scale = float(knots[-1]), _smallest_scale(knots, m)
        excesses, below = _excesses(ascending)
        shape = pareto_shape(excesses, _LARGEST_SHAPE)
        # The law of what exceeds the largest score, by the law of what exceeds the tail's start.
        tail = float(excesses.mean()) * (1 - shape) + shape * (largest - below)
        head = (largest - float(knots[0])) / 10
        return cls(knots, values, max(head, scale), max(tail, scale), shape)

    def __call__(self, scores: FloatArray) -> FloatArray:
        """Return -log p of finite ``scores``, shape ``(n,)``, in nats: >= 0, finite."""
        return surprise(
            scores, self.knots, self.values, self.head_scale, self.tail_scale, self.tail_shape
        )

    def state(self) -> State:
        """Return all of it."""
        parameters = {name: getattr(self, name) for name in _SCALARS}
        return State(_VERSION, parameters, {"knots": self.knots, "values": self.values})

    @classmethod
    def from_state(cls, state: State) -> Self:
        """Return the link that ``state`` describes."""
        knots = state.require(_VERSION).array("knots", (-1,))
        values = state.array("values", knots.shape)
        head, tail, shape = (state.parameter(name, float) for name in _SCALARS)
        rising = (np.diff(knots) > 0).all() and (np.diff(values) > 0).all()
        if not (len(knots) and rising and head > 0 and tail > 0 and shape >= 0):
            raise ArtifactCorruptError("the state of a link does not describe an increasing one")
        return cls(knots, values, head, tail, shape)


_SCALARS = ("head_scale", "tail_scale", "tail_shape")


def _smallest_scale(knots: FloatArray, m: int) -> float:
    """Return the least that counts as a difference between scores, > 0."""
    size = max(1.0, abs(float(knots[0])), abs(float(knots[-1])))
    return max(float(knots[-1] - knots[0]) / m, 1e-6 * size)


def _excesses(ascending: FloatArray) -> tuple[FloatArray, float]:
    """Return by how much the largest scores exceed the one below them, ascending, and that one."""
    m = len(ascending)
    count = min(max(round(_TAIL_SHARE * m), _SMALLEST_TAIL), m - 1) or 1
    below = float(ascending[max(m - count - 1, 0)])
    return ascending[m - count :] - below, below
