"""Normally distributed points from the digits of an even net, and their mirror images."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from clarion.arrays import FloatArray
from clarion.kernels.compiled import kernel

_CENTRAL = 0.425  # |p - 1/2| up to which the first rational function holds: Wichura, p. 478


@kernel
def mirrored_normal(net: NDArray[np.uint32], shift: NDArray[np.uint32], bits: int) -> FloatArray:
    """Return the origin, standard normal points, and their mirror images, shape ``(2 n + 1, d)``.

    Parameters
    ----------
    net
        Points of the unit cube, ``(n, d)``, as so many binary digits (at most 31).
    shift
        Digits ``(d,)`` that are added to each point's without carrying.
    """
    n, d = net.shape
    cell = 2.0**-bits
    out = np.empty((2 * n + 1, d))
    out[0] = 0.0
    for i in range(1, n + 1):
        # The middle's formula for all, which vectorises; then the tails'.
        for j in range(d):
            q = (float(net[i - 1, j] ^ shift[j]) + 0.5) * cell - 0.5
            out[n + i, j] = q
            out[i, j] = _central(q)
        for j in range(d):
            q = out[n + i, j]
            if abs(q) > _CENTRAL:
                out[i, j] = math.copysign(_tail(math.sqrt(-math.log(0.5 - abs(q)))), q)
            out[n + i, j] = -out[i, j]
    return out


@kernel
def _central(q: float) -> float:
    """Return the normal quantile of 1/2 + q, to 1e-16: Wichura (1988), Appl. Stat. 37(3), AS 241."""
    r = 0.180625 - q * q
    top = 2.5090809287301226727e3
    top = top * r + 3.3430575583588128105e4
    top = top * r + 6.7265770927008700853e4
    top = top * r + 4.5921953931549871457e4
    top = top * r + 1.3731693765509461125e4
    top = top * r + 1.9715909503065514427e3
    top = top * r + 1.3314166789178437745e2
    top = top * r + 3.3871328727963666080e0
    low = 5.2264952788528545610e3
    low = low * r + 2.8729085735721942674e4
    low = low * r + 3.9307895800092710610e4
    low = low * r + 2.1213794301586595867e4
    low = low * r + 5.3941960214247511077e3
    low = low * r + 6.8718700749205790830e2
    low = low * r + 4.2313330701600911252e1
    return q * top / (low * r + 1.0)


@kernel
def _tail(r: float) -> float:
    """Return the normal quantile of 1 - exp(-r²) for r up to 5 (1e-11), likewise."""
    r -= 1.6
    top = 7.74545014278341407640e-4
    top = top * r + 2.27238449892691845833e-2
    top = top * r + 2.41780725177450611770e-1
    top = top * r + 1.27045825245236838258e0
    top = top * r + 3.64784832476320460504e0
    top = top * r + 5.76949722146069140550e0
    top = top * r + 4.63033784615654529590e0
    top = top * r + 1.42343711074968357734e0
    low = 1.05075007164441684324e-9
    low = low * r + 5.47593808499534494600e-4
    low = low * r + 1.51986665636164571966e-2
    low = low * r + 1.48103976427480074590e-1
    low = low * r + 6.89767334985100004550e-1
    low = low * r + 1.67638483018380384940e0
    low = low * r + 2.05319162663775882187e0
    return top / (low * r + 1.0)
