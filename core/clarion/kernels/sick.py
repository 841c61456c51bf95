"""Which signals of a row are sick, by what the healthy ones foretell."""

from __future__ import annotations

import math

import numpy as np

from clarion.arrays import FloatArray, Int64Array
from clarion.kernels.compiled import kernel

STARTS = 4
"""Signals tried as the first sick one: a wrong first often leads to a wrong set."""
MOST = 32
"""Signals sick together, at most: beyond, the row as a whole is strange."""
_NOTHING = 1e-4  # weight, beside the best set's, that changes no ranking
_FLAT = 1e-9  # share of its precision below which a signal is all but fixed by the others
_PULL, _SIZE, _GAIN, _STEP, _FACTOR = 0, 1, 2, 3, 4
"""Rows of the workspace: ``P x``, P's diagonal, what freeing each signal gains, and, for each signal
freed, its step of the solution of ``L s = P x``; then the columns of the factor L of P."""


@kernel
def conditional(points: FloatArray, precision: FloatArray, sick: float) -> FloatArray:
    """Return how far each number lies from what the healthy others foretell, in its deviations.

    A set S of sick signals foretells nothing, and lowers the squared Mahalanobis distance by
    ``g_S' (P_SS)^-1 g_S``, ``g = P x``. Sets are grown from each of the strongest first signals, always
    by the one that lowers it most, until none does by ``sick``; the answer is the mean over all sets
    met (and none), each weighing ``exp((lowered - sick |S|) / 2)``, as in Bayesian model averaging
    (Hoeting et al. (1999), Statistical Science 14(4), eq. 1, with that penalty as prior).

    Parameters
    ----------
    points
        Rows around the mean, shape ``(n, d)``; NaN where missing.
    precision
        Inverse covariance P of normal rows, shape ``(d, d)``.
    sick
        Penalty on each sick signal, >= 0; infinite if none is to be.

    Returns
    -------
    Shape ``(n, d)``, >= 0; NaN where missing.
    """
    n, d = points.shape
    out = np.empty((n, d))
    for i in range(n):
        freed, work = np.empty(d, np.int64), np.empty((_FACTOR + d, d))
        known = _begin(points[i], precision, freed, work)
        _average(known, precision, sick, freed, work, out[i])
        for j in range(d):
            if math.isnan(points[i, j]):
                out[i, j] = math.nan
    return out


@kernel
def _begin(row: FloatArray, precision: FloatArray, freed: Int64Array, work: FloatArray) -> int:
    """Set up the workspace with all missing numbers freed; return how many these are."""
    d, missing = len(row), 0
    for j in range(d):
        work[_PULL, j], work[_SIZE, j] = 0.0, precision[j, j]
        for k in range(d):
            if not math.isnan(row[k]):
                work[_PULL, j] += precision[j, k] * row[k]
    for j in range(d):
        if math.isnan(row[j]):
            _free(j, missing, precision, freed, work)
            missing += 1
    return missing


@kernel
def _average(
    known: int,
    precision: FloatArray,
    sick: float,
    freed: Int64Array,
    work: FloatArray,
    out: FloatArray,
) -> None:
    """Write the surprises, averaged over the sets of sick signals met, into ``out``."""
    _judge(known, precision, freed, work, out)
    begun, one = work[: _GAIN + 1].copy(), np.empty(len(out))
    starts = np.argsort(-begun[_GAIN])[:STARTS]
    best, weights = 0.0, 1.0
    for start in starts:
        work[: _GAIN + 1] = begun
        chosen, count, worth, more = start, known, 0.0, begun[_GAIN, start] > 0
        while more:
            gain = work[_GAIN, chosen]
            _free(chosen, count, precision, freed, work)
            count += 1
            worth += gain - sick
            if worth > best:
                out *= math.exp((best - worth) / 2)
                weights *= math.exp((best - worth) / 2)
                best = worth
            weight = math.exp((worth - best) / 2)
            if weight > _NOTHING:
                _judge(count, precision, freed, work, one)
                out += weight * one
                weights += weight
            _lower(precision, work)
            chosen = np.argmax(work[_GAIN])
            more = gain >= sick and work[_GAIN, chosen] > 0
            more = more and count - known < min(MOST, len(out) // 2)
    out /= weights


@kernel
def _free(
    chosen: int, count: int, precision: FloatArray, freed: Int64Array, work: FloatArray
) -> None:
    """Take one more signal out of the others' forecasts: a step of the Cholesky factorisation of P.

    What is left of ``P x`` and of P's diagonal are those with it marginalised out.
    """
    column = work[_FACTOR + count]
    column[:] = precision[chosen]
    for r in range(count):
        column -= work[_FACTOR + r] * work[_FACTOR + r, chosen]
    root = math.sqrt(max(column[chosen], _FLAT * precision[chosen, chosen]))
    column /= root
    column[chosen] = root
    step = work[_PULL, chosen] / root
    freed[count], work[_STEP, count] = chosen, step
    work[_PULL] -= column * step
    work[_SIZE] -= column * column
    work[_PULL, chosen], work[_SIZE, chosen] = 0.0, 0.0


@kernel
def _lower(precision: FloatArray, work: FloatArray) -> None:
    """Write by how much each signal's freeing lowers the distance; 0 of those freed, or fixed."""
    for j in range(len(precision)):
        pull, size = work[_PULL, j], work[_SIZE, j]
        work[_GAIN, j] = pull * pull / size if size > _FLAT * precision[j, j] else 0.0


@kernel
def _judge(
    count: int, precision: FloatArray, freed: Int64Array, work: FloatArray, out: FloatArray
) -> None:
    """Write each number's distance from the forecast of those not freed, in its deviations.

    Of the freed, ``e = (P_SS)^-1 (P x)_S`` with the variances ``diag (P_SS)^-1``, by the factor.
    """
    _lower(precision, work)
    out[:] = np.sqrt(work[_GAIN])
    inverse = np.zeros((count, count))
    for q in range(count):
        inverse[q, q] = 1.0 / work[_FACTOR + q, freed[q]]
        for r in range(q):
            total = 0.0
            for t in range(r, q):
                total += work[_FACTOR + t, freed[q]] * inverse[t, r]
            inverse[q, r] = -total * inverse[q, q]
    for r in range(count):
        error, variance = 0.0, 0.0
        for q in range(r, count):
            error += inverse[q, r] * work[_STEP, q]
            variance += inverse[q, r] * inverse[q, r]
        out[freed[r]] = abs(error) / math.sqrt(variance)
