"""SHAP values of a quadratic score in closed form, against KernelSHAP.

What is timed is the whole of `QuadraticShap.explain` on 1,000 rows of 38 signals: coordinates, SHAP
values, scores, and the check that they add up. KernelSHAP explains single rows of the same detector
against the same background with 2,048 coalitions, each scored on every background row, in one call;
it is spared the selection of features. Both run in one thread.

Beside the times it is asserted that the answers add up to 1e-9, and that on 8 signals, where
KernelSHAP sees all coalitions and is exact too, both say the same.
"""

from __future__ import annotations

import logging
import statistics
import sys
from functools import partial
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from clarion.arrays import FloatArray
from clarion.explainers import Attribution, Label, Scorable
from clarion.frames import Frame
from clarion_explainers.quadratic import QuadraticShap
from explanations_rows import odd_rows, scorable, timed

DETECTORS = ("mahalanobis", "pca")
SIGNALS = 38
BATCH = 1000
COALITIONS = 2048
FEW_SIGNALS = 8
TOLERANCE = 1e-9
AGREEMENT = 1e-6
"""KernelSHAP solves a least-squares problem in which two weights stand for infinite ones."""


def figures(quick: bool) -> dict[str, float]:
    """Return ``quadratic_us_per_row`` and ``quadratic_speedup``, of the slower detector."""
    rows = 1 if quick else 5
    with threadpool_limits(1):
        for detector in DETECTORS:
            check_agreement(scorable(detector, FEW_SIGNALS))
        cases = [scorable(detector, SIGNALS) for detector in DETECTORS]
        own = [seconds_per_row(case, 50 if quick else 200) for case in cases]
        library = [library_seconds_per_row(case, rows) for case in cases]
    return {
        "quadratic_us_per_row": 1e6 * max(own),
        "quadratic_speedup": min(theirs / ours for ours, theirs in zip(own, library, strict=True)),
    }


def seconds_per_row(case: Scorable, times: int) -> float:
    """Return the median time of a row in a batch of 1,000, whose answers must add up."""
    frame = Frame.of(odd_rows(BATCH, SIGNALS, seed=5))
    answer = _explain(case, frame)
    assert answer.label is Label.EXACT
    assert answer.additivity_error.max() <= TOLERANCE
    runs = [timed(partial(_explain, case, frame))[1] for _ in range(times)]
    return statistics.median(runs) / BATCH


def _explain(case: Scorable, frame: Frame) -> Attribution:
    seeds = np.zeros(len(frame), np.uint64)
    return QuadraticShap().explain(case, frame, evaluations=0, seeds=seeds)


def library_seconds_per_row(case: Scorable, rows: int) -> float:
    """Return the median time that KernelSHAP takes for a row."""
    explainer = _library(case)
    values = odd_rows(rows, SIGNALS, seed=5)
    return statistics.median(timed(partial(_values, explainer, row))[1] for row in values)


def _library(case: Scorable) -> Any:
    import shap

    logging.getLogger("shap").setLevel(logging.ERROR)  # it warns of more than 100 background rows
    return shap.KernelExplainer(
        lambda points: case.score(Frame.of(points)), case.background.numeric()
    )


def _values(explainer: Any, row: FloatArray) -> FloatArray:
    return np.asarray(explainer.shap_values(row, nsamples=COALITIONS, l1_reg=False, silent=True))


def check_agreement(case: Scorable) -> None:
    """Assert that KernelSHAP, given every coalition, says the same."""
    explainer, values = _library(case), odd_rows(4, FEW_SIGNALS, seed=5)
    own = _explain(case, Frame.of(values)).contributions
    theirs = np.array([_values(explainer, row) for row in values])
    assert np.abs(own - theirs).max() <= AGREEMENT * np.abs(own).max()


if __name__ == "__main__":
    print(figures(quick="quick" in sys.argv[1:]))
