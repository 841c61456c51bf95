"""Calibration: from a score to a p-value and a threshold, by held-out normal rows."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass

import numpy as np

from clarion.arrays import FloatArray
from clarion.errors import (
    ArtifactCorruptError,
    InvalidParameterError,
    TooFewRowsError,
    UnreachableRateError,
)
from clarion.state import State

_MANY = 2.0**62
"""More rows than there are: keeps the inverse of a vanishing rate finite."""


@dataclass(frozen=True, slots=True, eq=False)
class Calibration:
    """Split-conformal calibration (Vovk et al. 2005; Bates et al., Ann. Stat. 2023, eq. 2).

    Attributes
    ----------
    scores
        Shape ``(n,)``: scores of normal rows that no fit has seen, ascending.
    default_rate
        The false-alarm rate used where a request names none, in (0, 0.5].
    """

    scores: FloatArray
    default_rate: float

    @classmethod
    def of(cls, scores: FloatArray, default_rate: float) -> Calibration:
        """Calibrate on held-out ``scores``, in any order.

        Raises
        ------
        TooFewRowsError
            Too few scores for ``default_rate`` to be reachable.
        """
        if len(scores) < rows_needed(default_rate):
            raise too_few(len(scores), default_rate)
        return cls(np.sort(scores), default_rate)

    @property
    def id(self) -> str:
        """Identity: the same scores and rate have the same id."""
        digest = hashlib.sha256(self.scores.tobytes())
        digest.update(np.float64(self.default_rate).tobytes())
        return digest.hexdigest()[:16]

    @property
    def rows(self) -> int:
        """How many held-out rows it rests on."""
        return len(self.scores)

    @property
    def smallest_p(self) -> float:
        """The smallest p-value it can give, ``1 / (n + 1)``."""
        return 1.0 / (self.rows + 1)

    def p_values(self, scores: FloatArray) -> FloatArray:
        """Return ``(1 + #{calibration scores >= score}) / (n + 1)``, shape ``(n,)``, in (0, 1]."""
        reached = self.rows - np.searchsorted(self.scores, scores, side="left")
        return np.asarray((1.0 + reached) / (self.rows + 1.0))

    def threshold(self, rate: float) -> float:
        """Return the smallest score whose p-value is at most ``rate``.

        Raises
        ------
        InvalidParameterError
            ``rate`` is not in (0, 1).
        UnreachableRateError
            ``rate`` is below `smallest_p`.
        """
        if not 0 < rate < 1:
            raise InvalidParameterError(
                f"false_alarm_rate must be in (0, 1), not {rate}", field="false_alarm_rate"
            )
        rank = _rank(rate, self.rows)
        if rank < 1:
            raise UnreachableRateError(
                f"the false-alarm rate {rate:g} is below the smallest p-value that "
                f"{self.rows} calibration rows can give, {self.smallest_p:.3g}; ask for a larger "
                f"rate, or calibrate on at least {rows_needed(rate)} rows",
                field="false_alarm_rate",
                rate=rate,
                smallest_p_value=self.smallest_p,
            )
        return math.nextafter(self.scores[self.rows - rank], math.inf)

    def state(self) -> State:
        """Return all of it."""
        return State(1, {"default_rate": self.default_rate}, {"scores": self.scores})

    @classmethod
    def from_state(cls, state: State) -> Calibration:
        """Return the calibration that `state` describes.

        Raises
        ------
        ArtifactCorruptError
            It describes none.
        """
        scores = state.require(1).array("scores", (-1,))
        if not len(scores):
            raise ArtifactCorruptError("the stored calibration has no scores", array="scores")
        return cls(np.sort(scores), state.parameter("default_rate", float))


def rows_needed(rate: float) -> int:
    """Return the fewest calibration rows whose smallest p-value reaches ``rate``."""
    inverse = max(2, round(min(1.0 / rate, _MANY)))
    return inverse - 1 if 1.0 / inverse <= rate else inverse


def _rank(rate: float, rows: int) -> int:
    """Return the largest ``k`` whose p-value ``k / (rows + 1)`` is, as a double, at most ``rate``."""
    nearest = round(rate * (rows + 1))
    return nearest if nearest / (rows + 1.0) <= rate else nearest - 1


def too_few(rows: int, rate: float) -> TooFewRowsError:
    """Return the error for ``rows`` held-out rows at ``rate``, naming what is needed."""
    needed = rows_needed(rate)
    return TooFewRowsError(
        f"a false-alarm rate of {rate:g} needs at least {needed} calibration rows, held out from "
        f"at least {2 * needed} normal rows that can be scored; there are {rows} to hold out: "
        "send more rows or ask for a larger rate",
        field="frame",
        rows=rows,
        needed=needed,
    )
