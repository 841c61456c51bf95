"""Players: among whom a score is shared out, and which of them each feature belongs to.

By default each raw signal is a player, all its rows together. A caller may unite signals (assets,
subsystems), and may split time into blocks of rows: then a signal, or group, is a player in each
block. Where every feature reads the cells of one player only, the game is played among the players
themselves, so that what is exact stays exact; else among features, whose parts are split evenly.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from clarion.arrays import Int64Array
from clarion.errors import InvalidParameterError, LimitExceededError

MAX_PLAYERS = 4096
"""Players that time blocks may make; the signals themselves are as many as the model has."""


@dataclass(frozen=True, slots=True)
class SignalGroup:
    """Signals that come and go together, under a name."""

    name: str
    signals: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PlayerChoice:
    """Among whom a caller wants scores shared out.

    Attributes
    ----------
    block_rows
        Rows of a time block, >= 1: blocks are counted back from the explained row. None: all rows
        of a signal are one player.
    groups
        Signals united; the others are players of their own.

    Raises
    ------
    InvalidParameterError
        A group is empty, or a name or signal is there twice.
    """

    block_rows: int | None = None
    groups: tuple[SignalGroup, ...] = ()

    def __post_init__(self) -> None:
        if self.block_rows is not None and self.block_rows < 1:
            raise InvalidParameterError(
                f"block_rows must be at least 1, not {self.block_rows}", field="policy.block_rows"
            )
        seen: set[str] = set()
        for i, group in enumerate(self.groups):
            path = f"policy.groups[{i}]"
            if not group.name:
                raise InvalidParameterError("a group needs a name", field=f"{path}.name")
            if not group.signals:
                raise InvalidParameterError(
                    f"the group '{group.name}' has no signals; name at least one",
                    field=f"{path}.signals",
                    group=group.name,
                )
            for j, signal in enumerate(group.signals):
                if signal in seen:
                    raise InvalidParameterError(
                        f"the signal '{signal}' is in a group already; it can be in one only",
                        field=f"{path}.signals[{j}]",
                        signal=signal,
                    )
                seen.add(signal)

    @property
    def plain(self) -> bool:
        """Whether each signal is a player of its own, in all its rows."""
        return self.block_rows is None and not self.groups


@dataclass(frozen=True, slots=True)
class Player:
    """One column of an answer's contributions.

    ``first_lag`` and ``last_lag`` are the rows before the explained one that it holds, both
    included; None where it holds all rows.
    """

    name: str
    signals: tuple[str, ...]
    first_lag: int | None = None
    last_lag: int | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Roster:
    """All players of a game.

    Attributes
    ----------
    players
        Groups (or signals) in the order of the model's signals, each with its blocks, newest first.
    group_of
        Shape ``(n_signals,)``: group of each raw signal.
    block_rows, blocks
        Rows of a block, and blocks of each group; 1 block of all rows where time is not split.
    """

    players: tuple[Player, ...]
    group_of: Int64Array
    block_rows: int | None
    blocks: int

    @property
    def plain(self) -> bool:
        """Whether the players are the raw signals, in all their rows."""
        return self.block_rows is None and all(p.signals == (p.name,) for p in self.players)

    @classmethod
    def of(cls, choice: PlayerChoice, signals: Sequence[str], last_lag: int = 0) -> Roster:
        """Return the players that ``choice`` makes of ``signals``, whose cells go back ``last_lag`` rows.

        Raises
        ------
        InvalidParameterError
            A group has a signal that the model has not, or the name of another player.
        LimitExceededError
            Time blocks that make more than `MAX_PLAYERS` players.
        """
        groups, group_of = _groups(choice, signals)
        rows = choice.block_rows
        blocks = 1 if rows is None else last_lag // rows + 1
        if blocks > 1 and len(groups) * blocks > MAX_PLAYERS:
            raise LimitExceededError(
                f"{len(groups)} signals or groups in {blocks} time blocks each are "
                f"{len(groups) * blocks} players, more than {MAX_PLAYERS}; make the blocks longer",
                field="policy.block_rows",
                limit=MAX_PLAYERS,
            )
        if rows is None:
            players = [Player(group.name, group.signals) for group in groups]
        else:
            spans = [(b * rows, min((b + 1) * rows - 1, last_lag)) for b in range(blocks)]
            players = [_block(group, *span) for group in groups for span in spans]
        return cls(tuple(players), group_of, rows, blocks)

    def at(self, signals: Int64Array, lags: Int64Array) -> Int64Array:
        """Return the player of each raw cell, given by signal (place) and rows before the last."""
        block = np.zeros_like(lags) if self.block_rows is None else lags // self.block_rows
        return np.asarray(self.group_of[signals] * self.blocks + np.minimum(block, self.blocks - 1))

    def reading(
        self, signals: Sequence[Sequence[int]], lags: Sequence[tuple[int, int]]
    ) -> tuple[tuple[int, ...], ...]:
        """Return the players that each feature reads, of its signals, ascending.

        ``lags`` are the newest and the oldest row that it may read: their players, without those
        in between, tell whether they are several.
        """
        reads = []
        for own, ends in zip(signals, lags, strict=True):
            place = np.repeat(np.array(own, np.int64), 2)
            reads.append(tuple(np.unique(self.at(place, np.tile(ends, len(own)))).tolist()))
        return tuple(reads)


def _groups(choice: PlayerChoice, signals: Sequence[str]) -> tuple[list[SignalGroup], Int64Array]:
    """Return the groups in the order of their first signals, and the group of each signal."""
    known = set(signals)
    member: dict[str, SignalGroup] = {}
    for i, group in enumerate(choice.groups):
        for j, name in enumerate(group.signals):
            if name not in known:
                raise InvalidParameterError(
                    f"the group '{group.name}' names the signal '{name}', which the model has not",
                    field=f"policy.groups[{i}].signals[{j}]",
                    signal=name,
                    group=group.name,
                )
            member[name] = group
    of_signal = [member.get(name) or SignalGroup(name, (name,)) for name in signals]
    groups = list(dict.fromkeys(of_signal))
    name, times = Counter(group.name for group in groups).most_common(1)[0]
    if times > 1:
        raise InvalidParameterError(
            f"two players would have the name '{name}'; name the group otherwise",
            field="policy.groups",
            group=name,
        )
    place = {group: i for i, group in enumerate(groups)}
    return groups, np.array([place[group] for group in of_signal], np.int64)


def _block(group: SignalGroup, first: int, last: int) -> Player:
    rows = f"lag {first}" if first == last else f"lags {first}-{last}"
    return Player(f"{group.name}, {rows}", group.signals, first, last)
