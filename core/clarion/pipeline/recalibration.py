"""Recalibration: what a stream does once its drift is confirmed."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from clarion.arrays import BoolArray, FloatArray, Int64Array
from clarion.pipeline.calibrate import Calibration
from clarion.pipeline.rank_rule import Promise
from clarion.pipeline.reference import Level
from clarion.pipeline.rolling import Rolling

CONFIRMED_ROWS = 1_000
"""Rows for which drift has to stand before it is confirmed; the rolling window must still disagree."""


class Recalibration(StrEnum):
    """Who decides that a stream is judged by its own last rows."""

    MANUAL = "manual"
    """An operator, elsewhere: the stream only tells that its drift is confirmed."""
    PROPOSE = "propose"
    """An operator, who is told what the rolling calibration would do."""
    AUTOMATIC = "automatic"
    """The stream itself, from the row on at which its drift is confirmed."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """What would change if a stream were judged by its rolling calibration.

    Attributes
    ----------
    calibration_id
        Identity of the rolling calibration, as last renewed.
    rows
        Rows of the stream that it rests on.
    excluded
        Rows of the stream, so far, that were beyond all calibration rows and never taken in.
    frozen_threshold, threshold
        The smallest anomalous score now, and then; of asset classes without a calibration of their own.
    frozen_rate
        Share of those rows that the frozen calibration calls anomalous, in [0, 1].
    rate
        The same share under the rolling calibration.
    """

    calibration_id: str
    rows: int
    excluded: int
    frozen_threshold: float
    threshold: float
    frozen_rate: float
    rate: float


def proposal(calibration: Calibration, rolling: Rolling, rate: float) -> Proposal:
    """Return what ``rolling`` would change at the p-value ``rate``."""
    then = rolling.level(rate)
    return Proposal(
        calibration_id=rolling.id(calibration.id),
        rows=len(rolling.sorted),
        excluded=rolling.excluded,
        frozen_threshold=level_at(calibration, rate).threshold,
        threshold=level_at(calibration, then).threshold,
        frozen_rate=_share(rolling.sorted, rate),
        rate=_share(rolling.sorted, then),
    )


def level_at(calibration: Calibration, p_value: float, asset_class: int = -1) -> Level:
    """Return the smallest score whose frozen p-value is at most ``p_value``, for one asset class.

    ``asset_class`` is as `Calibration.classes_of` says. Where no score has so small a p-value, the
    threshold is the largest double, which none reaches.
    """
    own = calibration.pooled if asset_class < 0 else calibration.classes[asset_class][1]
    found = own.level(p_value, Promise.AVERAGE, extrapolate=True)
    return found or Level(sys.float_info.max, p_value, True)


def beyond(calibration: Calibration, scores: FloatArray, classes: Int64Array | None) -> BoolArray:
    """Return which scores are above all calibration rows of their asset class, shape ``(n,)``.

    ``classes`` are as `Calibration.classes_of` says.
    """
    highest = float(calibration.scores[-1])
    if classes is None:
        return np.asarray(scores > highest)
    # The pooled one comes last, where -1 finds it.
    every = [float(own.scores[-1]) for _, own in calibration.classes]
    return np.asarray(scores > np.array([*every, highest])[classes])


def _share(p_values: FloatArray, level: float) -> float:
    return float(np.mean(p_values <= level)) if len(p_values) else 0.0
