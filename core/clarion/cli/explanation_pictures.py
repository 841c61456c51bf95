"""The pictures of one explanation: its waterfall, and its raw cells over time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from clarion.evaluation import explanation_pictures as pictures

if TYPE_CHECKING:
    from clarion_client import Explanation


def waterfall(explanation: Explanation) -> str:
    """Draw how contributions lead from the base value to the score, by signal or other player."""
    title = f"What made the score of row {explanation.row}"
    ends = explanation.base_value, explanation.threshold
    if explanation.player_ranking:
        players = explanation.player_ranking
        names, parts = [p.player.name for p in players], [p.contribution for p in players]
        return pictures.waterfall(title, ends[0], names, parts, threshold=ends[1])
    reasons = sorted(explanation.signal_ranking, key=lambda reason: -reason.contribution)
    notes = [
        r.word if r.value is None or r.expected is None else f"{r.value:.3g} for {r.expected:.3g}"
        for r in reasons
    ]
    return pictures.waterfall(
        title,
        ends[0],
        [reason.signal for reason in reasons],
        [reason.contribution for reason in reasons],
        notes=notes,
        threshold=ends[1],
    )


def heat_map(explanation: Explanation) -> str:
    """Draw the contributions of raw cells: a row a signal, a column an observation, latest right."""
    names = list(dict.fromkeys(cell.signal for cell in explanation.cells))
    oldest = max((cell.lag for cell in explanation.cells), default=0)
    values = np.zeros((len(names), oldest + 1))
    for cell in explanation.cells:
        values[names.index(cell.signal), oldest - cell.lag] += cell.contribution
    heads = [f"{lag} before" if lag else "this row" for lag in range(oldest, -1, -1)]
    title = f"What each value added to the score of row {explanation.row}"
    return pictures.heat_map(title, names, heads, values)
