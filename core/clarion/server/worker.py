"""What runs in a spawned process: it loads models by digest, and is handed nothing that lives."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from clarion.explaining.cache import AttributionCache
from clarion.pipeline.run import FittedPipeline
from clarion.plugins import load_plugins
from clarion.registry import Registries
from clarion.server.task import Done, Task, perform
from clarion.store.artifacts import ModelStore, VersionRef
from clarion.store.cache import Cache

MAX_MODELS = 8
MAX_BYTES = 512 * 2**20


@dataclass(frozen=True, slots=True)
class _Worker:
    store: ModelStore
    registries: Registries
    pipelines: Cache[FittedPipeline]
    explanations: AttributionCache

    def load(self, ref: VersionRef) -> tuple[FittedPipeline, int]:
        """Return the pipeline that ``ref`` names, and its bytes."""
        pipeline, size = self.store.load(ref, self.registries)
        return replace(pipeline, cache=self.explanations), size


def start() -> None:
    """Prepare the process: it ends with its parent, however that ends, and not by Ctrl-C before."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True, name="end-with-parent").start()


def work(
    models_dir: Path, max_explanation_bytes: int, ref: VersionRef, task: Task, gone: Path
) -> Done:
    """Perform ``task`` by the pipeline that ``ref`` names, loaded from disk and checked.

    Once the file ``gone`` exists, nobody waits for it any more.

    Raises
    ------
    ModelNotFoundError, ArtifactCorruptError
        It is no longer there, or not what ``ref`` says.
    OperationCancelledError
        ``gone`` appeared.
    """
    worker = _worker(models_dir, max_explanation_bytes)
    key = (ref.tenant, ref.digest, ref.calibration_id)
    pipeline = worker.pipelines.get(key, lambda: worker.load(ref))
    return perform(pipeline, ref.name, task, gone.exists)


@cache
def _worker(models_dir: Path, max_explanation_bytes: int) -> _Worker:
    pipelines: Cache[FittedPipeline] = Cache(MAX_MODELS, MAX_BYTES)
    explanations = AttributionCache(max_explanation_bytes)
    return _Worker(ModelStore(models_dir), load_plugins(), pipelines, explanations)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
