"""What to explain, and how."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from clarion_api.v1 import detection_pb2
from clarion_client.errors import InvalidParameterError

_ROWS = {
    "none": detection_pb2.EXPLAINED_ROWS_NONE,
    "anomalous": detection_pb2.EXPLAINED_ROWS_ANOMALOUS,
    "all": detection_pb2.EXPLAINED_ROWS_ALL,
}
_VIEWS = {
    "columns": detection_pb2.VIEW_COLUMNS,
    "basic": detection_pb2.VIEW_BASIC,
    "full": detection_pb2.VIEW_FULL,
}


@dataclass(frozen=True, slots=True)
class SignalConstraint:
    """What one signal may become where it is said what would look normal, in its unit.

    Attributes
    ----------
    immutable
        It is never changed, so never a culprit.
    integer
        Only whole numbers are proposed.
    minimum, maximum
        Ends of the range of what is proposed, finite; None for no end.
    """

    signal: str
    immutable: bool = False
    integer: bool = False
    minimum: float | None = None
    maximum: float | None = None


@dataclass(frozen=True, slots=True)
class Explain:
    """What to explain, and how.

    Attributes
    ----------
    rows
        ``none``, ``anomalous`` or ``all``.
    explainer
        Name of the explainer; empty for the best label within the budget.
    cross_checks
        Names of cross-checks to lay beside it, such as ``lime``.
    max_evaluations
        Rows that may be scored to explain one row; None for the server's 2048.
    allow_unexplained
        Answer without explanations, instead of an error, where no explainer fits.
    view
        ``columns`` (attributions only), ``basic`` (also records) or ``full`` (also raw cells).
    groups
        Signals that are one player together, by the player's name; the others are players of
        their own.
    block_rows
        Rows of a time block, >= 1, counted back from the explained row: each signal, or group, is
        then a player in each block. None: in all its rows.
    constraints
        What signals may become where it is said what would look normal.
    """

    rows: str = "anomalous"
    explainer: str = ""
    cross_checks: tuple[str, ...] = ()
    max_evaluations: int | None = None
    allow_unexplained: bool = False
    view: str = "basic"
    groups: Mapping[str, Sequence[str]] = field(default_factory=dict)
    block_rows: int | None = None
    constraints: Sequence[SignalConstraint] = ()

    def __post_init__(self) -> None:
        for name, value, known in (("rows", self.rows, _ROWS), ("view", self.view, _VIEWS)):
            if value not in known:
                raise InvalidParameterError(
                    f"{name} must be one of {', '.join(known)}, not '{value}'"
                )

    def message(self) -> detection_pb2.ExplanationPolicy:
        """Return the policy for the wire."""
        out = detection_pb2.ExplanationPolicy(
            rows=_ROWS[self.rows],
            explainer=self.explainer,
            cross_checks=self.cross_checks,
            allow_unexplained=self.allow_unexplained,
            view=_VIEWS[self.view],
        )
        if self.max_evaluations is not None:
            out.max_evaluations = self.max_evaluations
        for name, signals in self.groups.items():
            out.groups.add(name=name, signals=signals)
        if self.block_rows is not None:
            out.players = detection_pb2.PLAYERS_SIGNAL_BLOCKS
            out.block_rows = self.block_rows
        out.constraints.extend(
            detection_pb2.SignalConstraint(
                signal=constraint.signal,
                immutable=constraint.immutable,
                integer=constraint.integer,
                minimum=constraint.minimum,
                maximum=constraint.maximum,
            )
            for constraint in self.constraints
        )
        return out


def policy_of(explain: Explain | str) -> detection_pb2.ExplanationPolicy:
    """Return the policy for the wire; a word stands for the rows to explain."""
    chosen = Explain(rows=explain) if isinstance(explain, str) else explain
    return chosen.message()
