"""Freeing coordinates of a quadratic form one after the other, by downdates of its matrix.

With ``S`` free, the form of the others is ``P - P_:S P_SS^-1 P_S:``, their Schur complement. It is kept
as ``P - V V'``, one column of ``V`` a freed coordinate (a step of a pivoted Cholesky factorisation), so
that a step makes no second matrix.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from clarion.arrays import FloatArray, Int64Array

_FLAT = 1e-12
"""Share of the largest diagonal below which a coordinate has no say in the form."""


@dataclass(frozen=True, slots=True, eq=False)
class Freed:
    """The form once some coordinates are free.

    Attributes
    ----------
    matrix
        The form's own, positive semi-definite, shape ``(d, d)``.
    held
        Shape ``(d,)``: the deviations, 0 where free.
    factor
        Shape ``(d, k)``: ``V``.
    free
        The free coordinates.
    """

    matrix: FloatArray
    held: FloatArray
    factor: FloatArray
    free: Int64Array

    @classmethod
    def start(cls, matrix: FloatArray, deviation: FloatArray) -> Freed:
        """Return the form with nothing free."""
        return cls(matrix, deviation, np.empty((len(deviation), 0)), np.empty(0, np.int64))

    def then(self, members: Int64Array) -> Freed:
        """Return the form with these coordinates free too."""
        fresh = np.setdiff1d(members, self.free)
        factor, held, flat = self.factor, self.held.copy(), self._flat
        for member in fresh:
            column = self.matrix[:, member] - factor @ factor[member]
            if column[member] > flat:
                factor = np.column_stack([factor, column / np.sqrt(column[member])])
        held[fresh] = 0.0
        return Freed(self.matrix, held, factor, np.concatenate([self.free, fresh]))

    @property
    def gradient(self) -> FloatArray:
        """Half the form's gradient by what is held, shape ``(d,)``."""
        pull = self.matrix @ self.held - self.factor @ (self.factor.T @ self.held)
        pull[self.free] = 0.0
        return np.asarray(pull)

    @property
    def value(self) -> float:
        """The least value of the form, once the free coordinates are at their best."""
        return float(self.held @ self.gradient)

    def gains(self, players: Sequence[Int64Array]) -> FloatArray:
        """Return by how much freeing each player would lower `value`, shape ``(len(players),)``."""
        gains, gradient = np.empty(len(players)), self.gradient
        sizes = np.array([len(members) for members in players])
        for size in np.unique(sizes):
            alike = np.flatnonzero(sizes == size)
            gains[alike] = self._gains(np.array([players[int(k)] for k in alike]), gradient)
        return gains

    def _gains(self, sets: Int64Array, gradient: FloatArray) -> FloatArray:
        """Return the gains of sets of coordinates, shape ``(n, s)``, ``g_S' C_SS^-1 g_S``."""
        rows, columns = sets[:, :, None], sets[:, None, :]
        factor = self.factor[sets]
        blocks = self.matrix[rows, columns] - factor @ factor.transpose(0, 2, 1)
        is_free = np.isin(sets, self.free)
        blocks[is_free] = 0.0
        return _eliminated(blocks, gradient[sets], self._flat)

    @property
    def _flat(self) -> float:
        return _FLAT * max(float(self.matrix.diagonal().max()), 1e-300)

    def best_sets(self, coordinates: Int64Array, size: int) -> tuple[Int64Array, FloatArray]:
        """Return every set of ``size`` of ``coordinates``, and `value` with each of them free too."""
        sets = coordinates[_combinations(len(coordinates), size)]
        return sets, self.value - self._gains(sets, self.gradient)


def held_alone(matrix: FloatArray) -> FloatArray:
    """Return what is left of each diagonal element once all other coordinates are free, ``(d,)``."""
    d = len(matrix)
    every, nothing = np.arange(d), np.zeros(d)
    left = np.empty(d)
    for j in range(d):
        freed = Freed.start(matrix, nothing).then(np.delete(every, j))
        left[j] = max(0.0, matrix[j, j] - float(freed.factor[j] @ freed.factor[j]))
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
