"""What the reasons that a fitted pipeline gave for many rows have in common."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from clarion.arrays import FloatArray
from clarion.explaining import ladder
from clarion.explaining.games import Game
from clarion.explaining.overview import Overview, Pair, interactions, overview, strongest_pairs
from clarion.explaining.reasons import evaluations_allowed
from clarion.explaining.values import seeds
from clarion.frames import Frame
from clarion.pipeline.answer import Answer, ExplanationPolicy
from clarion.pipeline.run import FittedPipeline
from clarion.pipeline.score import scored


def overview_of(
    pipeline: FittedPipeline, frame: Frame, answer: Answer, policy: ExplanationPolicy, periods: int
) -> Overview:
    """Return the overview of ``answer``, which `FittedPipeline.run` gave for ``frame``.

    Its players are those of the answer. Without anything explained it is of no rows.

    Raises
    ------
    PluginError
        The explainer failed; it is named.
    """
    game = pipeline.reasoner.games.of(policy.players)
    if answer.attribution is None:
        return overview(np.empty((0, len(game.roster.players))), np.empty((0, 0)), periods)
    contributions = answer.attribution.contributions
    if game.reads is None:  # told apart by raw cells alone: neither background nor pairs are
        return overview(contributions, np.empty((0, 0)), periods)
    rung = pipeline.reasoner.rung(policy)
    found = overview(contributions, _usual(pipeline, game, rung, policy), periods)
    if not game.single:
        return found
    explained = _features(pipeline, frame, answer)
    pairs = strongest_pairs(interactions(rung, game.scorable, explained))
    names = game.columns
    placed = (Pair(int(names[pair.first]), int(names[pair.second]), pair.size) for pair in pairs)
    return replace(found, pairs=tuple(placed))


def _usual(
    pipeline: FittedPipeline, game: Game, rung: ladder.Rung, policy: ExplanationPolicy
) -> FloatArray:
    """Return the contributions of the background's rows, shape ``(m, n_players)``."""
    rows, scorable = pipeline.background.rows, game.scorable
    allowed = evaluations_allowed(policy, rung)
    answer = ladder.explain(rung, scorable, rows, allowed, seeds(pipeline.digest, rows))
    return game.by_player(answer, scorable.background_scores()).contributions


def _features(pipeline: FittedPipeline, frame: Frame, answer: Answer) -> Frame:
    done = pipeline.chain.transform(pipeline.taken(frame))
    done, _, _ = scored(pipeline.plugin, pipeline.detector, done, {})
    return done.frame.take(answer.explained)
