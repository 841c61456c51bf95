"""What every decomposition ends with: the check that it adds up to the score."""

from __future__ import annotations

import numpy as np

from clarion.arrays import FloatArray
from clarion.explainers import Attribution, Label, additivity_error

MARGINAL = "marginal over the background"
"""Absent features take the values of each background row in turn, all of them at once."""


def decomposition(
    scores: FloatArray,
    contributions: FloatArray,
    base_value: FloatArray | float,
    *,
    label: Label,
    method: str,
    value_function: str = MARGINAL,
    standard_error: FloatArray | None = None,
) -> Attribution:
    """Return the attribution of ``contributions`` (n, d) to ``scores`` (n,).

    ``base_value`` is one number for all rows, or one a row (n,).
    """
    base = np.broadcast_to(np.asarray(base_value, np.float64), scores.shape).copy()
    return Attribution(
        contributions=contributions,
        base_value=base,
        label=label,
        method=method,
        value_function=value_function,
        additivity_error=additivity_error(contributions, base, scores),
        standard_error=standard_error,
    )
