"""Martingale: capital that bets on a stream's rows being stranger than the calibration rows.

Under exchangeable rows its mean never grows, so it ever reaches 100 with a probability of at most 1 %
(Ville 1939); under drift it grows without end.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from clarion.arrays import FloatArray, Int64Array, frozen
from clarion.errors import ArtifactCorruptError
from clarion.kernels.online_tests import BETS, place_bets, sequential_p_values
from clarion.state import State

ALARM = 2.0
"""Log10 of the capital at which drift is told."""
EPOCH = 20_000
"""Rows after which it begins anew. What is compared with grows by the stream's own rows until then."""
_BINS = 2_000
"""Steps of p-values told apart, at most: 16 kB a stream."""
_MOVED = 1e-3
"""Share of the capital spread anew at each row, so that a late drift finds as much as an early one."""
_PRIOR = frozen(np.concatenate([[0.5], np.full(BETS, 0.5 / BETS)]))
_VERSION = 1


@dataclass(frozen=True, slots=True, eq=False)
class Martingale:
    """A mixture of power bets that may be changed (Fedorova et al., ICML 2012; Vovk et al. 2021).

    The bets are on the rank of each row among the calibration rows and the stream's rows of this epoch
    before it. Such ranks are independent, as those among calibration rows alone are not: these carry the
    luck of one calibration set through the whole stream, and a bet on it wins in the long run.
    Rows that tie count as at least as strange, and ranks are rounded up: both only lower the capital.
    Each epoch of `EPOCH` rows is an experiment of its own, with a false alarm in at most 1 % of them.

    Attributes
    ----------
    calibration_rows
        How many rows gave the p-values.
    seen
        Counts of the epoch's rows, as `sequential_p_values` keeps them.
    capital, scale
        As `place_bets` takes them.
    rows
        Rows of the epoch so far, in [0, `EPOCH`).
    """

    calibration_rows: int
    seen: Int64Array
    capital: FloatArray = field(default_factory=lambda: _PRIOR)
    scale: float = 0.0
    rows: int = 0

    @classmethod
    def start(cls, calibration_rows: int) -> Martingale:
        """Return the capital of 1 that an epoch begins with."""
        bins = min(calibration_rows + 1, _BINS)
        return cls(calibration_rows, np.zeros(bins + 1, np.int64))

    @property
    def log10(self) -> float:
        """Logarithm of the capital, to base 10."""
        return float(np.log10(self.capital.sum())) + self.scale

    def follow(self, p_values: FloatArray) -> tuple[FloatArray, Martingale]:
        """Return the log10 capital after each row, shape ``(n,)``, and what follows.

        ``p_values`` are the frozen calibration's. Any cut of the rows gives the same.
        """
        parts, now, done = [np.empty(0)], self, 0
        while done < len(p_values):
            taken = min(len(p_values) - done, EPOCH - now.rows)
            told, now = now._within(p_values[done : done + taken])
            parts.append(told)
            done += taken
        return np.concatenate(parts), now

    def _within(self, p_values: FloatArray) -> tuple[FloatArray, Martingale]:
        bins = len(self.seen) - 1
        # Rounded up, less what a quotient such as 7 / 1001 may be off: it must not leave its own bin.
        own = np.ceil(p_values * bins * (1.0 - 1e-12)).clip(1, bins).astype(np.int64)
        ranks, seen = sequential_p_values(own, self.calibration_rows, self.seen, self.rows)
        told, capital, scale = place_bets(ranks, self.capital, _PRIOR, _MOVED, self.scale)
        rows = self.rows + len(p_values)
        if rows == EPOCH:
            return told, Martingale.start(self.calibration_rows)
        return told, Martingale(self.calibration_rows, seen, capital, scale, rows)

    def state(self) -> State:
        """Return all of it."""
        numbers = {
            "calibration_rows": self.calibration_rows,
            "scale": self.scale,
            "rows": self.rows,
        }
        return State(_VERSION, numbers, {"seen": self.seen, "capital": self.capital})

    @classmethod
    def from_state(cls, state: State) -> Martingale:
        """Return the martingale that `state` describes.

        Raises
        ------
        ArtifactCorruptError
            It describes none.
        """
        held = state.require(_VERSION).parameter("calibration_rows", int)
        rows, scale = state.parameter("rows", int), state.parameter("scale", float)
        capital = state.array("capital", (BETS + 1,))
        if held < 1 or not 0 <= rows < EPOCH or (capital <= 0).any() or not np.isfinite(scale):
            raise ArtifactCorruptError("the stored martingale has rows or capital out of range")
        seen = state.array("seen", (len(cls.start(held).seen),), np.int64)
        if (seen < 0).any() or (seen > rows).any():
            raise ArtifactCorruptError("the stored martingale counts more rows than it saw")
        return cls(held, seen, capital, scale, rows)
