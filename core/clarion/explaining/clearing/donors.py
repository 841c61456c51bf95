"""Clearing by donors: copy the fewest signals from a nearby normal row (SCIENCE 5).

For any detector, and always plausible: each copied value was seen in a normal row, and those of one
row were seen together. Greedy for each of the nearest rows; the fewest is kept.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from clarion.arrays import FloatArray, Int64Array
from clarion.explaining.clearing.task import MOST_CULPRITS, Clearing, Task

DONORS = 20
"""Normal rows tried, nearest first."""
SHORTLIST = 2 * MOST_CULPRITS
"""Signals tried again after a round: those that lowered the score most."""
OTHERS = 8
"""Signals tried with every donor but the nearest: those that lowered the score most with that one."""

_FAR = 3.0
"""Spreads beyond which a feature is strange, and how strange must not choose the donor: the others
are to be alike, so that few have to change."""


def clear(task: Task) -> Clearing | None:
    """Return the fewest signals found that clear the row; None if none do.

    Scores at most ``d + MOST_CULPRITS SHORTLIST + DONORS OTHERS^2`` rows, and those to prune.
    """
    best: Clearing | None = None
    candidates = list(task.movable)
    for number, donor in enumerate(nearest(task)):
        most = MOST_CULPRITS if best is None else len(best.signals) - 1
        if not most:
            break
        left = [player for player in candidates if _differs(task, player, donor)]
        if not left:
            continue
        first = task.tried([((player, donor),) for player in left])
        found = _greedy(task, donor, left, first, most)
        if found is not None and (best is None or len(found.signals) < len(best.signals)):
            best = found
        if not number:
            candidates = _lowest(left, first, OTHERS)
    return best


def nearest(task: Task) -> list[int]:
    """Return the `DONORS` nearest normal rows, distances in spreads, each at most `_FAR`."""
    normal = task.normal
    with np.errstate(over="ignore"):
        distance = np.minimum(np.abs((normal.rows - task.row) / normal.spread), _FAR) ** 2
    total = np.where(normal.scores < task.threshold, distance.sum(axis=1), np.inf)
    order = np.argsort(total, kind="stable")[:DONORS]
    return [int(donor) for donor in order if np.isfinite(total[donor])]


def _greedy(
    task: Task, donor: int, left: Sequence[int], after: FloatArray, most: int
) -> Clearing | None:
    """Copy the signal that lowers the score most, then the next; ``after`` is the first round's."""
    chosen: tuple[tuple[int, int], ...] = ()
    while left:
        best = int(np.argmin(after))
        chosen = (*chosen, (left[best], donor))
        if task.clears(float(after[best])):
            return task.pruned(chosen)
        if len(chosen) == most:
            return None
        left = [player for player in _lowest(left, after, SHORTLIST) if player != chosen[-1][0]]
        after = task.tried([(*chosen, (player, donor)) for player in left])
    return None


def _lowest(players: Sequence[int], after: FloatArray, most: int) -> list[int]:
    """Return the players with the lowest scores, in their own order."""
    kept: Int64Array = np.sort(np.argsort(after, kind="stable")[:most])
    return [players[place] for place in kept]


def _differs(task: Task, player: int, donor: int) -> bool:
    members = task.players[player]
    return bool((task.row[members] != task.normal.rows[donor, members]).any())
