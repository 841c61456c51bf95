"""Models in memory: loaded by digest, warmed up, and with what their work costs."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np

from clarion.errors import ClarionError, ModelNotFoundError
from clarion.explaining.cache import AttributionCache
from clarion.frames import Frame
from clarion.pipeline.answer import ExplainedRows, ExplanationPolicy, View
from clarion.pipeline.run import FittedPipeline
from clarion.registry import PROJECT, Registries
from clarion.server.offload import offload
from clarion.store.artifacts import ModelStore, VersionRef
from clarion.store.cache import Cache

_PROBATION = 8
_LONG_SECONDS = 10e-3
_MAX_COSTS = 64
"""Policies whose cost is remembered; callers choose policies freely."""


@dataclass(slots=True, eq=False)
class Pace:
    """Whether a model may run on the event loop: its last runs kept to what was estimated.

    An estimate is no promise, and what holds the event loop holds every caller; so a model starts
    in threads, and goes back there as soon as one run takes long.
    """

    _short_runs: int = 0

    @property
    def steady(self) -> bool:
        """Whether enough runs in a row were short."""
        return self._short_runs >= _PROBATION

    def note(self, seconds: float) -> None:
        """Note how long a run took that was estimated to be short."""
        self._short_runs = self._short_runs + 1 if seconds <= _LONG_SECONDS else 0


@dataclass(frozen=True, slots=True, eq=False)
class Loaded:
    """A pipeline in memory.

    Attributes
    ----------
    call_seconds, row_seconds
        What scoring takes: once, and for each row (measured when it was loaded).
    pace
        How its short runs went since.
    """

    ref: VersionRef
    pipeline: FittedPipeline
    call_seconds: float
    row_seconds: float
    pace: Pace = field(default_factory=Pace, repr=False)
    _costs: dict[ExplanationPolicy, float] = field(default_factory=dict, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @property
    def own(self) -> bool:
        """Whether all its plugins are Clarion's own: a stranger's may block whom it runs beside."""
        pipeline = self.pipeline
        registries, spec = pipeline.registries, pipeline.spec
        owners = {registries.detectors.owner(spec.detector.plugin)}
        owners |= {registries.features.owner(step.plugin) for step in spec.features}
        return owners == {PROJECT}

    def score_seconds(self, rows: int) -> float:
        """Return what scoring so many rows takes, about."""
        return self.call_seconds + rows * self.row_seconds

    def known_cost(self, policy: ExplanationPolicy) -> float | None:
        """Return what explaining one row takes, if that was measured."""
        return self._costs.get(_key(policy))

    def measured_cost(self, policy: ExplanationPolicy) -> float:
        """Measure what explaining one row takes, and remember it; 0 where it cannot be explained.

        What cannot be is not remembered: only names that the model knows bound a policy's size.
        """
        try:
            seconds = _quickest(lambda: self.pipeline.cost(_key(policy)))
        except ClarionError:
            return 0.0  # the real call raises it again, to the caller who asked
        with self._lock:
            if len(self._costs) >= _MAX_COSTS:
                self._costs.pop(next(iter(self._costs)))
            self._costs[_key(policy)] = seconds
        return seconds


class Models:
    """Resolves resource names and keeps the models in use loaded."""

    def __init__(
        self,
        store: ModelStore,
        registries: Registries,
        threads: Executor,
        *,
        max_count: int,
        max_bytes: int,
        explanations: AttributionCache | None = None,
    ) -> None:
        self._store = store
        self._registries = registries
        self._threads = threads
        self._explanations = explanations
        self._cache: Cache[Loaded] = Cache(max_count, max_bytes)

    async def get(self, tenant: str, name: str) -> Loaded:
        """Return the model or version that ``name`` means now, loaded.

        Raises
        ------
        ModelNotFoundError
            There is none.
        ArtifactCorruptError
            It fails its checks.
        """
        model, number = parsed_name(name)
        ref = self._store.known(tenant, model, number)
        found = None if ref is None else self._cache.peek(_cache_key(ref))
        if found is not None and ref is not None:
            return found if found.ref == ref else replace(found, ref=ref)
        return await offload(self._threads, self._find, tenant, model, number)

    def load(self, ref: VersionRef) -> Loaded:
        """Return the version ``ref`` loaded; from disk if it is not in memory."""
        found = self._cache.get(_cache_key(ref), lambda: self._load(ref))
        return found if found.ref == ref else replace(found, ref=ref)

    def _find(self, tenant: str, model: str, number: int | None) -> Loaded:
        return self.load(self._store.resolve(tenant, model, number))

    def _load(self, ref: VersionRef) -> tuple[Loaded, int]:
        pipeline, size = self._store.load(ref, self._registries)
        pipeline = replace(pipeline, cache=self._explanations)
        loaded = Loaded(ref, pipeline, *_timed(pipeline))
        loaded.measured_cost(ExplanationPolicy())
        return loaded, size


def parsed_name(name: str) -> tuple[str, int | None]:
    """Return model and version number (None for the newest) of a resource name.

    Raises
    ------
    ModelNotFoundError
        The number is none that a version has.
    """
    parts = name.split("/")
    if len(parts) == 2:
        return parts[1], None
    if parts[3].startswith("0"):
        raise ModelNotFoundError(f"there is no version '{name}'", model=parts[1], version=parts[3])
    return parts[1], int(parts[3])


def _timed(pipeline: FittedPipeline) -> tuple[float, float]:
    """Score background rows, which compiles or loads every kernel; return seconds a call and a row."""
    quiet = ExplanationPolicy(rows=ExplainedRows.NONE)
    windows = pipeline.background.windows
    single = windows.take(slice(0, pipeline.history + 1))
    many = single.take(np.tile(np.arange(len(single)), 1 + 256 // len(single)))

    def run(frame: Frame) -> float:
        begun = time.perf_counter()
        pipeline.run(frame, quiet)
        return time.perf_counter() - begun

    run(single)
    seconds = [_quickest(partial(run, frame)) for frame in (single, many)]
    row = max(0.0, seconds[1] - seconds[0]) / (len(many) - len(single))
    return max(0.0, seconds[0] - row * len(single)), row


def _quickest(measure: Callable[[], float]) -> float:
    """Return the smallest of up to three measurements: others compute beside us."""
    seconds = measure()
    for _ in range(2):
        if seconds > 0.02:
            break
        seconds = min(seconds, measure())
    return seconds


def _key(policy: ExplanationPolicy) -> ExplanationPolicy:
    """Return the policy by what its cost depends on; evaluations in powers of two."""
    evaluations = policy.max_evaluations
    if evaluations is not None:
        evaluations = min(1 << max(0, evaluations - 1).bit_length(), 1_000_000)
    return ExplanationPolicy(
        rows=ExplainedRows.ALL,
        explainer=policy.explainer,
        cross_checks=policy.cross_checks,
        max_evaluations=evaluations,
        view=View.FULL if policy.view is View.FULL else View.BASIC,
        players=policy.players,
    )


def _cache_key(ref: VersionRef) -> tuple[str, str, str]:
    return (ref.tenant, ref.digest, ref.calibration_id)
