"""Wild bootstrap of a line laid through mirrored points: how far its slopes may be off."""

from __future__ import annotations

import numpy as np

from clarion.arrays import FloatArray
from clarion.kernels.compiled import kernel

_LEAST = 1e-9  # of 1 - leverage: a pair that alone decides a slope leaves no residual to enlarge


@kernel
def pair_influences(
    half: FloatArray,
    odd: FloatArray,
    weights: FloatArray,
    slopes: FloatArray,
    inverse: FloatArray,
) -> FloatArray:
    """Return what each pair's residual does to the slopes, shape ``(n, d)``.

    Of a point and its mirror image only half the difference of their targets tells of the slopes, so
    pairs are what may be resampled. The residual is divided by 1 - leverage, as if the pair had been
    left out (HC3: MacKinnon & White (1985), J. Econometrics 29(3)).

    Parameters
    ----------
    half, odd, weights
        What `mirrored_least_squares` was given: ``(n, d)``, ``(n,)`` and ``(n,)``.
    slopes, inverse
        What it returned: ``(d,)`` and ``(d, d)``.
    """
    n, d = half.shape
    out = np.empty((n, d))
    lever = np.empty(d)
    for i in range(n):
        missed = odd[i]
        for j in range(d):
            missed -= half[i, j] * slopes[j]
            lever[j] = 0.0
        # Column by column: the inner loop runs over independent sums, so it vectorises in order.
        for k in range(d):
            for j in range(d):
                lever[j] += inverse[k, j] * half[i, k]
        leverage = 0.0
        for j in range(d):
            leverage += 2 * weights[i] * half[i, j] * lever[j]
        pull = 2 * weights[i] * missed / max(1 - leverage, _LEAST)
        for j in range(d):
            out[i, j] = pull * lever[j]
    return out


@kernel
def walsh_hadamard(values: FloatArray) -> None:
    """Replace the rows of ``values`` (n, d), n a power of two, by their n signed sums, in place.

    The signs are the rows of Sylvester's Hadamard matrix, each orthogonal to all others.
    """
    n, d = values.shape
    step = 1
    while step < n:
        for start in range(0, n, 2 * step):
            for i in range(start, start + step):
                for j in range(d):
                    first, second = values[i, j], values[i + step, j]
                    values[i, j] = first + second
                    values[i + step, j] = first - second
        step *= 2


@kernel
def nth_largest_size(values: FloatArray, n: int) -> FloatArray:
    """Return the n-th largest size in each column of ``values`` (b, k), shape ``(k,)``."""
    b, k = values.shape
    out = np.empty(k)
    largest = np.empty(n)  # the smallest of them first
    for j in range(k):
        largest[:] = -1.0
        for i in range(b):
            size = abs(values[i, j])
            if size > largest[0]:
                place = 0
                while place + 1 < n and largest[place + 1] < size:
                    largest[place] = largest[place + 1]
                    place += 1
                largest[place] = size
        out[j] = largest[0]
    return out
