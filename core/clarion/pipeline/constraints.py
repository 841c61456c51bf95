"""Constraints: what a signal may become in a counterfactual."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from clarion.arrays import FloatArray
from clarion.errors import InvalidParameterError
from clarion.frames import Signal, SignalKind

FARTHEST = 1e60
"""Size of a range's ends at most: a score squares features that square raw values, and stays finite."""


@dataclass(frozen=True, slots=True)
class SignalConstraint:
    """What one signal may become, in its unit.

    Attributes
    ----------
    immutable
        It is never changed, so never a culprit.
    integer
        Only whole numbers are proposed.
    minimum, maximum
        Ends of the range of what is proposed, within +-`FARTHEST`; None for no end.
    """

    FREE: ClassVar[SignalConstraint]

    signal: str
    immutable: bool = False
    integer: bool = False
    minimum: float | None = None
    maximum: float | None = None

    @property
    def bends(self) -> bool:
        """Whether it changes values, rather than forbid all or nothing."""
        return self.integer or self.minimum is not None or self.maximum is not None

    def kept(self, values: FloatArray) -> FloatArray:
        """Return the values nearest to ``values`` that are allowed; missing stays missing."""
        low, high = self._ends()
        return np.clip(np.rint(values) if self.integer else values, low, high)

    def check(self, path: str) -> None:
        """Raise InvalidParameterError, ``path`` being this constraint's, if nothing is allowed."""
        for name in ("minimum", "maximum"):
            value = getattr(self, name)
            if value is not None and not abs(value) <= FARTHEST:
                raise InvalidParameterError(
                    f"the {name} of signal '{self.signal}' must be a number in [-{FARTHEST:g}, "
                    f"{FARTHEST:g}], not {value}; leave it out for no end",
                    field=f"{path}.{name}",
                    signal=self.signal,
                )
        low, high = self._ends()
        if low > high:
            whole = "no whole number lies" if self.integer else "nothing lies"
            raise InvalidParameterError(
                f"signal '{self.signal}': {whole} between the minimum {self.minimum} and the "
                f"maximum {self.maximum}",
                field=f"{path}.minimum",
                signal=self.signal,
            )

    def _ends(self) -> tuple[float, float]:
        low = -math.inf if self.minimum is None else self.minimum
        high = math.inf if self.maximum is None else self.maximum
        if self.integer:
            low, high = float(np.ceil(low)), float(np.floor(high))
        return low, high


SignalConstraint.FREE = SignalConstraint("")


def by_signal(
    constraints: Sequence[SignalConstraint], signals: Sequence[Signal]
) -> tuple[SignalConstraint, ...]:
    """Return each signal's constraint, in the order of ``signals``.

    Raises
    ------
    InvalidParameterError
        A signal that the model does not have, or that has two; or one that has no numbers, and a range.
    """
    own = {signal.name: signal for signal in signals}
    found: dict[str, SignalConstraint] = {}
    for index, constraint in enumerate(constraints):
        path, name = f"policy.constraints[{index}]", constraint.signal
        if name not in own or name in found:
            why = f"the model has no signal '{name}'"
            why = (
                f"signal '{name}' has two constraints; put them into one" if name in found else why
            )
            raise InvalidParameterError(f"{why}", field=f"{path}.signal", signal=name)
        if constraint.bends and own[name].kind is not SignalKind.NUMERIC:
            raise InvalidParameterError(
                f"signal '{name}' is {own[name].kind.value}: it has no range and no whole numbers; "
                "it can only be immutable",
                field=path,
                signal=name,
            )
        found[name] = constraint
    return tuple(found.get(signal.name, SignalConstraint.FREE) for signal in signals)
