"""Where LIME scores: Sobol points and their mirror images, normally distributed around a row."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from clarion.arrays import FloatArray
from clarion.kernels.normal_points import mirrored_normal

_BITS = 30
"""Binary digits of a point's coordinates: what scipy's generator gives."""


def sobol_net(count: int, d: int) -> NDArray[np.uint32]:
    """Return the binary digits of ``count`` (a power of two) Sobol points, shape ``(count, d)``.

    Scrambled once (Matoušek (1998), J. Complexity 14(4)), always alike: rows differ by their shift.
    """
    from scipy.stats import qmc  # takes a second to load

    net = qmc.Sobol(d, bits=_BITS, rng=np.random.default_rng(0)).random_base2(int(math.log2(count)))
    return np.asarray(net * 2**_BITS).astype(np.uint32)


def points(net: NDArray[np.uint32], rng: np.random.Generator) -> FloatArray:
    """Return the origin, standard normal points, and their mirror images, ``(2 count + 1, d)``.

    The digits of ``net`` are shifted at random, digit by digit, which keeps them as even as they
    are: Dick & Pillichshammer (2010), Digital nets and sequences, chapter 4.
    """
    shift = rng.integers(0, 2**_BITS, net.shape[1], dtype=np.uint32)
    return mirrored_normal(net, shift, _BITS)
