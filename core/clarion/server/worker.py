"""What runs in a spawned process: it loads models by digest, and is handed nothing that lives."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from dataclasses import dataclass
from functools import cache
from pathlib import Path

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


def start() -> None:
    """Prepare the process: it ends with its parent, however that ends, and not by Ctrl-C before."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True, name="end-with-parent").start()


def work(models_dir: Path, ref: VersionRef, task: Task) -> Done:
    """Perform ``task`` by the pipeline that ``ref`` names, loaded from disk and checked.

    Raises
    ------
    ModelNotFoundError, ArtifactCorruptError
        It is no longer there, or not what ``ref`` says.
    """
    worker = _worker(models_dir)
    key = (ref.tenant, ref.digest, ref.calibration_id)
    pipeline = worker.pipelines.get(key, lambda: worker.store.load(ref, worker.registries))
    return perform(pipeline, ref.name, task)


@cache
def _worker(models_dir: Path) -> _Worker:
    return _Worker(ModelStore(models_dir), load_plugins(), Cache(MAX_MODELS, MAX_BYTES))


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
