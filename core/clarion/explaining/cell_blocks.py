"""Time blocks where features mix their rows: the exact contributions of raw cells, summed by player."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from clarion.arrays import FloatArray, Int64Array
from clarion.errors import UnsupportedPairError
from clarion.explainers import Attribution, Label, additivity_error
from clarion.explaining.games import Game
from clarion.explaining.tracing import Tracer
from clarion.pipeline.answer import ExplanationPolicy

_METHOD = "quadratic"
"""Name of the explainer whose closed form `Tracer.exact` takes to raw cells."""


def require_supported(policy: ExplanationPolicy) -> None:
    """Refuse what the closed form is not.

    Raises
    ------
    UnsupportedPairError
        Another explainer or a cross-check was asked for.
    """
    if policy.explainer not in ("", _METHOD) or policy.cross_checks:
        raise UnsupportedPairError(
            f"for this model, time blocks are explained by '{_METHOD}' alone, without "
            "cross-checks: its features mix the rows of several blocks",
            field="policy.cross_checks" if policy.cross_checks else "policy.explainer",
            supported=_METHOD,
        )


def by_cells(
    game: Game, tracer: Tracer, rows: Int64Array, scores: FloatArray, check: Callable[[], None]
) -> Attribution:
    """Explain rows of features by their raw cells, which play a 2-additive game: sums are exact.

    ``check`` is called before each row, and may raise.

    Raises
    ------
    UnsupportedPairError
        A row is so far out, or lacks a value, that its score is not quadratic in its cells.
    """
    parts = np.zeros((len(rows), len(game.roster.players)))
    for k, index in enumerate(rows):
        check()
        cells = tracer.exact(int(index))
        if cells is None:
            raise UnsupportedPairError(
                "a row to explain has a missing cell, or one so far out that its features do not "
                "follow it, so that its score has no parts by time block; ask for signals",
                field="policy.players",
                supported="signals",
            )
        parts[k] = tracer.by_player(int(index), cells, game.roster)
    base = np.full(len(rows), game.alone.mean_score())
    return Attribution(
        contributions=parts,
        base_value=base,
        label=Label.EXACT,
        method=_METHOD,
        value_function="marginal over the background's windows",
        additivity_error=additivity_error(parts, base, scores),
    )
