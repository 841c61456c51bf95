"""The score step: features to scores, a sequence detector's memories carried along."""

from __future__ import annotations

from collections.abc import Mapping

from clarion.arrays import FloatArray
from clarion.detectors import FittedDetector, FittedSequenceDetector
from clarion.frames import Frame
from clarion.pipeline.chain import Transformed, unrolled
from clarion.pipeline.guard import checked_scores, plugin_errors, row_numbers
from clarion.state import State


def scored(
    name: str, detector: FittedDetector, done: Transformed, memories: Mapping[str, State]
) -> tuple[Transformed, FloatArray, dict[str, State]]:
    """Return the rows scored, their scores (n,), and each asset's memory after them."""
    after: dict[str, State] = {}
    if isinstance(detector, FittedSequenceDetector):
        with plugin_errors("detectors", name, "unrolling"):
            done, after = unrolled(name, detector, done, memories)
    with row_numbers(done.source_rows):
        return done, row_scores(name, detector, done.frame), after


def row_scores(name: str, detector: FittedDetector, features: Frame) -> FloatArray:
    """Return checked scores of rows of features, shape ``(n,)``."""
    with plugin_errors("detectors", name, "scoring"):
        scores = detector.score(features)
    return checked_scores(scores, len(features), name)
