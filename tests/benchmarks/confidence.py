"""Confidence, drift and fleets. ``make bench SUITE=confidence [QUICK=1]``.

Each part is a file of its own, ``confidence_*.py``, whose ``figures`` gives its keys and those that start
with ``ordered_``, one a suite of data. A key that a part does not give is told with a reason; a part that
cannot be loaded leaves all of its keys out, and the run fails.
"""

from __future__ import annotations

import importlib
import sys
import time
from typing import Any

from common import QUICK, write

PARTS: dict[str, tuple[str, ...]] = {
    "calibration": ("exchangeable_ratio_min", "exchangeable_ratio_max", "rank_rule_violations"),
    "streams": (
        "fdr_0_1",
        "fdr_1",
        "fdr_5",
        "martingale_false_alarms",
        "drift_delay_rows",
        "poisoning_recall_kept",
        "drift_flag_missed",
    ),
    "fleets": (
        "fleet_rows_per_s_ratio",
        "fleet_memory_mib",
        "fleet_fit_seconds",
        "fleet_model_mib",
        "fleet_gain_pr_auc",
    ),
}
"""Each part, and the keys that it gives."""
_NO_DATA = "its data is not there"


def figures_of(part: str) -> tuple[dict[str, float], dict[str, str], bool]:
    """Return a part's figures, why others are left out, and whether it could be loaded."""
    try:
        module = importlib.import_module(f"confidence_{part}")
    except ImportError as error:
        return {}, dict.fromkeys(PARTS[part], f"cannot be loaded: {error}"), False
    found: dict[str, float] = module.figures(QUICK)
    return found, {key: _NO_DATA for key in PARTS[part] if key not in found}, True


def main(arguments: list[str]) -> int:
    """Run all parts, or those named in ``arguments``."""
    unknown = [name for name in arguments if name not in PARTS]
    if unknown:
        print(f"no part '{unknown[0]}'; there are: {', '.join(PARTS)}", file=sys.stderr)
        return 2
    figures: dict[str, float] = {}
    seconds: dict[str, float] = {}
    left_out: dict[str, str] = {}
    absent = []
    for name in arguments or PARTS:
        begun = time.monotonic()
        found, missing, loaded = figures_of(name)
        seconds[name] = time.monotonic() - begun
        figures |= found
        left_out |= missing
        absent += [] if loaded else [name]
        for key, value in found.items():
            print(f"{seconds[name]:6.0f} s  {key:34s} {value:.6g}", flush=True)
    for key, reason in left_out.items():
        print(f"left out  {key:34s} {reason}", file=sys.stderr)
    details: dict[str, Any] = {"seconds": seconds, "left_out": left_out}
    print(write("confidence", figures, details))
    return 1 if absent else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
