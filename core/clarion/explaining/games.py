"""Games: one detector's score shared out among chosen players, by whichever explainer can."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from clarion.arrays import FloatArray, Int64Array
from clarion.errors import UnsupportedPairError
from clarion.explainers import Attribution, Label, Role, Scorable, additivity_error
from clarion.explaining import ladder
from clarion.explaining.lags import Lags
from clarion.explaining.players import PlayerChoice, Roster
from clarion.registry import Registries

_MAX_CHOSEN = 4
"""Games of other players than plain signals kept at a time: each may hold 32 MiB of its own."""


@dataclass(frozen=True, eq=False)
class Game:
    """A score shared out among players.

    Attributes
    ----------
    choice, roster
        What was asked for, and the players that this makes.
    reads
        For each feature the players whose cells it reads; None where features cannot tell, and
        only raw cells can (see `clarion.explaining.linear_cells`).
    alone
        The score with each feature as a player of its own.
    """

    choice: PlayerChoice
    roster: Roster
    reads: tuple[tuple[int, ...], ...] | None
    alone: Scorable
    registries: Registries

    @cached_property
    def single(self) -> bool:
        """Whether every feature reads the cells of exactly one player."""
        return self.reads is not None and all(len(read) == 1 for read in self.reads)

    @cached_property
    def scorable(self) -> Scorable:
        """The score with the players' features together; each alone where some read several players."""
        if not self.single or len(self.columns) == len(self._owner):
            return self.alone
        players = np.searchsorted(self.columns, self._owner)
        return replace(self.alone, players=players)

    @cached_property
    def rungs(self) -> list[ladder.Rung]:
        """The explainers that can play it, best first."""
        return ladder.rungs(self.scorable, self.registries, Role.DECOMPOSITION)

    def label(self, label: Label) -> Label:
        """Return what the label of an answer about `scorable` becomes, by player."""
        return label if self.single or label is not Label.EXACT else Label.ADDITIVE

    def by_player(self, answer: Attribution, scores: FloatArray) -> Attribution:
        """Return an answer about `scorable` with one column a player, shape ``(m, n_players)``.

        A feature that reads several players is split among them evenly; cells tell more. Ends of
        intervals and standard errors are summed, which bounds them: members err together at worst.
        """
        parts = self._placed(answer.contributions)
        errors, ends = answer.standard_error, answer.interval
        return replace(
            answer,
            contributions=parts,
            label=self.label(answer.label),
            additivity_error=additivity_error(parts, answer.base_value, scores),
            standard_error=None if errors is None else self._placed(errors),
            interval=None if ends is None else self._placed(ends),
        )

    @cached_property
    def _owner(self) -> Int64Array:
        """The player of each feature, where each reads one; shape ``(d,)``."""
        return np.array([read[0] for read in self.reads or ()], np.int64)

    @cached_property
    def columns(self) -> Int64Array:
        """The player of each column of an answer; with a feature each, in the features' order."""
        present = np.unique(self._owner)
        return self._owner if len(present) == len(self._owner) else present

    def _placed(self, values: FloatArray) -> FloatArray:
        out = np.zeros((len(values), len(self.roster.players), *values.shape[2:]))
        if self.single:
            out[:, self.columns] = values
            return out
        for feature, read in enumerate(self.reads or ()):
            for player in read:
                out[:, player] += values[:, feature] / len(read)
        return out


@dataclass(frozen=True, eq=False)
class Games:
    """The games of one model: that among its signals, and the last others asked for.

    Attributes
    ----------
    alone
        The score with each feature as a player of its own.
    signals, reads
        The raw signals, and for each feature the places of those it reads.
    lags
        Gives the rows before the last that each feature may read; None where that has no end.
    cell_lag
        Gives the oldest row that can be told apart by raw cells alone (a quadratic score of linear
        features); None where it is another score.
    """

    alone: Scorable
    registries: Registries
    signals: tuple[str, ...]
    reads: tuple[tuple[int, ...], ...]
    lags: Callable[[], Lags | None]
    cell_lag: Callable[[], int | None]
    _chosen: OrderedDict[PlayerChoice, Game] = field(default_factory=OrderedDict, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)

    @cached_property
    def alone_rungs(self) -> list[ladder.Rung]:
        """The explainers that can tell the features apart, best first."""
        return ladder.rungs(self.alone, self.registries, Role.DECOMPOSITION)

    @cached_property
    def plain(self) -> Game:
        """The game among the signals."""
        return self._made(PlayerChoice())

    def of(self, choice: PlayerChoice) -> Game:
        """Return the game among the players chosen.

        Raises
        ------
        InvalidParameterError, LimitExceededError
            Players that the model cannot have: see `Roster.of`.
        UnsupportedPairError
            The model's features mix the rows of several time blocks.
        """
        if choice.plain:
            return self.plain
        with self._lock:
            game = self._chosen.get(choice) or self._made(choice)
            self._chosen[choice] = game
            self._chosen.move_to_end(choice)
            if len(self._chosen) > _MAX_CHOSEN:
                self._chosen.popitem(last=False)
        return game

    def _made(self, choice: PlayerChoice) -> Game:
        if choice.block_rows is None:
            roster = Roster.of(choice, self.signals)
            reads: tuple[tuple[int, ...], ...] | None = roster.reading(
                self.reads, ((0, 0),) * len(self.reads)
            )
        else:
            roster, reads = self._blocks(choice, choice.block_rows)
        return Game(choice, roster, reads, self.alone, self.registries)

    def _blocks(
        self, choice: PlayerChoice, block_rows: int
    ) -> tuple[Roster, tuple[tuple[int, ...], ...] | None]:
        lags = self.lags()
        if lags is not None:
            roster = Roster.of(choice, self.signals, max(oldest for _, oldest in lags))
            reads = roster.reading(self.reads, lags)
            if all(len(read) == 1 for read in reads):
                return roster, reads
        oldest = self.cell_lag()
        if oldest is None:
            raise UnsupportedPairError(
                f"this model's features mix the rows of several blocks of {block_rows}, so no part "
                "of its score belongs to one; supported are: signals or groups of signals in all "
                "their rows, blocks as long as the model's windows, and shorter blocks where "
                "features are raw cells at their lags or the score is quadratic in linear features",
                field="policy.players",
                supported="signals",
            )
        return Roster.of(choice, self.signals, oldest), None
