"""The pipelines compared: ``auto``, and every fixed default that is cheap enough for all sets."""

from __future__ import annotations

from clarion.pipeline.spec import PipelineSpec, Step
from clarion.registry import Registries
from common import QUICK

AUTO = "auto"
FEW_LABELS = "boosted_scores"
"""What learns from 1 % of the anomalies."""
REFERENCE = "isolation_forest"
"""What that is compared with where there is no ``auto``."""
CHEAP = {
    "table": (
        "bagged_knn",
        "ecod",
        "hbos",
        "isolation_forest",
        "kmeans",
        "knn",
        "mahalanobis",
        "pca",
        "zscore",
    ),
    "flows": ("ecod", "hbos", "isolation_forest", "knn", "mahalanobis", "pca", "zscore"),
    "sensors": ("ewma", "isolation_forest", "knn", "mahalanobis", "pca", "var", "zscore"),
    "one_signal": ("ar", "ewma", "spectral_residual", "sub_pca", "zscore"),
}
"""Names of detectors by kind of data: the fixed defaults, and the list the oracle picks from."""
_IN_SHORT_RUNS = ("table",)
"""Kinds whose fixed defaults take part in a short run too: only there do keys compare them."""


def specs(
    group: str, *, ordered: bool, false_alarm_rate: float, seed: int
) -> dict[str, PipelineSpec]:
    """Return ``auto`` and the cheap list of ``group``, each with its default parameters."""
    fixed = () if QUICK and group not in _IN_SHORT_RUNS else CHEAP[group]
    return {
        name: PipelineSpec(
            Step(name), ordered=ordered, false_alarm_rate=false_alarm_rate, seed=seed
        )
        for name in (AUTO, *fixed)
    }


def missing(registries: Registries) -> dict[str, str]:
    """Return the candidates that are not loaded, each with the reason."""
    named = {*(name for names in CHEAP.values() for name in names), FEW_LABELS}
    absent = {
        name: "no such detector is loaded" for name in named if name not in registries.detectors
    }
    if not list(registries.recipes):
        absent[AUTO] = "no recipe is loaded for it to choose among"
    return absent
