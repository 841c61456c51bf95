"""Clearing a reconstruction error: put the network's own output in the place of suspects (SCIENCE 5).

Masked re-imputation: the signal that is reconstructed worst is masked, and what the network makes of
the others takes its place, over and over until it settles; then the next.
"""

from __future__ import annotations

import numpy as np

from clarion.arrays import FloatArray, Int64Array
from clarion.detectors import Reconstruction
from clarion.explaining.clearing.task import COMPUTED, MOST_CULPRITS, Clearing, Task

PASSES = 8
"""Times that the masked signals are reconstructed from each other and from the rest."""


def clear(task: Task, detector: Reconstruction) -> Clearing | None:
    """Return the fewest signals found that clear the row; None if `MOST_CULPRITS` do not.

    Reconstructs at most ``MOST_CULPRITS (PASSES + 1)`` rows twice, and scores ``2 MOST_CULPRITS``.
    """
    chosen: tuple[int, ...] = ()
    row = task.row
    left = [player for player in task.computable if len(task.players[player])]
    while left and len(chosen) < MOST_CULPRITS:
        errors = np.abs(row - _copy(task, detector, row)) / task.normal.spread
        worst = max(left, key=lambda player: float(errors[task.players[player]].max()))
        left.remove(worst)
        chosen = (*chosen, worst)
        found = _imputed(task, detector, chosen)
        if task.clears(found.score):
            return _pruned(task, detector, found)
        row = found.row
    return None


def _imputed(task: Task, detector: Reconstruction, chosen: tuple[int, ...]) -> Clearing:
    """Return the row with the chosen players as the network makes them of the others."""
    free: Int64Array = np.unique(np.concatenate([task.players[player] for player in chosen]))
    row = task.row.copy()
    # What is so strange that it drags its copy along would take many passes: begin at the usual.
    row[free] = np.median(task.normal.rows[:, free], axis=0)
    for _ in range(PASSES):
        row[free] = _copy(task, detector, row)[free]
        row = task.lines.settled(chosen, task.players, row)
    [score] = task.scores(row[None, :])
    return Clearing(chosen, row, float(score), (COMPUTED,) * len(chosen), len(chosen) == 1)


def _pruned(task: Task, detector: Reconstruction, found: Clearing) -> Clearing:
    for player in found.signals[:-1]:
        rest = tuple(other for other in found.signals if other != player)
        fewer = _imputed(task, detector, rest)
        found = fewer if task.clears(fewer.score) else found
    return found


def _copy(task: Task, detector: Reconstruction, row: FloatArray) -> FloatArray:
    return np.asarray(detector.reconstruct(task.features.with_numeric(row[None, :]))[0])
