"""What every benchmark needs: where the data lies, how long a run may be, and where results go."""

from __future__ import annotations

import json
import math
import os
import platform
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path
from typing import Any, TypeVar

J = TypeVar("J")
R = TypeVar("R")

REPOSITORY = Path(__file__).resolve().parents[2]
QUICK = os.environ.get("QUICK", "") not in ("", "0")
"""Whether a short run was asked for."""
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def data_root() -> Path:
    """Return the folder of recorded data: ``CLARION_DATA``, else ``../shared/data``."""
    named = os.environ.get("CLARION_DATA")
    return Path(named) if named else REPOSITORY.parent / "shared" / "data"


def write(suite: str, figures: dict[str, float], details: dict[str, Any]) -> Path:
    """Write ``build/bench/{suite}.json`` and return its path; NaN becomes null."""
    target = REPOSITORY / "build" / "bench" / f"{suite}.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    details = {"machine": f"{platform.machine()}, {os.cpu_count()} CPUs", "quick": QUICK, **details}
    result = plain({"suite": suite, "figures": figures, "details": details})
    target.write_text(json.dumps(result, indent=1, allow_nan=False) + "\n")
    return target


def plain(value: Any) -> Any:
    """Return ``value`` as JSON values; numbers that are not finite become None."""
    if isinstance(value, dict):
        return {str(name): plain(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, float):
        return round(value, 6) if math.isfinite(value) else None
    return value


def in_processes(
    work: Callable[[J], R], jobs: Sequence[J], done: Callable[[J, R], None], processes: int = 2
) -> None:
    """Call ``work`` on each job in so many processes of one thread each, ``done`` as they finish.

    Jobs start in their order: put the long ones first.
    """
    os.environ.update(dict.fromkeys(_THREADS, "1"))  # read by the processes as they load BLAS
    with ProcessPoolExecutor(processes, get_context("spawn")) as pool:
        waiting = {pool.submit(work, job): job for job in jobs}
        for finished in as_completed(waiting):
            done(waiting[finished], finished.result())
