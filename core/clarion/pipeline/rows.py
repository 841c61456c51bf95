"""Which rows a fit learns from, and which it holds out to calibrate."""

from __future__ import annotations

import math

import numpy as np

from clarion.arrays import BoolArray
from clarion.errors import InvalidFrameError, InvalidParameterError
from clarion.features import rows_by_asset
from clarion.frames import Frame
from clarion.pipeline.rank_rule import Promise
from clarion.pipeline.reach import rows_to_hold, too_few

CALIBRATION_SHARE = 0.25
"""Share of the normal rows held out to calibrate, up to `MAX_CALIBRATION_ROWS`."""
MAX_CALIBRATION_ROWS = 20_000


def normal_rows(frame: Frame, labels: BoolArray | None) -> BoolArray:
    """Return which rows are not known to be anomalous, shape ``(n,)``."""
    if not len(frame):
        raise InvalidFrameError("the frame has no rows; send at least one", field="frame")
    if labels is None:
        return np.ones(len(frame), np.bool_)
    if labels.shape != (len(frame),):
        raise InvalidParameterError(f"{len(labels)} labels for {len(frame)} rows", field="labels")
    return ~labels


def held_out(
    frame: Frame,
    usable: BoolArray,
    rate: float,
    promise: Promise | None = None,
    *,
    allow_extrapolated: bool = False,
    ordered: bool,
    rng: np.random.Generator,
) -> BoolArray:
    """Return which ``usable`` rows calibrate: the last ones of each asset, or a random draw.

    ``promise`` and ``allow_extrapolated`` are those of `Calibration.of`.

    Raises
    ------
    TooFewRowsError
        Too few to promise ``rate``.
    """
    normal = np.flatnonzero(usable)
    needed = rows_to_hold(rate, promise, allow_extrapolated=allow_extrapolated)
    if len(normal) < 2 * needed:
        raise too_few(len(normal) // 2, rate, promise, allow_extrapolated=allow_extrapolated)
    # Twice the bare minimum where rows allow: a rate on the very edge rests on one score alone.
    wanted = max(int(CALIBRATION_SHARE * len(normal)), min(2 * needed, len(normal) // 2))
    share = min(wanted, MAX_CALIBRATION_ROWS) / len(normal)
    held = np.zeros(len(usable), np.bool_)
    if not ordered:
        count = math.ceil(share * len(normal))
        held[rng.choice(normal, size=count, replace=False)] = True
        return held
    for of_asset in rows_by_asset(frame):
        kept = of_asset[usable[of_asset]]
        held[kept[len(kept) - math.ceil(share * len(kept)) :]] = True
    return held
