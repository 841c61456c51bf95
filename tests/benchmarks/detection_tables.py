"""From outcomes to figures: means over seeds, then over sets, and the keys of the table."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import numpy as np

from clarion.arrays import BoolArray, FloatArray
from clarion.evaluation.figures import Figures
from clarion.evaluation.metrics import Confusion
from clarion.evaluation.nab import PROFILES, Series, best_nab_score, nab_score
from detection_candidates import AUTO, CHEAP, FEW_LABELS, REFERENCE
from detection_protocol import FOLDERS
from detection_scoring import Job, Outcome

Found = list[tuple[Job, Outcome]]
Metric = Callable[[Figures], float]

METRICS: dict[str, Metric] = {
    "roc_auc": lambda figures: figures.roc_auc,
    "pr_auc": lambda figures: figures.pr_auc,
    "recall_at_5_fpr": lambda figures: figures.recall_at_5_percent,
    "best_f1_upper_bound": lambda figures: figures.best_f1_upper_bound,
    "vus_pr": lambda figures: figures.volume.vus_pr,
    "vus_roc": lambda figures: figures.volume.vus_roc,
}


def by_case(found: Found, metric: Metric) -> dict[str, dict[str, list[float]]]:
    """Return candidate -> case -> one value a seed, of the tests that count."""
    table: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for _, outcome in found:
        if outcome.headline:
            table[outcome.candidate][outcome.test].append(metric(outcome.figures))
    return table


def means(found: Found, metric: Metric) -> dict[str, float]:
    """Return each candidate's mean over cases of the mean over seeds; cases without a value left out."""
    out = {}
    for candidate, cases in by_case(found, metric).items():
        values = [float(np.mean(seeds)) for seeds in cases.values()]
        known = [value for value in values if not np.isnan(value)]
        if known:
            out[candidate] = float(np.mean(known))
    return out


def spread(found: Found, metric: Metric) -> dict[str, float]:
    """Return each candidate's standard deviation over seeds of its mean over cases."""
    out = {}
    for candidate, cases in by_case(found, metric).items():
        draws = np.array([seeds for seeds in cases.values() if len(seeds) > 1])
        if draws.ndim == 2 and len(draws):
            out[candidate] = float(np.nanstd(np.nanmean(draws, axis=0)))
    return out


def pooled(found: Found) -> dict[str, Confusion]:
    """Return each candidate's alarms counted over all cases together."""
    out: dict[str, Confusion] = {}
    for _, outcome in found:
        if outcome.headline:
            counted = out.get(outcome.candidate, Confusion(0, 0, 0, 0))
            out[outcome.candidate] = counted + outcome.figures.confusion
    return out


def nab(found: Found) -> dict[str, dict[str, float]]:
    """Return each candidate's NAB scores, by profile.

    Plain names are at the training threshold, each event (a run of alarms) reported once, as
    Clarion does; ``_every_row`` counts each alarm, as NAB does; ``_upper_bound`` also takes the
    threshold that is best for these very labels: NAB's own table is made so.
    """
    corpora: dict[str, list[Series]] = defaultdict(list)
    for _, outcome in found:
        if outcome.series is not None:
            corpora[outcome.candidate].append(outcome.series)
    table = {}
    for candidate, corpus in corpora.items():
        once = [Series(_onsets(series.scores >= 1.0), series.windows) for series in corpus]
        row = {}
        for name, profile in PROFILES.items():
            row[name] = nab_score(once, 1.0, profile)
            row[f"{name}_every_row"] = nab_score(corpus, 1.0, profile)
            row[f"{name}_upper_bound"] = best_nab_score(corpus, profile)[0]
        table[candidate] = row
    return table


def _onsets(alarms: BoolArray) -> FloatArray:
    """Return 1.0 in the first row of each run of alarms, else 0.0."""
    return np.asarray(alarms & ~np.append(False, alarms[:-1]), np.float64)


def folder_details(folder: str, found: Found) -> dict[str, Any]:
    """Return everything known of a folder's candidates, one table a regime."""
    out: dict[str, Any] = {}
    for regime in FOLDERS[folder].regimes:
        part = [(job, outcome) for job, outcome in found if job.regime == regime]
        if not part:
            continue
        tables = {name: means(part, metric) for name, metric in METRICS.items()}
        candidates = sorted({outcome.candidate for _, outcome in part})
        rows: dict[str, dict[str, Any]] = {
            candidate: {name: t[candidate] for name, t in tables.items() if candidate in t}
            for candidate in candidates
        }
        counts, draws = pooled(part), spread(part, METRICS["roc_auc"])
        for candidate in candidates:
            own = [outcome for _, outcome in part if outcome.candidate == candidate]
            rows[candidate] |= _alarms(counts[candidate]) | _costs(own)
            if candidate in draws:
                rows[candidate]["roc_auc_sd_over_seeds"] = draws[candidate]
        out[regime] = {"candidates": rows, "roc_auc_by_case": _cases(part, METRICS["roc_auc"])}
        out[regime]["pr_auc_by_case"] = _cases(part, METRICS["pr_auc"])
        controls = {o.test for _, o in part if not o.headline}
        for control in sorted(controls):
            of_control = [(j, _as_headline(o)) for j, o in part if o.test == control]
            values = {name: means(of_control, metric) for name, metric in METRICS.items()}
            out[regime].setdefault("controls", {})[control] = values
    return out


def recall_of_names(found: Found, candidate: str) -> dict[str, dict[str, float]]:
    """Return the mean recall of each attack name at the training threshold, over seeds."""
    recalls: dict[str, list[float]] = defaultdict(list)
    rows: dict[str, int] = {}
    for _, outcome in found:
        if outcome.headline and outcome.candidate == candidate:
            for name, recall in outcome.figures.recall_by_name.items():
                recalls[name].append(recall.recall)
                rows[name] = recall.rows
    return {
        name: {"rows": rows[name], "recall": float(np.mean(values))}
        for name, values in sorted(recalls.items())
    }


def adbench_keys(found: Found) -> tuple[dict[str, float], dict[str, Any]]:
    """Return the keys that compare ``auto`` with fixed defaults and oracle, and the details."""
    roc = METRICS["roc_auc"]
    regimes = {
        regime: [(job, outcome) for job, outcome in found if job.regime == regime]
        for regime in ("one_class", "unsupervised")
    }
    fixed = CHEAP[FOLDERS["adbench"].candidates]
    mean = {regime: means(part, roc) for regime, part in regimes.items()}
    defaults = {
        name: float(np.mean([row[name] for row in mean.values()]))
        for name in fixed
        if all(name in row for row in mean.values())
    }
    details: dict[str, Any] = {"mean_of_both_regimes": defaults}
    keys: dict[str, float] = {}
    regrets = []
    for regime, part in regimes.items():
        table = by_case(part, roc)
        oracle = _oracle(table, fixed)
        details[f"oracle_{regime}_roc_auc"] = 100 * float(np.mean(list(oracle.values())))
        if AUTO in table:
            keys[f"adbench_{regime}_roc_auc"] = 100 * mean[regime][AUTO]
            regrets += [
                100 * (best - float(np.mean(table[AUTO][case]))) for case, best in oracle.items()
            ]
    if regrets:
        ours = float(np.mean([row[AUTO] for row in mean.values()]))
        best = max(defaults, key=lambda name: defaults[name])
        details["best_default"] = best
        keys["auto_minus_best_default"] = 100 * (ours - defaults[best])
        keys["auto_regret"] = float(np.mean(regrets))
    return keys, details


def few_labels_gain(found: Found) -> tuple[float | None, dict[str, Any]]:
    """Return mean PR-AUC with 1 % labels minus without, and what it is the difference of."""
    part = [(job, outcome) for job, outcome in found if job.regime == "few_labels"]
    mean = means(part, METRICS["pr_auc"])
    reference = AUTO if AUTO in mean else REFERENCE
    if FEW_LABELS not in mean or reference not in mean:
        return None, {}
    said = {"with_labels": FEW_LABELS, "without": reference, "pr_auc": mean}
    return mean[FEW_LABELS] - mean[reference], said


def _oracle(table: dict[str, dict[str, list[float]]], names: Iterable[str]) -> dict[str, float]:
    """Return, for each case, the best of the cheap list by its mean over seeds: an upper bound."""
    loaded = [name for name in names if name in table]
    cases = table[loaded[0]]
    return {case: max(float(np.mean(table[name][case])) for name in loaded) for case in cases}


def _alarms(counts: Confusion) -> dict[str, Any]:
    return {
        "f1": counts.f1,
        "far_percent": 100 * counts.false_alarm_rate,
        "mar_percent": 100 * counts.missing_alarm_rate,
        "precision": counts.precision,
    }


def _costs(own: list[Outcome]) -> dict[str, Any]:
    failed = {f"{o.test}: {o.failure}" for o in own if o.failure}
    choices = {choice for o in own if (choice := o.choice)}
    row: dict[str, Any] = {
        "fit_seconds": sum(o.fit_seconds for o in own),
        "score_seconds": sum(o.score_seconds for o in own),
    }
    if failed:
        row["failed_and_counted_as_random"] = sorted(failed)
    if choices:
        row["choices"] = {c: sum(o.choice == c for o in own) for c in sorted(choices)}
    return row


def _cases(found: Found, metric: Metric) -> dict[str, dict[str, float]]:
    return {
        candidate: {case: float(np.mean(seeds)) for case, seeds in sorted(cases.items())}
        for candidate, cases in by_case(found, metric).items()
    }


def _as_headline(outcome: Outcome) -> Outcome:
    return replace(outcome, headline=True)
