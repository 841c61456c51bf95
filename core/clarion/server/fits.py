"""Fits: one a model at a time, stored, and loaded again to see that they work."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import TypeVar

from clarion.errors import FitInProgressError
from clarion.pipeline.fit import fit
from clarion.registry import Registries
from clarion.server.convert.models import version_to_proto
from clarion.server.convert.operations import packed
from clarion.server.convert.orders import Order
from clarion.server.jobs import Job, Jobs
from clarion.server.loaded import Models
from clarion.store.artifacts import ModelStore, VersionRef
from clarion.store.operations import Operation

_SHARE_OF_FIT = 0.9
"""The rest of the progress is storing, and loading what was stored to see that it works."""
T = TypeVar("T")


class Fits:
    """Fits models as jobs."""

    def __init__(
        self, jobs: Jobs, store: ModelStore, models: Models, registries: Registries
    ) -> None:
        self._jobs = jobs
        self._store = store
        self._models = models
        self._registries = registries
        self._held: dict[tuple[str, str], str] = {}

    @contextmanager
    def held(self, tenant: str, model: str) -> Iterator[ExitStack]:
        """Hold a model's name, so that no fit of it starts; ``pop_all`` on the stack keeps it held.

        Raises
        ------
        FitInProgressError
            A fit holds it.
        """
        if (tenant, model) in self._held:
            operation = self._held[tenant, model]
            raise FitInProgressError(
                f"a fit of the model '{model}' is running; wait for it, or cancel it",
                model=model,
                operation=f"operations/{operation}" if operation else "",
            )
        self._held[tenant, model] = ""
        with ExitStack() as stack:
            stack.callback(self._held.pop, (tenant, model))
            yield stack

    def start(self, operation: Operation, order: Order) -> None:
        """Start the fit that ``operation`` stands for; the name is held, and let go at its end."""
        name = (order.tenant, order.model)
        self._held[name] = operation.id
        self._jobs.start(operation, partial(self._fitted, order), partial(self._held.pop, name))

    def _fitted(self, order: Order, job: Job) -> bytes:
        """Fit, store, and load what was stored; return the packed `ModelVersion`."""
        job.note(0.0, "fitting", force=True)
        pipeline = fit(
            order.spec,
            order.frame,
            order.labels,
            registries=self._registries,
            progress=lambda share, stage: job.note(_SHARE_OF_FIT * share, stage),
            cancelled=job.cancelled.is_set,
        )
        job.check_cancelled()
        job.note(_SHARE_OF_FIT, "storing", force=True)
        ref = self._store.save(order.tenant, order.model, pipeline, order.display_name)
        return self._or_undone(ref, lambda: self._verified(job, ref))

    def _verified(self, job: Job, ref: VersionRef) -> bytes:
        self._models.load(ref)
        response = packed(version_to_proto(ref, *self._store.describe(ref)))
        job.check_cancelled()
        return response

    def _or_undone(self, ref: VersionRef, verify: Callable[[], T]) -> T:
        """Return ``verify()``; if it fails, leave nothing of the version behind."""
        try:
            return verify()
        except BaseException:
            self._store.delete_version(ref.tenant, ref.model, ref.number)
            if not self._store.get(ref.tenant, ref.model).versions:
                self._store.delete(ref.tenant, ref.model)
            raise
