"""Explanations: exact, fast, faithful. ``make bench SUITE=explanations [QUICK=1]``.

Each part is a file of its own, ``explanations_*.py``, whose ``figures`` gives its keys; correctness
is measured beside speed. A part without its data leaves its keys out, with a reason. The run fails if
an explainer that should be exact on a detector is not there.
"""

from __future__ import annotations

import sys
import time
from types import ModuleType
from typing import Any

import explanations_counterfactuals
import explanations_exact
import explanations_lime
import explanations_pull_back
import explanations_quadratic
import explanations_ranking
import explanations_throughput
import explanations_trees
from common import QUICK, write

PARTS: dict[str, tuple[ModuleType, tuple[str, ...]]] = {
    "exact": (explanations_exact, ("exact_max_error", "exact_pairs", "one_row_ms_max")),
    "trees": (
        explanations_trees,
        ("tree_speedup_1024", "tree_speedup_1", "tree_max_difference"),
    ),
    "quadratic": (explanations_quadratic, ("quadratic_us_per_row", "quadratic_speedup")),
    "lime": (explanations_lime, ("lime_identical", "lime_speedup", "lime_r2_gain")),
    "ranking": (
        explanations_ranking,
        (
            "smd_hit_100",
            "smd_hit_150",
            "smd_hit_gain_low",
            "asd_hit_100",
            "asd_hit_150",
            "corrupted_1",
            "corrupted_2",
            "corrupted_3",
        ),
    ),
    "counterfactuals": (
        explanations_counterfactuals,
        ("smd_counterfactual_median", "counterfactual_validity"),
    ),
    "pull_back": (explanations_pull_back, ("pull_back_max_error",)),
    "throughput": (
        explanations_throughput,
        ("explained_per_s", "explained_per_s_shap_lime", "explained_ratio"),
    ),
}
"""Each part, and the keys that it gives."""


def main(arguments: list[str]) -> int:
    """Run all parts, or those named in ``arguments``."""
    unknown = [name for name in arguments if name not in PARTS]
    if unknown:
        print(f"no part '{unknown[0]}'; there are: {', '.join(PARTS)}", file=sys.stderr)
        return 2
    figures: dict[str, float] = {}
    seconds: dict[str, float] = {}
    left_out: dict[str, str] = {}
    for name in arguments or PARTS:
        module, keys = PARTS[name]
        begun = time.monotonic()
        found = module.figures(QUICK)
        seconds[name] = time.monotonic() - begun
        figures |= found
        left_out |= {key: "its data is not there" for key in keys if key not in found}
        for key, value in found.items():
            print(f"{seconds[name]:6.0f} s  {key:34s} {value:.6g}", flush=True)
    absent = explanations_exact.missing() if "exact" in (arguments or PARTS) else []
    details: dict[str, Any] = {"seconds": seconds, "left_out": left_out, "missing_pairs": absent}
    print(write("explanations", figures, details))
    if absent:
        print(f"not exact, but should be: {', '.join(absent)}", file=sys.stderr)
    return 1 if absent else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
