"""Freeing coordinates of a quadratic form one after the other, by downdates of its matrix.

With ``S`` free, the form of the others is ``P - P_:S P_SS^-1 P_S:``, their Schur complement. It is kept
as ``P - V' V``, one row of ``V`` a freed coordinate, so that no second matrix is made.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from scipy.linalg import solve_triangular

from clarion.arrays import BoolArray, FloatArray, Int64Array
from clarion.kernels.freed_form import freed_factor

_FLAT = 1e-12
"""Share of the largest diagonal below which a coordinate has no say in the form."""


@dataclass(frozen=True, eq=False)
class Freed:
    """The form once some coordinates are free.

    Attributes
    ----------
    matrix
        The form's own, positive semi-definite, shape ``(d, d)``.
    deviation
        Shape ``(d,)``: the coordinates less the center.
    free
        The free coordinates, each once.
    fewer
        The same form with the first of ``free`` only, whose work is not done again.
    """

    matrix: FloatArray
    deviation: FloatArray
    free: Int64Array
    fewer: Freed | None = None

    @classmethod
    def start(cls, matrix: FloatArray, deviation: FloatArray) -> Freed:
        """Return the form with nothing free."""
        return cls(matrix, deviation, np.empty(0, np.int64))

    def then(self, *players: Int64Array) -> Freed:
        """Return the form with these coordinates free too."""
        every = np.concatenate([self.free, *players]).tolist()
        free = np.array(list(dict.fromkeys(every)), np.int64)
        return Freed(self.matrix, self.deviation, free, self)

    @cached_property
    def factor(self) -> FloatArray:
        """``V``, shape ``(k, d)``."""
        known = np.empty((0, len(self.matrix))) if self.fewer is None else self.fewer.factor
        return freed_factor(self.matrix, self.free, self._flat, known)

    @cached_property
    def _held(self) -> FloatArray:
        held = self.deviation.copy()
        held[self.free] = 0.0
        return held

    @cached_property
    def gradient(self) -> FloatArray:
        """Half the form's gradient by what is held, shape ``(d,)``."""
        pull = self.matrix @ self._held - self.factor.T @ (self.factor @ self._held)
        pull[self.free] = 0.0
        return np.asarray(pull)

    @property
    def value(self) -> float:
        """The least value of the form, once the free coordinates are at their best."""
        return float(self._held @ self.gradient)

    def best(self) -> FloatArray:
        """Return the free coordinates' best deviations, all others held; 0 where any is as good."""
        # The factor's free columns are triangular: P_SS = L L' with L below.
        lower = self.factor[:, self.free].T
        steep = np.flatnonzero(lower.diagonal() > 0)
        lower = lower[np.ix_(steep, steep)]
        pull = (self.matrix[self.free] @ self._held)[steep]
        best = np.zeros(len(self.free))
        half = solve_triangular(lower, pull, lower=True, check_finite=False)
        best[steep] = -solve_triangular(lower, half, lower=True, trans="T", check_finite=False)
        return best

    def gains(self, players: Sequence[Int64Array]) -> FloatArray:
        """Return by how much freeing each player would lower `value`, shape ``(len(players),)``."""
        sizes = np.array([len(members) for members in players])
        gains = np.empty(len(players))
        for size in np.unique(sizes):
            alike = np.flatnonzero(sizes == size)
            gains[alike] = self.gains_of(np.array([players[int(k)] for k in alike]))
        return gains

    def gains_of(self, sets: Int64Array) -> FloatArray:
        """Return the gains of sets of coordinates, shape ``(n, s)``: ``g_S' C_SS^-1 g_S``."""
        factor = self.factor[:, sets]
        blocks = self.matrix[sets[:, :, None], sets[:, None, :]]
        blocks = blocks - np.einsum("kns,knt->nst", factor, factor)
        blocks[self._is_free[sets]] = 0.0
        return _eliminated(blocks, self.gradient[sets], self._flat)

    @cached_property
    def _is_free(self) -> BoolArray:
        mask = np.zeros(len(self.deviation), np.bool_)
        mask[self.free] = True
        return mask

    @property
    def _flat(self) -> float:
        return _FLAT * max(float(self.matrix.diagonal().max()), 1e-300)

    def best_sets(self, coordinates: Int64Array, size: int) -> tuple[Int64Array, FloatArray]:
        """Return every set of ``size`` of ``coordinates``, and `value` with each of them free too."""
        sets = coordinates[_combinations(len(coordinates), size)]
        return sets, self.value - self.gains_of(sets)


def held_alone(matrix: FloatArray) -> FloatArray:
    """Return what is left of each diagonal element once all other coordinates are free, ``(d,)``."""
    d = len(matrix)
    every, nothing = np.arange(d), np.zeros(d)
    left = np.empty(d)
    for j in range(d):
        column = Freed(matrix, nothing, np.delete(every, j)).factor[:, j]
        left[j] = max(0.0, matrix[j, j] - float(column @ column))
    return left


def _eliminated(blocks: FloatArray, gradients: FloatArray, flat: float) -> FloatArray:
    """Return ``g' B^-1 g`` of blocks ``(n, s, s)``, by elimination; flat directions give nothing."""
    blocks, gradients = blocks.copy(), gradients.copy()
    total = np.zeros(len(blocks))
    for k in range(blocks.shape[1]):
        pivot = blocks[:, k, k]
        steep = pivot > flat
        inverse = np.where(steep, 1.0 / np.where(steep, pivot, 1.0), 0.0)
        total += gradients[:, k] ** 2 * inverse
        weight = blocks[:, k + 1 :, k] * inverse[:, None]
        gradients[:, k + 1 :] -= weight * gradients[:, k : k + 1]
        blocks[:, k + 1 :, k + 1 :] -= weight[:, :, None] * blocks[:, k : k + 1, k + 1 :]
    return total


@lru_cache(maxsize=128)
def _combinations(n: int, size: int) -> Int64Array:
    """Return all sets of ``size`` of ``n``; shape ``(n over size, size)``."""
    sets = list(itertools.combinations(range(n), size))
    return np.array(sets, np.int64).reshape(len(sets), size)
