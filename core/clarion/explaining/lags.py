"""Which rows before the explained one each feature may read: what time blocks need to know."""

from __future__ import annotations

import numpy as np

from clarion.detectors import FittedDetector, FittedSequenceDetector
from clarion.explaining.background import Background
from clarion.frames import Frame
from clarion.pipeline.chain import Chain
from clarion.pipeline.guard import plugin_errors

_LONGEST = 1 << 13
"""Rows unrolled at most to see a whole window; a longer one is not split into blocks."""

Lags = tuple[tuple[int, int], ...]
"""For each feature the newest and the oldest row that it may read, counted back from the last."""


def feature_lags(
    chain: Chain, name: str, detector: FittedDetector, background: Background
) -> Lags | None:
    """Return which raw rows each feature may read; None where they have no end or are not known.

    An extractor's feature may read all rows of its history. A sequence detector ``name`` says by its
    lineage which row each unrolled feature was copied from; statistics of all rows so far are no
    copies, and have no lags.
    """
    if not isinstance(detector, FittedSequenceDetector):
        unrolled: Lags | None = ((0, 0),) * len(detector.signals)
    else:
        rows = chain.transform(background.apart()).frame
        with plugin_errors("detectors", name, "unrolling"):
            unrolled = _unrolled(detector, rows)
    if unrolled is None:
        return None
    return tuple((newest, oldest + chain.history) for newest, oldest in unrolled)


def _unrolled(detector: FittedSequenceDetector, rows: Frame) -> Lags | None:
    """Return the lags of each unrolled feature, seen on ``rows`` as if of one asset."""
    count = 64
    while count <= _LONGEST:
        series = rows.take(np.arange(count) % len(rows))
        one = Frame(series.signals, series.values, series.codes)
        features, _ = detector.unroll(detector.start(), one)
        if len(features.source_rows):
            trace = features.lineage.rows(len(features.source_rows) - 1)
            cells = np.split(trace.weights.indices, trace.weights.indptr[1:-1])
            if not trace.linear.all() or not all(len(own) for own in cells):
                return None
            lags = [int(features.source_rows[-1]) - own // len(one.signals) for own in cells]
            return tuple((int(own.min()), int(own.max())) for own in lags)
        count *= 2
    return None
