"""Full answers a second on two processes, beside what shap and lime give in the same time.

An answer of Clarion's: contributions by signal and by raw cell, culprits scored again, p-value and
summary. The peer's: scikit-learn's score of the same kind of detector, SHAP values and LIME's line,
each library as it is fastest: no threshold, no culprits, no raw cells.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from statistics import harmonic_mean

import numpy as np

from clarion.arrays import FloatArray
from clarion.frames import Frame
from clarion.pipeline.answer import ExplainedRows, ExplanationPolicy, View
from clarion.pipeline.fit import fit
from clarion.pipeline.spec import PipelineSpec, Step
from clarion.plugins import load_plugins
from common import in_processes
from explanations_rows import BACKGROUND_ROWS, FITTED_ROWS, normal_rows

SIGNALS = 20
BATCH_ROWS = 200
LIME_SAMPLES = 1024
PEERS = ("isolation_forest", "mahalanobis")
_PEER = " with shap and lime"
_SEED = 7


def figures(quick: bool) -> dict[str, float]:
    """Return ``explained_per_s``, ``explained_per_s_shap_lime`` and their ratio.

    Of as many alarms of each of `PEERS`: for a forest `shap` has its fastest explainer, for a
    Mahalanobis distance only its general one. Each detector's own rates stand beside.
    """
    found = rates(2.0 if quick else 10.0)
    own, peer = ([found[f"{name}{by}"] for name in PEERS] for by in ("", _PEER))
    mixed = {
        "explained_per_s": harmonic_mean(own),
        "explained_per_s_shap_lime": harmonic_mean(peer),
    }
    return {
        **mixed,
        "explained_ratio": mixed["explained_per_s"] / mixed["explained_per_s_shap_lime"],
        **{f"explained_ratio_{name}": o / p for name, o, p in zip(PEERS, own, peer, strict=True)},
    }


def rates(seconds: float) -> dict[str, float]:
    """Return rows explained a second, summed over two processes that run at once, by name."""
    found: dict[str, float] = {}
    for detector in PEERS:
        for work, name in ((_own, detector), (_peer, f"{detector}{_PEER}")):
            found[name] = _summed(partial(_rate, work, detector), seconds)
    return found


def _summed(rate: Callable[[float], float], seconds: float) -> float:
    told: list[float] = []
    in_processes(rate, [seconds, seconds], lambda _, found: told.append(found))
    return sum(told)


def _rate(prepare: Callable[[str], Callable[[], int]], detector: str, seconds: float) -> float:
    work = prepare(detector)
    work()  # what is made once, and compiled
    done, begun = 0, time.perf_counter()
    while (spent := time.perf_counter() - begun) < seconds:
        done += work()
    return done / spent


def alarms(n: int) -> FloatArray:
    """Return rows of which eight signals each are off by 6 of their own deviations, ``(n, d)``."""
    rows, rng = normal_rows(n, SIGNALS, seed=5), np.random.default_rng(6)
    spread = normal_rows(FITTED_ROWS, SIGNALS, seed=1).std(axis=0)
    for row in rows:
        off = rng.choice(SIGNALS, 8, replace=False)
        row[off] += 6.0 * spread[off]
    return rows


def _own(detector: str) -> Callable[[], int]:
    frame = Frame.of(normal_rows(FITTED_ROWS, SIGNALS, seed=1))
    pipeline = fit(PipelineSpec(Step(detector)), frame, registries=load_plugins())
    rows = Frame.of(alarms(BATCH_ROWS))
    policy = ExplanationPolicy(rows=ExplainedRows.ALL, view=View.FULL)
    return lambda: len(pipeline.run(rows, policy)[0].explanations)


def _peer(detector: str) -> Callable[[], int]:
    import shap
    from lime.lime_tabular import LimeTabularExplainer
    from sklearn.covariance import LedoitWolf
    from sklearn.ensemble import IsolationForest

    rows = normal_rows(FITTED_ROWS, SIGNALS, seed=1)
    background, odd = rows[:BACKGROUND_ROWS], alarms(4)
    if detector == "isolation_forest":
        model = IsolationForest(n_estimators=100, max_samples=256, random_state=_SEED).fit(rows)
        score: Callable[..., np.ndarray] = lambda x: -model.score_samples(x)  # noqa: E731
        values = shap.TreeExplainer(model).shap_values
    else:
        score = LedoitWolf().fit(rows).mahalanobis
        kernel = shap.KernelExplainer(score, background[:32], seed=_SEED)
        values = partial(kernel.shap_values, nsamples=2048, silent=True, l1_reg=False)
    lime = LimeTabularExplainer(
        background,
        mode="regression",
        discretize_continuous=False,
        sample_around_instance=True,
        feature_selection="none",
        random_state=_SEED,
    )

    def work() -> int:
        score(odd)
        values(odd)
        for row in odd:
            lime.explain_instance(row, score, num_features=SIGNALS, num_samples=LIME_SAMPLES)
        return len(odd)

    return work


if __name__ == "__main__":
    for name, rate in rates(4.0).items():
        print(f"{name:40s} {rate:10.1f} rows/s")
