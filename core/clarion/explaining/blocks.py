"""Explaining many rows in blocks: between them a caller may leave; what is known is not redone."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from clarion.explainers import Attribution, Scorable
from clarion.explaining import ladder
from clarion.explaining.cache import AttributionCache, Hits, joined, row_keys, taken
from clarion.frames import Frame

_BLOCK_EVALUATIONS = 1 << 14
"""Rows scored in a block, about: a quarter of a second for a detector that takes 16 us a row."""
_BLOCK_ROWS = 1 << 10
_SLOW_SECONDS = 1e-3
"""An explainer that scores nothing more is worth a cache where a row takes it longer than this."""


@dataclass(frozen=True, slots=True, eq=False)
class Work:
    """One explainer's task: rows of features, and what they may cost."""

    rung: ladder.Rung
    scorable: Scorable
    features: Frame
    evaluations: int
    seeds: NDArray[np.uint64]

    @property
    def scored(self) -> int:
        """Rows scored for each row explained, about; 0 for those that score none."""
        return self.evaluations if self.rung.support.evaluations else 0

    def of(self, rows: NDArray[np.int64]) -> Work:
        """Return the work for some of the rows."""
        features, seeds = self.features.take(rows), self.seeds[rows]
        return Work(self.rung, self.scorable, features, self.evaluations, seeds)


@dataclass(frozen=True, eq=False)
class Worker:
    """Does such work, in blocks and with a memory.

    Attributes
    ----------
    digest
        Identity of the model, without which nothing is kept.
    cache
        Shared with other models; None for none.
    """

    digest: str
    cache: AttributionCache | None = None
    _slow: dict[str, bool] = field(default_factory=dict, init=False)

    def explain(
        self, work: Work, players: Hashable, check: Callable[[], None]
    ) -> tuple[Attribution, Hits]:
        """Explain each row; ``check`` is called before each block, and may raise.

        ``players`` tells the scorable from the model's others.
        """
        key = (self.digest, players, work.rung.name, work.scored)
        cache = self.cache if self.digest else None
        if cache is None or not (work.scored or self._slow.get(work.rung.name, False)):
            return self._in_blocks(work, check), Hits(len(work.features))
        keys = [(key, row) for row in row_keys(work.features)]
        known = [cache.get(row_key) for row_key in keys]
        missing = np.array([i for i, answer in enumerate(known) if answer is None], np.int64)
        if len(missing):
            fresh = self._in_blocks(work.of(missing), check)
            for place, i in enumerate(missing):
                known[i] = taken(fresh, place)
                if work.scored or self._slow[work.rung.name]:
                    cache.put(keys[i], known[i])
        return joined([a for a in known if a is not None]), Hits(
            len(known), len(known) - len(missing)
        )

    def _in_blocks(self, work: Work, check: Callable[[], None]) -> Attribution:
        rows = np.arange(len(work.features))
        size = max(1, min(_BLOCK_ROWS, _BLOCK_EVALUATIONS // max(1, work.scored)))
        parts, begun = [], time.perf_counter()
        for start in range(0, len(rows), size):
            check()
            part = work if size >= len(rows) else work.of(rows[start : start + size])
            parts.append(
                ladder.explain(
                    part.rung, part.scorable, part.features, part.evaluations, part.seeds
                )
            )
        slow = time.perf_counter() - begun > _SLOW_SECONDS * len(rows)
        # The first time tells nothing: it includes what is prepared once, or compiled.
        self._slow[work.rung.name] = slow and work.rung.name in self._slow
        return parts[0] if len(parts) == 1 else joined(parts)
