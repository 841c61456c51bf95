"""Which columns of a file are no signals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from clarion.errors import InvalidFrameError, InvalidParameterError
from clarion.frames import Frame

Labelled = tuple[Frame, tuple[str, ...] | None]
"""A frame, and the label of each of its rows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Roles:
    """Names of the columns that are no signals, empty where there is none."""

    time: str
    asset: str
    label: str
    row_id: str
    drop: tuple[str, ...]
    time_unit: str

    @property
    def of_rows(self) -> dict[str, str]:
        """The columns that say something about the row: their names, by role."""
        named = {r: getattr(self, r) for r in ("time", "asset", "label", "row_id")}
        return {role: name for role, name in named.items() if name}

    def signals(self, path: str, names: Sequence[str], *others: str) -> list[int]:
        """Return which of the columns ``names`` are signals: neither dropped nor among ``others``.

        Raises
        ------
        InvalidParameterError, InvalidFrameError
            A dropped column is not there; one is there twice; no signal is left.
        """
        for name in self.drop:
            require_column(path, names, "drop", name)
        if len(set(names)) < len(names):
            twice = next(name for i, name in enumerate(names) if name in names[:i])
            raise InvalidFrameError(f"{path} has two columns '{twice}'", file=path, signal=twice)
        apart = {*self.drop, *others}
        kept = [i for i, name in enumerate(names) if name not in apart]
        if not kept:
            raise InvalidFrameError(f"{path} has no column left to be a signal", file=path)
        return kept


def require_column(path: str, names: Sequence[str], role: str, name: str) -> None:
    """Raise InvalidParameterError if no column is called ``name``; ``role`` is the parameter."""
    if name not in names:
        known = ", ".join(names[:50]) + (", ..." if len(names) > 50 else "")
        raise InvalidParameterError(
            f"{path} has no column '{name}'; it has: {known}",
            field=f"parameters.{role}",
            parameter=role,
        )
