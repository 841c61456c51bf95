"""The explain step: rows of features to attributions by player, and by feature for their cells."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass

import numpy as np

from clarion.arrays import FloatArray, Int64Array
from clarion.errors import BudgetExceededError, UnsupportedPairError
from clarion.explainers import Attribution, Role, Scorable
from clarion.explaining import ladder
from clarion.explaining.blocks import Work, Worker
from clarion.explaining.cache import Hits
from clarion.explaining.cell_blocks import by_cells, require_supported
from clarion.explaining.games import Game, Games
from clarion.explaining.tracing import Tracer
from clarion.explaining.values import seeds
from clarion.frames import Frame
from clarion.pipeline.answer import DEFAULT_EVALUATIONS, ExplainedRows, ExplanationPolicy, View


@dataclass(frozen=True, slots=True, eq=False)
class Reasons:
    """Why rows have their scores.

    Attributes
    ----------
    game
        Among whom the scores are shared out.
    by_player
        The decomposition, one column a player.
    by_feature
        The contributions of the detector's features, shape ``(m, d)``; no rows where neither
        players nor cells need them.
    cross_checks
        By player, with each explainer's name.
    hits
        How much of it was in the cache.
    """

    game: Game
    by_player: Attribution
    by_feature: FloatArray
    cross_checks: tuple[tuple[str, Attribution], ...]
    hits: Hits


@dataclass(frozen=True, slots=True, eq=False)
class Reasoner:
    """Explains what one model scored."""

    games: Games
    worker: Worker
    digest: str

    @property
    def scorable(self) -> Scorable:
        """What is explained by default: the score, shared out among the raw signals where it can be."""
        return self.games.plain.scorable

    def rung(self, policy: ExplanationPolicy) -> ladder.Rung:
        """Return the explainer that ``policy`` names, or the best one within its budget.

        Raises
        ------
        BudgetExceededError, UnsupportedPairError, PluginNotFoundError
            There is none.
        """
        return self._rungs(self.games.of(policy.players), policy)[0]

    def reasons(
        self,
        tracer: Tracer,
        rows: Int64Array,
        scores: FloatArray,
        policy: ExplanationPolicy,
        check: Callable[[], None] = lambda: None,
    ) -> Reasons | None:
        """Explain some rows of features; None where there are none, or nothing fits and may not.

        What cannot be done is refused without any row to explain too: a stream is told when it
        opens, not by its first anomaly.

        Parameters
        ----------
        rows, scores
            Which rows of ``tracer.done.frame``, and their scores.
        check
            Called between blocks of rows; may raise.

        Raises
        ------
        BudgetExceededError, UnsupportedPairError, PluginNotFoundError
            No explainer can do what ``policy`` asks, and it does not allow to go without.
        InvalidParameterError, LimitExceededError
            Players that the model cannot have.
        """
        if policy.rows is ExplainedRows.NONE:
            return None
        features = tracer.done.frame.take(rows)
        try:
            _require_numbers(features)
            game = self.games.of(policy.players)
            if game.reads is not None:
                return self._explained(game, features, scores, policy, check)
            require_supported(policy)
            if not len(rows):
                return None
            answer = by_cells(game, tracer, rows, scores, check)
            return Reasons(game, answer, np.empty((0, 0)), (), Hits(len(rows)))
        except (BudgetExceededError, UnsupportedPairError):
            if policy.allow_unexplained:
                return None
            raise

    def _explained(
        self,
        game: Game,
        features: Frame,
        scores: FloatArray,
        policy: ExplanationPolicy,
        check: Callable[[], None],
    ) -> Reasons | None:
        rung, beside = self._rungs(game, policy)
        checks = [_named(game, name, Role.CROSS_CHECK, policy) for name in policy.cross_checks]
        if not len(features):
            return None
        drawn, alone = seeds(self.digest, features), self.games.alone

        def done(by: ladder.Rung, scorable: Scorable, evaluations: int) -> tuple[Attribution, Hits]:
            same: Hashable = None if scorable is alone else game.choice
            return self.worker.explain(
                Work(by, scorable, features, evaluations, drawn), same, check
            )

        spent = 0 if beside is None else beside.support.evaluations
        allowed = evaluations_allowed(policy, rung, extra=spent) - spent
        answer, hits = done(rung, game.scorable, allowed)
        parts = answer.contributions if game.scorable is alone else np.empty((0, 0))
        if beside is not None:
            parts = done(beside, alone, spent)[0].contributions
        checked = tuple(
            (by.name, done(by, game.scorable, evaluations_allowed(policy, by))[0]) for by in checks
        )
        return Reasons(
            game,
            game.by_player(answer, scores),
            parts,
            tuple((name, game.by_player(found, scores)) for name, found in checked),
            hits,
        )

    def _rungs(
        self, game: Game, policy: ExplanationPolicy
    ) -> tuple[ladder.Rung, ladder.Rung | None]:
        """Return what explains the players, and what explains their features where cells need it."""
        if policy.explainer:
            rung = _named(game, policy.explainer, Role.DECOMPOSITION, policy)
        else:
            rung = ladder.best(game.rungs, evaluations_allowed(policy, *game.rungs))
        if policy.view is not View.FULL or game.scorable is self.games.alone:
            return rung, None
        able = self.games.alone_rungs
        same = [other for other in able if other.name == rung.name]
        beside = same[0] if same else ladder.best(able, evaluations_allowed(policy, *able))
        both = rung.support.evaluations + beside.support.evaluations
        if both > evaluations_allowed(policy, rung, extra=beside.support.evaluations):
            raise BudgetExceededError(
                f"'{rung.name}' needs {rung.support.evaluations} evaluations a row for the players, "
                f"and '{beside.name}' {beside.support.evaluations} more for the cells of the full "
                f"view: more than the {policy.max_evaluations} allowed",
                field="policy.max_evaluations",
                explainer=rung.name,
                needed=both,
            )
        return rung, beside


def _named(game: Game, name: str, role: Role, policy: ExplanationPolicy) -> ladder.Rung:
    rung = ladder.named(game.scorable, game.registries, name, role)
    return ladder.within(rung, evaluations_allowed(policy, rung))


def evaluations_allowed(policy: ExplanationPolicy, *rungs: ladder.Rung, extra: int = 0) -> int:
    """Return the evaluations allowed: unless said, always enough for the cheapest of ``rungs``."""
    if policy.max_evaluations is not None:
        return policy.max_evaluations
    cheapest = min((rung.support.evaluations for rung in rungs), default=0)
    return max(DEFAULT_EVALUATIONS, cheapest + extra)


def _require_numbers(features: Frame) -> None:
    for signal in features.of_kind(numeric=False):
        raise UnsupportedPairError(
            f"'{signal.name}' reaches the detector as {signal.kind.value}, and no explainer takes "
            "that; put the extractor 'encode' in the pipeline, or allow answers without explanations",
            field="policy.rows",
            signal=signal.name,
        )
