"""Clearing a sum of linked scores: what a quadratic member proposes, scored again by the sum.

The members' scores rise and fall together, so that the signals which explain the quadratic one's often
clear the whole: with its own best values, which no normal row need have had.
"""

from __future__ import annotations

from clarion.explaining.clearing import quadratic
from clarion.explaining.clearing.local import Local
from clarion.explaining.clearing.task import Clearing, Task


def clear(task: Task, local: Local) -> Clearing | None:
    """Return the fewest of a member's growing sets that clear the row; None if none do.

    Scores at most ``2 MOST_CULPRITS`` rows.
    """
    for found in quadratic.growing(task, local):
        if task.clears(found.score):
            return quadratic.pruned(task, local, found)
    return None
