"""Every explainer that calls itself exact, on every detector: against enumeration, and timed.

With few signals the Shapley values are found by counting all coalitions; a sequence detector's
unrolled cells are grouped by signal, as an answer groups them.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from clarion.arrays import BoolArray, Int64Array
from clarion.detectors import (
    Detector,
    FittedDetector,
    FittedSequenceDetector,
    Paradigm,
    capabilities_of,
)
from clarion.errors import MissingExtraError
from clarion.evaluation.explanations.enumeration import enumeration_error
from clarion.evaluation.explanations.subject import Subject
from clarion.explainers import Label, Role, Scorable
from clarion.explaining.ladder import Rung, rungs
from clarion.features import FitContext
from clarion.frames import Frame
from clarion.plugins import load_plugins
from explanations_rows import FITTED_ROWS, normal_rows, odd_rows, timed

REQUIRED = {
    "additive": "zscore robust_zscore ecod copod hbos ewma cusum page_hinkley grubbs ks_window "
    "spectral_residual",
    "quadratic": "mahalanobis pca ar var sub_pca",
    "product_kernel": "one_class_svm kde gmm svm",
    "tree_shap": "isolation_forest random_forest gradient_boosting self_training",
}
"""Pairs that must be there: the table of the README."""
PARAMETERS = {"sub_pca": {"window": 12}, "ks_window": {"window": 20}}
"""Where the defaults need more rows than are fitted here."""
SIGNALS = 6
WIDE = 20
"""Signals of a row whose explanation is timed."""
LIBRARIES = ("shap_tree",)
"""Explainers through other libraries, by name only: as exact, but their time is not Clarion's."""
BACKGROUND_ROWS = 16
EXPLAINED_ROWS = 4
_REPEATS = 50


@dataclass(frozen=True, slots=True)
class Pair:
    """An explainer that is exact on a detector: its largest scaled error, and ms for one row."""

    explainer: str
    detector: str
    error: float
    milliseconds: float


def figures(quick: bool) -> dict[str, float]:
    """Return ``exact_max_error``, ``exact_pairs`` and ``one_row_ms_max``."""
    found = pairs()
    return {
        "exact_max_error": max(pair.error for pair in found),
        "exact_pairs": float(len(found)),
        "one_row_ms_max": max(p.milliseconds for p in found if p.explainer not in LIBRARIES),
    }


def missing() -> list[str]:
    """Return the required pairs that are not there."""
    there = {(pair.explainer, pair.detector) for pair in pairs()}
    wanted = [(e, d) for e, detectors in REQUIRED.items() for d in detectors.split()]
    return [f"{e} x {d}" for e, d in wanted if (e, d) not in there]


@cache
def pairs() -> tuple[Pair, ...]:
    """Return every pair whose game can be enumerated."""
    return tuple(_pairs())


def _pairs() -> Iterator[Pair]:
    registries = load_plugins()
    for entry in registries.detectors:
        detector: Detector = registries.detectors.build(entry.name, PARAMETERS.get(entry.name, {}))
        if not capabilities_of(detector.fitted):
            continue
        try:
            narrow, wide = (_fitted(detector, d, BACKGROUND_ROWS) for d in (SIGNALS, WIDE))
        except MissingExtraError:
            continue
        slow = {rung.name: rung for rung in _exact(wide[0])}
        for rung in _exact(narrow[0]):
            error = enumeration_error(
                Subject(narrow[0], rung, rung.support.evaluations, ""), narrow[1]
            )
            if np.isnan(error):
                continue
            # One that is exact for few players only is timed on these.
            timed_on = (wide, slow[rung.name]) if rung.name in slow else (narrow, rung)
            yield Pair(rung.name, entry.name, error, _milliseconds(*timed_on))


def _exact(scorable: Scorable) -> list[Rung]:
    able = rungs(scorable, load_plugins(), Role.DECOMPOSITION)
    return [rung for rung in able if rung.support.label is Label.EXACT]


def _fitted(detector: Detector, d: int, background_rows: int) -> tuple[Scorable, Any]:
    """Return a fitted detector as a scorable by signal, and rows of features to explain."""
    rows, odd = normal_rows(FITTED_ROWS, d, seed=1), odd_rows(400, d, seed=3)
    labels: BoolArray | None = None
    if detector.traits.paradigm is not Paradigm.UNSUPERVISED:
        rows[:100] += np.where(np.arange(d) < 2, 4.0, 0.0)
        labels = np.arange(FITTED_ROWS) < 100
    context = FitContext(np.random.default_rng(2), load_plugins())
    fitted = detector.fit(Frame.of(rows), labels, context)
    normal, explained = (_features(fitted, Frame.of(part)) for part in (rows[200:600], odd))
    background = normal.take(slice(0, background_rows))
    scorable = Scorable(fitted.score, background, fitted, _players(fitted, Frame.of(odd)))
    return scorable, explained.numeric()[-EXPLAINED_ROWS:]


def _features(fitted: FittedDetector, frame: Frame) -> Frame:
    if isinstance(fitted, FittedSequenceDetector):
        return fitted.unroll(fitted.start(), frame)[0].frame
    return frame


def _players(fitted: FittedDetector, frame: Frame) -> Int64Array | None:
    if not isinstance(fitted, FittedSequenceDetector):
        return None
    place = {name: i for i, name in enumerate(frame.names)}
    return np.array([place[fitted.reads[s.name][0]] for s in fitted.signals])


def _milliseconds(case: tuple[Scorable, Any], rung: Rung) -> float:
    """Return the median time to explain one row against one baseline, in this process."""
    scorable, rows = case
    one = Scorable(
        scorable.score, scorable.background.take(slice(0, 1)), scorable.capability, scorable.players
    )
    subject = Subject(one, rung, rung.support.evaluations, "")
    subject.explain(rows[:1])  # what is made once, and compiled
    times = (timed(lambda: subject.explain(rows[:1]))[1] for _ in range(_REPEATS))
    return 1e3 * statistics.median(times)


if __name__ == "__main__":
    for pair in pairs():
        print(
            f"{pair.explainer:16s} {pair.detector:20s} {pair.error:.1e} {pair.milliseconds:8.3f} ms"
        )
    print("missing:", missing() or "none")
