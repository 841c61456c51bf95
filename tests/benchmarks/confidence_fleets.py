"""What a fleet costs as one model with a level for each asset, and what that brings on recorded machines.

Both models of a comparison have the same detector, are fitted on the same rows and asked in turns.
"""

from __future__ import annotations

import multiprocessing
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from clarion.arrays import BoolArray, FloatArray
from clarion.evaluation.metrics import average_precision
from clarion.frames import Asset, Frame, concatenated
from clarion.pipeline.answer import ExplainedRows, ExplanationPolicy
from clarion.pipeline.fit import fit
from clarion.pipeline.run import FittedPipeline
from clarion.pipeline.spec import PipelineSpec, Step
from clarion.plugins import load_plugins
from clarion.store.stored_state import write_state
from common import data_root
from detection_protocol import FOLDERS
from detection_readers import LAYOUTS, Limits, Split

ASSETS, SIGNALS = 10_000, 20
ROWS_EACH = 20
"""Rows of each asset that are fitted; as many are scored, in frames of `FRAME_ROWS`."""
FRAME_ROWS = 50_000
TURNS, QUICK_TURNS = 5, 2
FITTED, SCORED = 4_000, 20_000
"""Rows of a recorded machine, at most."""
SUITES = ("smd", "asd")
_SPEC = PipelineSpec(Step("mahalanobis"), false_alarm_rate=0.01)
_SILENT = ExplanationPolicy(ExplainedRows.NONE)


def figures(quick: bool) -> dict[str, float]:
    """Return the fleet's costs, and the gain in PR-AUC over all machines of the suites there are."""
    found = _in_a_process_of_its_own(costs, QUICK_TURNS if quick else TURNS)
    gains = [gain for suite in SUITES for gain in suite_gains(suite)]
    if gains:
        found["fleet_gain_pr_auc"] = float(np.mean(gains))
    return found


def costs(turns: int) -> dict[str, float]:
    """Return what a made fleet costs: speed against a pooled model, memory, time to fit, size."""
    registries = load_plugins()
    train, fresh = made(seed=1), made(seed=2)
    begun = time.perf_counter()
    own = fit(replace(_SPEC, partition_by="asset"), train, registries=registries)
    seconds = time.perf_counter() - begun
    pooled = fit(_SPEC, train, registries=registries)
    frames = [fresh.take(slice(i, i + FRAME_ROWS)) for i in range(0, len(fresh), FRAME_ROWS)]
    ratio = _seconds(pooled, frames, turns) / _seconds(own, frames, turns)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {
        "fleet_rows_per_s_ratio": ratio,
        "fleet_memory_mib": peak / (2**20 if sys.platform == "darwin" else 2**10),
        "fleet_fit_seconds": seconds,
        "fleet_model_mib": _stored_bytes(own) / 2**20,
    }


def made(seed: int) -> Frame:
    """Return rows of assets that each have a level and a spread of their own, in turns."""
    plant, rng = np.random.default_rng(0), np.random.default_rng(seed)
    level = 10.0 * plant.normal(size=(ASSETS, SIGNALS))
    spread = np.exp(plant.normal(size=(ASSETS, SIGNALS)))
    index = rng.permutation(np.repeat(np.arange(ASSETS, dtype=np.int32), ROWS_EACH))
    values = rng.normal(size=(len(index), SIGNALS))
    values *= spread[index]
    values += level[index]
    return Frame.of(
        values, assets=tuple(Asset(f"asset-{i:05}") for i in range(ASSETS)), asset=index
    )


def suite_gains(suite: str) -> Iterator[float]:
    """Yield, for each machine of a suite, the PR-AUC at its own level less that at one level for all."""
    folder, protocol = data_root() / suite, FOLDERS[suite]
    layout, rng = LAYOUTS[protocol.layout], np.random.default_rng(0)
    cases = layout.cases(folder, protocol) if folder.is_dir() else []
    splits = {
        case.stem: layout.split(case, protocol, protocol.regimes[0], Limits(FITTED, SCORED), rng)
        for case in cases
    }
    if len(splits) < 2:
        return
    train = concatenated([_of(name, split.train) for name, split in splits.items()])
    models = [
        fit(replace(_SPEC, partition_by=by, ordered=True), train, registries=load_plugins())
        for by in ("none", "asset")
    ]
    for name, split in splits.items():
        pooled, own = (_judged(model, name, split) for model in models)
        print(f"  {suite} {name}: PR-AUC pooled {pooled:.3f}, per asset {own:.3f}", flush=True)
        yield own - pooled


def _of(name: str, frame: Frame) -> Frame:
    return replace(frame, assets=(Asset(name),), asset=np.zeros(len(frame), np.int32))


def _judged(model: FittedPipeline, name: str, split: Split) -> float:
    test = next(iter(split.tests.values()))
    scores: FloatArray = model.run(_of(name, test.frame), _SILENT)[0].scores
    labels: BoolArray = test.labels
    return average_precision(scores, labels)


def _seconds(model: FittedPipeline, frames: list[Frame], turns: int) -> float:
    """Return the shortest time that all frames took: on a busy machine the others say how busy."""
    taken = []
    for _ in range(turns + 1):  # the first compiles
        begun = time.perf_counter()
        for frame in frames:
            model.run(frame, _SILENT)
        taken.append(time.perf_counter() - begun)
    return min(taken[1:])


def _stored_bytes(model: FittedPipeline) -> int:
    """Return the bytes of the model's arrays, as they are stored, and of the names of its groups."""
    with tempfile.TemporaryDirectory() as folder:
        described = write_state(Path(folder), "state", model.state())
    return sum(file.size for file in described.files.values()) + len(str(described.to_json()))


def _in_a_process_of_its_own(
    work: Callable[[int], dict[str, float]], turns: int
) -> dict[str, float]:
    """Return what ``work`` finds: a process's memory is the most that it ever took."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        found: dict[str, Any] = pool.apply(work, (turns,))
    return found
