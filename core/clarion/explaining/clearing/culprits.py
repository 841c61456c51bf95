"""Culprits: the smallest set found of signals whose return to normal clears the alarm.

Each family of detectors has its own search (SCIENCE 5), a file each. What they propose is
led back to raw rows, through the extractors again, and scored by the detector itself: that is the proof,
and only what is proven so is shown. The work is bounded: more than `MOST_CULPRITS` signals together are
no cause, and are not searched for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from clarion.arrays import FloatArray, Int64Array
from clarion.detectors import (
    AdditiveTerms,
    LinkedSum,
    QuadraticForm,
    Reconstruction,
    TreeEnsemble,
)
from clarion.explaining.clearing import (
    additive,
    donors,
    levels,
    linked,
    quadratic,
    reconstruction,
    trees,
)
from clarion.explaining.clearing.local import JointForm, Local
from clarion.explaining.clearing.plausible import Plausibility
from clarion.explaining.clearing.raw import RawModel, RawRow, Windows
from clarion.explaining.clearing.semi_factual import farthest_anomalous
from clarion.explaining.clearing.task import Clearing, Normal, Task
from clarion.explaining.clearing.trees import Splits
from clarion.explaining.counterfactual import CellLines
from clarion.frames import Frame


@dataclass(frozen=True, slots=True, eq=False)
class Cleared:
    """A clearing with its proof.

    Attributes
    ----------
    clearing
        What changes; its row and score are those of the edited raw rows.
    raw, windows
        The raw rows, and what they become; None where features lead back to none.
    still
        The raw rows at the farthest point of the way that is still anomalous.
    still_score
        The score there; None for a row that nothing clears.
    """

    clearing: Clearing
    raw: RawRow | None = None
    windows: Windows | None = None
    still: Windows | None = None
    still_score: float | None = None

    @classmethod
    def nothing(cls, features: Frame, score: float) -> Cleared:
        """Return that of a normal row, which needs no clearing."""
        return cls(Clearing((), features.numeric()[0], score))


@dataclass(frozen=True, eq=False)
class Clearer:
    """Finds what clears the alarms of one model.

    Attributes
    ----------
    score
        The detector's own.
    capability
        The fitted detector, asked for what it can do.
    players
        For each raw signal the features that read it.
    normal
        Normal rows, within what the constraints allow.
    lines
        Which signals may take computed values; with the constraints.
    raw
        What makes features of raw rows.
    """

    score: Callable[[Frame], FloatArray]
    capability: object
    players: Sequence[Int64Array]
    normal: Normal
    lines: CellLines
    raw: RawModel

    def clear(self, features: Frame, threshold: float, raw: RawRow | None = None) -> Cleared:
        """Find what brings one row, shape ``(1, d)``, made of ``raw`` rows, below ``threshold``."""
        task = self._task(features, threshold, raw)
        for clearing in self._proposals(task, raw):
            proven = _proven(task, clearing, raw)
            if proven is not None:
                return _with_still(task, proven)
        return Cleared(task.nothing)

    def _task(self, features: Frame, threshold: float, raw: RawRow | None) -> Task:
        recomputed = None if raw is None or raw.cells or self._apart else raw.recomputed
        return Task(
            features=features,
            threshold=threshold,
            players=self.players,
            movable=self._movable,
            score=self.score,
            normal=self.normal,
            lines=self.lines,
            recomputed=recomputed,
        )

    @cached_property
    def _movable(self) -> tuple[int, ...]:
        constraints = self.lines.constraints
        return tuple(p for p, constraint in enumerate(constraints) if not constraint.immutable)

    @cached_property
    def _apart(self) -> bool:
        """Whether no two players share a feature: then features copied are raw windows copied."""
        every = np.concatenate([np.empty(0, np.int64), *self.players])
        return len(np.unique(every)) == len(every)

    def _proposals(self, task: Task, raw: RawRow | None) -> Iterator[Clearing]:
        """Yield clearings, the best first."""
        own = self._by_family(task, raw)
        if own is None and isinstance(self.capability, AdditiveTerms) and self._apart:
            return  # no background values clear it, so none copied from one row do
        if own is not None and (own.proven or self._is_final(task)):
            yield own
            own = None
        copied = donors.clear(task)
        best = _fewest([own, copied])
        if best is not None:
            yield best
        for other in (own, copied):
            if other is not None and other is not best:
                yield other

    def _by_family(self, task: Task, raw: RawRow | None) -> Clearing | None:
        detector = self.capability
        if isinstance(detector, AdditiveTerms) and self._apart:
            return additive.clear(task, detector, self._terms)
        if not task.computable:
            return self._by_levels(task, raw)
        if self._local is not None:
            return quadratic.clear(task, self._local)
        if isinstance(detector, TreeEnsemble):
            return trees.clear(task, self._splits)
        if isinstance(detector, Reconstruction):
            return reconstruction.clear(task, detector)
        return None if self._joint is None else linked.clear(task, self._joint)

    def _by_levels(self, task: Task, raw: RawRow | None) -> Clearing | None:
        """Return what moves raw windows, for a quadratic score or a sum that has one as a member."""
        local = self._joint if self._local is None else self._local
        if local is None or raw is None or raw.cells is not None or not self._apart:
            return None
        return levels.clear(task, local, raw)

    def _is_final(self, task: Task) -> bool:
        """Return whether what was copied would hardly do with fewer signals than what was computed."""
        alone = self._local is not None or isinstance(self.capability, TreeEnsemble)
        return alone and len(task.computable) == len(task.movable)

    @cached_property
    def plausibility(self) -> Plausibility:
        """How usual cleared rows are."""
        return Plausibility(self.normal)

    @cached_property
    def _terms(self) -> FloatArray:
        assert isinstance(self.capability, AdditiveTerms)
        return self.capability.terms(self.normal.frame)

    @cached_property
    def _local(self) -> Local | None:
        if not isinstance(self.capability, QuadraticForm):
            return None
        return Local(self.capability, self.normal.frame)

    @cached_property
    def _joint(self) -> Local | None:
        """The quadratic members of a sum of linked scores, as one form; None without any."""
        if not isinstance(self.capability, LinkedSum):
            return None
        joint = JointForm(self.capability, self.normal)
        return Local(joint, self.normal.frame) if joint.useful else None

    @cached_property
    def _splits(self) -> Splits:
        assert isinstance(self.capability, TreeEnsemble)
        return Splits(self.capability)


def _fewest(found: Sequence[Clearing | None]) -> Clearing | None:
    """Return the first of those with the fewest signals."""
    able = [clearing for clearing in found if clearing is not None]
    return min(able, key=lambda clearing: len(clearing.signals)) if able else None


def _proven(task: Task, clearing: Clearing, raw: RawRow | None) -> Cleared | None:
    """Return the clearing with the score of its raw rows; None if they raise an alarm."""
    windows = None if raw is None else raw.edited(clearing)
    if raw is None or windows is None:
        return Cleared(clearing)
    rows = raw.features(windows)
    if rows is None:
        return None
    score = float(task.scores(rows)[0])
    if not task.clears(score):
        return None
    return Cleared(replace(clearing, row=rows[0], score=score), raw, windows)


def _with_still(task: Task, cleared: Cleared) -> Cleared:
    """Add the semi-factual: all culprits move together, in a line."""
    clearing, raw, windows = cleared.clearing, cleared.raw, cleared.windows

    def rows_at(shares: FloatArray) -> FloatArray:
        if raw is None or windows is None:
            return task.row * (1.0 - shares[:, None]) + clearing.row * shares[:, None]
        rows = raw.features(raw.between(clearing, windows, shares))
        assert rows is not None  # as many as in the window as it was sent
        return rows

    start = float(task.scores(task.row[None, :])[0])
    share, score = farthest_anomalous(
        lambda shares: task.scores(rows_at(shares)), task.threshold, start
    )
    still = None
    if raw is not None and windows is not None:
        at = np.array([share])
        still = raw.between(clearing, windows, at) if share else raw.as_seen
    return replace(cleared, still=still, still_score=score)
