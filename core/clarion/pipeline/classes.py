"""Classes of assets that are calibrated alone (Mondrian), all others pooled."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from clarion.arrays import FloatArray, Int64Array
from clarion.frames import Frame

FEWEST_ROWS = 500
"""Held-out rows with which a class is calibrated alone (SCIENCE 4)."""
MAX_CLASSES = 64
"""Classes calibrated alone, at most: the largest."""
POOLED = -1
"""Code of a row whose class is not calibrated alone, or not known."""


def scores_by_class(frame: Frame, scores: FloatArray) -> dict[str, FloatArray]:
    """Return the scores of each class that has enough of them, by name.

    A class that all rows are of is left out: pooled, it is calibrated by the same rows.

    Parameters
    ----------
    frame, scores
        The held-out rows, and their scores, shape ``(n,)``.
    """
    names = sorted({asset.asset_class for asset in frame.assets} - {""})
    codes = class_codes(frame, {name: code for code, name in enumerate(names)})
    counts = np.bincount(codes[codes != POOLED], minlength=len(names))
    largest = np.argsort(-counts, kind="stable")[:MAX_CLASSES]
    chosen = [
        code for code in sorted(largest.tolist()) if FEWEST_ROWS <= counts[code] < len(scores)
    ]
    return {names[code]: scores[codes == code] for code in chosen}


def class_codes(frame: Frame, place: Mapping[str, int]) -> Int64Array:
    """Return the code of each row's asset class, shape ``(n,)``; `POOLED` where it has none."""
    if frame.asset is None:
        return np.full(len(frame), POOLED, np.int64)
    by_asset = [place.get(asset.asset_class, POOLED) for asset in frame.assets]
    return np.asarray(np.array(by_asset, np.int64)[frame.asset])
