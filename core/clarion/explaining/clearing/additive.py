"""Clearing a sum of terms: the largest excesses go first, which is provably the fewest (SCIENCE 5).

Each signal's terms read its own features only, so a change of one leaves the others' alone. Its best
value is that of the background row where its terms are least, and its excess is what it has above
that. No set of ``k`` signals takes more away than those with the ``k`` largest excesses: if these do
not clear, no ``k`` signals do, whatever background values they take.
"""

from __future__ import annotations

import numpy as np

from clarion.arrays import FloatArray, Int64Array
from clarion.detectors import AdditiveTerms
from clarion.explaining.clearing.task import MOST_CULPRITS, Clearing, Edit, Task


def clear(task: Task, detector: AdditiveTerms, usual: FloatArray) -> Clearing | None:
    """Return the fewest signals that clear the row, with proof; None if `MOST_CULPRITS` do not.

    ``usual`` are the terms of the background, shape ``(m, d)``. Scores at most ``MOST_CULPRITS`` rows.
    """
    movable = [player for player in task.movable if len(task.players[player])]
    own = detector.terms(task.features)[0]
    donors, excess = _best(task, movable, own, usual)
    order = [k for k in np.argsort(-excess, kind="stable")[:MOST_CULPRITS] if excess[k] > 0]
    changes: Edit = tuple((movable[k], int(donors[k])) for k in order)
    edits = [changes[: k + 1] for k in range(len(changes))]
    cleared = np.flatnonzero(task.tried(edits) < task.threshold)
    if not len(cleared):
        return None
    edit = edits[int(cleared[0])]
    [row] = task.edited([edit])
    signals = tuple(player for player, _ in edit)
    score = float(task.scores(row[None, :])[0])
    return Clearing(signals, row, score, tuple(donor for _, donor in edit), proven=True)


def _best(
    task: Task, movable: list[int], own: FloatArray, usual: FloatArray
) -> tuple[Int64Array, FloatArray]:
    """Return each player's best background row, and what it takes off the score."""
    donors, excess = np.zeros(len(movable), np.int64), np.zeros(len(movable))
    for k, player in enumerate(movable):
        members = task.players[player]
        terms = usual[:, members].sum(axis=1)
        donors[k] = int(np.argmin(terms))
        excess[k] = own[members].sum() - terms[donors[k]]
    return donors, excess
