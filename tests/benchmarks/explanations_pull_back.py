"""Contributions of raw cells, led back through every extractor: do they add up to the score?

Each registered extractor, in each of its configurations, stands before a detector of each family;
alarms and calm rows are explained in the full view. The gap between score, base value and the sum of
the cells is scaled as the additivity of answers is.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import numpy as np

from clarion.frames import Frame, SignalKind
from clarion.pipeline.answer import Explanation, ExplanationPolicy, View
from clarion.pipeline.fit import fit
from clarion.pipeline.spec import PipelineSpec, Step
from clarion.plugins import load_plugins
from clarion.registry import Registries
from clarion.testing import configurations, data

DETECTORS = {
    "additive terms": "ecod",
    "quadratic form": "mahalanobis",
    "product kernel": "one_class_svm",
    "tree ensemble": "isolation_forest",
    "neighbours": "knn",
    "linked sum": "ensemble",
    "no capability": "lof",
    "lagged cells": "var",
    "statistics of all rows so far": "ewma",
}
"""A detector of each family that explanations tell apart."""
QUICK_DETECTORS = ("mahalanobis", "one_class_svm")
"""Those that a short run tries behind configurations other than the default."""
FITTED_ROWS = 400
ASKED_ROWS = 120
SIGNALS = 3
SPIKES = (100, 107, 119)
CALM = (90, 113)


def figures(quick: bool) -> dict[str, float]:
    """Return ``pull_back_max_error``."""
    return {"pull_back_max_error": max(error for _, error in errors(quick))}


def errors(quick: bool) -> Iterator[tuple[str, float]]:
    """Yield what is tried, and the largest scaled error of its rows."""
    registries = load_plugins()
    for entry in registries.features:
        for number, configuration in enumerate(configurations(registries.features.get(entry.name))):
            for detector in DETECTORS.values():
                if number == 0 or not quick or detector in QUICK_DETECTORS:
                    step = Step(entry.name, configuration)
                    what = f"{entry.name} {configuration} before {detector}"
                    yield what, _error(registries, step, detector)


def _error(registries: Registries, step: Step, detector: str) -> float:
    traits = registries.features.get(step.plugin).traits
    kinds = traits.signal_kinds & {SignalKind.NUMERIC, SignalKind.CATEGORICAL}
    spec = PipelineSpec(Step(detector), (step,), ordered=True, background_rows=16)
    fitted = fit(spec, _rows(kinds, FITTED_ROWS, traits, seed=5), registries=registries)
    asked = _rows(kinds, ASKED_ROWS, traits, seed=6)
    for row in SPIKES:
        asked = data.spiked(asked, row)
    policy = ExplanationPolicy(rows=(*CALM, *SPIKES), view=View.FULL)
    return max(_gap(record) for record in fitted.run(asked, policy)[0].explanations)


def _rows(kinds: frozenset[SignalKind], n: int, traits: Any, seed: int) -> Frame:
    frame = data.normal(kinds, n, seed, assets=False, numeric_signals=SIGNALS)
    return data.with_missing_cells(frame) if traits.missing_values else frame


def _gap(record: Explanation) -> float:
    cells = np.array([cell.contribution for cell in record.cells])
    gap = abs(record.base_value + cells.sum() - record.score)
    return float(gap / max(1.0, abs(record.score), np.abs(cells).sum()))


if __name__ == "__main__":
    for name, error in errors("--quick" in sys.argv):
        print(f"{error:9.2e}  {name}", flush=True)
