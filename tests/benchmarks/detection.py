"""Detection on recorded data: ``make bench SUITE=detection [QUICK=1]``.

Every figure is of ``auto``; beside it, in ``details``, stand each fixed default, trivial baselines
and, as ``oracle_``, the best of the cheap list per set: an upper bound, never a claim.
"""

from __future__ import annotations

import sys
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

from common import QUICK, data_root, in_processes, write
from detection_candidates import AUTO, missing
from detection_protocol import (
    FIT_ROWS,
    FOLDERS,
    QUICK_FIT_ROWS,
    QUICK_SCORED_ROWS,
    QUICK_SERIES_ROWS,
    SCORED_ROWS,
    Folder,
)
from detection_readers import LAYOUTS, Limits
from detection_scoring import Job, Outcome, plugins, work
from detection_tables import (
    METRICS,
    Found,
    adbench_keys,
    few_labels_gain,
    folder_details,
    means,
    nab,
    pooled,
    recall_of_names,
)

KEYS = {
    "adbench": (
        "adbench_one_class_roc_auc",
        "adbench_unsupervised_roc_auc",
        "auto_minus_best_default",
        "auto_regret",
        "semi_supervised_gain_pr_auc",
    ),
    "smd": ("smd_pr_auc", "smd_vus_pr"),
    "skab": ("skab_f1", "skab_far", "skab_mar"),
    "nsl_kdd": ("nsl_kdd_roc_auc", "nsl_kdd_recall_at_5_fpr"),
    "batadal": ("batadal_roc_auc",),
    "tsb_uad_ecg": ("ecg_vus_pr",),
    "nab": ("nab_standard_score",),
}
"""All keys under ``figures``, by the folder they come from."""


def jobs(root: Path, folders: list[str]) -> list[Job]:
    """Return every split of every case that lies under ``root``, long ones first."""
    found = []
    for folder in folders:
        protocol, layout = FOLDERS[folder], LAYOUTS[FOLDERS[folder].layout]
        if not (root / folder).is_dir() or (QUICK and not protocol.headline):
            continue
        found += [
            Job(folder, path, regime, seed, _limits(protocol))
            for seed in range(1 if QUICK else protocol.seeds)
            for path in layout.cases(root / folder, protocol)
            for regime in protocol.regimes
        ]
    return sorted(found, key=lambda job: -_size(job.path))


def _limits(protocol: Folder) -> Limits:
    if not QUICK:
        return Limits(FIT_ROWS, SCORED_ROWS)
    if protocol.candidates in ("table", "flows"):
        return Limits(QUICK_FIT_ROWS, QUICK_SCORED_ROWS)
    return Limits(QUICK_SERIES_ROWS, SCORED_ROWS)


def _size(path: Path) -> int:
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())


def figures_of(found: dict[str, Found]) -> tuple[dict[str, float], dict[str, Any]]:
    """Return the keys that could be computed, and the details of every folder."""
    figures: dict[str, float] = {}
    details: dict[str, Any] = {name: folder_details(name, part) for name, part in found.items()}
    if "adbench" in found:
        keys, compared = adbench_keys(found["adbench"])
        gain, said = few_labels_gain(found["adbench"])
        figures |= keys if gain is None else {**keys, "semi_supervised_gain_pr_auc": gain}
        details["adbench"] |= {"compared": compared, "few_labels_gain": said}
    for key, folder, metric in (
        ("smd_pr_auc", "smd", "pr_auc"),
        ("smd_vus_pr", "smd", "vus_pr"),
        ("nsl_kdd_roc_auc", "nsl_kdd", "roc_auc"),
        ("nsl_kdd_recall_at_5_fpr", "nsl_kdd", "recall_at_5_fpr"),
        ("batadal_roc_auc", "batadal", "roc_auc"),
        ("ecg_vus_pr", "tsb_uad_ecg", "vus_pr"),
    ):
        mean = means(found.get(folder, []), METRICS[metric])
        if AUTO in mean:
            figures[key] = mean[AUTO]
    counts = pooled(found.get("skab", [])).get(AUTO)
    if counts is not None:
        figures |= {
            "skab_f1": counts.f1,
            "skab_far": 100 * counts.false_alarm_rate,
            "skab_mar": 100 * counts.missing_alarm_rate,
        }
    if "nab" in found:
        details["nab"]["scores"] = nab(found["nab"])
        if AUTO in details["nab"]["scores"]:
            figures["nab_standard_score"] = details["nab"]["scores"][AUTO]["standard"]
    if "nsl_kdd" in found:
        candidates = {outcome.candidate for _, outcome in found["nsl_kdd"]}
        details["nsl_kdd"]["recall_by_attack"] = {
            name: recall_of_names(found["nsl_kdd"], name) for name in sorted(candidates)
        }
    return figures, details


def left_out(figures: dict[str, float], found: dict[str, Found]) -> dict[str, str]:
    """Return a reason for each key that is not there."""
    reasons = {}
    absent = missing(plugins())
    for folder, keys in KEYS.items():
        for key in keys:
            if key in figures:
                continue
            if not found.get(folder):
                reasons[key] = f"no data of the expected layout under '{folder}'"
            elif key != "semi_supervised_gain_pr_auc" and AUTO in absent:
                reasons[key] = f"'{AUTO}' is not there: {absent[AUTO]}"
            else:
                reasons[key] = "the candidates it compares are not loaded"
    return reasons


def main(arguments: list[str]) -> int:
    """Run the suite, or the folders named in ``arguments``."""
    root = data_root()
    folders = arguments or list(FOLDERS)
    waiting = jobs(root, folders)
    begun = time.monotonic()
    found: dict[str, Found] = defaultdict(list)

    def done(job: Job, outcomes: list[Outcome]) -> None:
        found[job.folder] += [(job, outcome) for outcome in outcomes]
        finished = len({id(j) for part in found.values() for j, _ in part})
        print(
            f"{time.monotonic() - begun:6.0f} s  {finished}/{len(waiting)}  "
            f"{job.path.relative_to(root)} {job.regime} {job.seed}",
            flush=True,
        )

    in_processes(work, waiting, done)
    for part in found.values():
        part.sort(key=lambda pair: (pair[0].path, pair[0].regime, pair[0].seed))
    figures, details = figures_of(found)
    details = {
        "about": {
            "fit_rows_at_most": FIT_ROWS,
            "scored_rows_at_most": SCORED_ROWS,
            "rows": "tables stratified, series contiguous"
            + (
                f"; in this short run {QUICK_FIT_ROWS} and {QUICK_SCORED_ROWS} of a table, "
                f"{QUICK_SERIES_ROWS} of a series, and fixed defaults on tables only"
                if QUICK
                else ""
            ),
            "thresholds": "from held-out training rows only",
            "seconds": time.monotonic() - begun,
        },
        "candidates_not_loaded": missing(plugins()),
        "left_out": left_out(figures, found),
        **details,
    }
    path = write("detection", figures, details)
    for key in (key for keys in KEYS.values() for key in keys):
        value = figures.get(key)
        print(f"{key:32s} {details['left_out'].get(key, '') if value is None else f'{value:.4f}'}")
    print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
