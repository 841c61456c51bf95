"""What a caller asks for off the wire: what to explain, and values to change before."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from clarion.errors import InvalidParameterError, SignalMismatchError
from clarion.explaining.players import PlayerChoice, SignalGroup
from clarion.frames import Frame, SignalKind
from clarion.pipeline.answer import ExplainedRows, ExplanationPolicy, View
from clarion.pipeline.constraints import SignalConstraint
from clarion_api.v1 import detection_pb2 as pb

_ROWS: dict[int, ExplainedRows] = {
    pb.EXPLAINED_ROWS_UNSPECIFIED: ExplainedRows.ANOMALOUS,
    pb.EXPLAINED_ROWS_NONE: ExplainedRows.NONE,
    pb.EXPLAINED_ROWS_ANOMALOUS: ExplainedRows.ANOMALOUS,
    pb.EXPLAINED_ROWS_ALL: ExplainedRows.ALL,
}
MAX_GROUPED_SIGNALS = 100_000
"""Signals that all groups of a policy may name: a request has room for millions."""
_VIEWS: dict[int, View] = {
    pb.VIEW_UNSPECIFIED: View.BASIC,
    pb.VIEW_COLUMNS: View.COLUMNS,
    pb.VIEW_BASIC: View.BASIC,
    pb.VIEW_FULL: View.FULL,
}


def policy_from_proto(message: pb.ExplanationPolicy) -> ExplanationPolicy:
    """Return the policy that ``message`` holds, defaults filled in.

    Raises
    ------
    InvalidParameterError
        Players or constraints that cannot be.
    """
    policy = ExplanationPolicy(
        rows=_ROWS[message.rows],
        explainer=message.explainer,
        cross_checks=tuple(message.cross_checks),
        allow_unexplained=message.allow_unexplained,
        view=_VIEWS[message.view],
        players=_players(message),
        constraints=tuple(map(_constraint, message.constraints)),
    )
    if message.HasField("max_evaluations"):
        policy = replace(policy, max_evaluations=message.max_evaluations)
    return policy


def _constraint(message: pb.SignalConstraint) -> SignalConstraint:
    return SignalConstraint(
        signal=message.signal,
        immutable=message.immutable,
        integer=message.integer,
        minimum=message.minimum if message.HasField("minimum") else None,
        maximum=message.maximum if message.HasField("maximum") else None,
    )


def _players(message: pb.ExplanationPolicy) -> PlayerChoice:
    """Return the players chosen.

    Raises
    ------
    InvalidParameterError
        Rows of a block without blocks; groups of more signals than `MAX_GROUPED_SIGNALS`, or that
        cannot be, see `PlayerChoice`.
    """
    blocks = message.players == pb.PLAYERS_SIGNAL_BLOCKS
    if message.HasField("block_rows") and not blocks:
        raise InvalidParameterError(
            "block_rows is for the players PLAYERS_SIGNAL_BLOCKS only; ask for these, or leave it out",
            field="policy.block_rows",
        )
    named = sum(len(group.signals) for group in message.groups)
    if named > MAX_GROUPED_SIGNALS:
        raise InvalidParameterError(
            f"the groups name {named} signals, more than {MAX_GROUPED_SIGNALS}; name fewer",
            field="policy.groups",
        )
    rows = message.block_rows if message.HasField("block_rows") else 1
    groups = tuple(SignalGroup(group.name, tuple(group.signals)) for group in message.groups)
    return PlayerChoice(rows if blocks else None, groups)


def chosen_rows(rows: Sequence[int], frame: Frame) -> ExplainedRows | tuple[int, ...]:
    """Return the rows of an ExplainRequest: all that have a score, or the very ones named.

    Raises
    ------
    InvalidParameterError
        A row is outside the frame, or named twice.
    """
    for index, row in enumerate(rows):
        if row >= len(frame):
            raise InvalidParameterError(
                f"row {row} is outside the frame's {len(frame)} rows",
                field=f"rows[{index}]",
                row=row,
            )
    if len(set(rows)) != len(rows):
        raise InvalidParameterError("a row is named twice", field="rows")
    return tuple(sorted(rows)) if rows else ExplainedRows.ALL


def edited(frame: Frame, edits: Iterable[pb.Edit]) -> Frame:
    """Return ``frame`` with the cells of ``edits`` changed.

    Raises
    ------
    InvalidParameterError
        A row outside the frame, or a value of the wrong kind.
    SignalMismatchError
        No such signal.
    """
    edits = list(edits)
    if not edits:
        return frame
    values, codes = frame.values.copy(), frame.codes.copy()
    kinds = {signal.name: signal.kind for signal in frame.signals}
    numeric = {s.name: j for j, s in enumerate(frame.of_kind(numeric=True))}
    coded = {s.name: j for j, s in enumerate(frame.of_kind(numeric=False))}
    places = {
        s.name: {word: code for code, word in enumerate(s.vocabulary)}
        for s in frame.of_kind(numeric=False)
    }
    for index, edit in enumerate(edits):
        _check_edit(edit, len(frame), kinds, f"edits[{index}]")
        if edit.signal in numeric:
            values[edit.row, numeric[edit.signal]] = edit.number
            continue
        words = places[edit.signal]
        codes[edit.row, coded[edit.signal]] = words.setdefault(edit.word, len(words))
    signals = tuple(
        replace(s, vocabulary=tuple(places[s.name])) if s.name in places else s
        for s in frame.signals
    )
    return replace(frame, signals=signals, values=values, codes=codes)


def _check_edit(edit: pb.Edit, rows: int, kinds: Mapping[str, SignalKind], path: str) -> None:
    if edit.row >= rows:
        raise InvalidParameterError(
            f"row {edit.row} is outside the frame's {rows} rows", field=f"{path}.row"
        )
    if edit.signal not in kinds:
        raise SignalMismatchError(
            f"there is no signal '{edit.signal}' to edit",
            field=f"{path}.signal",
            signal=edit.signal,
        )
    wanted = "number" if kinds[edit.signal] is SignalKind.NUMERIC else "word"
    if edit.WhichOneof("value") != wanted:
        raise InvalidParameterError(
            f"signal '{edit.signal}' is {kinds[edit.signal].value}; edit it by its {wanted}",
            field=f"{path}.{wanted}",
            signal=edit.signal,
        )
    if wanted == "number" and np.isinf(edit.number):
        raise InvalidParameterError(
            f"signal '{edit.signal}' cannot be infinite", field=f"{path}.number", signal=edit.signal
        )
