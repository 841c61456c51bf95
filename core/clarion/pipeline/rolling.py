"""Rolling calibration: a stream's own last quiet rows, beside the frozen reference that bounds them.

All of it is in frozen p-values, so that it fits a calibration by asset class too: under the frozen
reference they are uniform, and how the stream's differ from that is what has to be corrected.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, field, replace

import numpy as np

from clarion.arrays import BoolArray, FloatArray
from clarion.errors import ArtifactCorruptError
from clarion.state import State

WINDOW = 2_000
"""Rows of the stream that it rests on; while there are fewer, the frozen reference stands for the rest."""
RENEWED = 500
"""Rows of the stream after which it is sorted anew; in between it stays as it is."""
WALK = 2.0
"""It may make a p-value so many times larger or smaller than the frozen one, and no more."""
FEWEST = 500
"""Rows with which it is compared with the frozen reference."""
_RARE = math.sqrt(0.5 * math.log(2.0 / 1e-4))
"""Kolmogorov distance, in units of ``sqrt(1 / rows + 1 / n)``, reached by chance once in 10,000 times."""
_VERSION = 1


@dataclass(frozen=True, slots=True, eq=False)
class Rolling:
    """The last `WINDOW` quiet rows of a stream.

    A row beyond all calibration rows, ``p < 1 / n``, is never taken in, and keeps its frozen p-value. Of
    the others the rolling p-value is their rank in the window, within a factor `WALK` of the frozen
    one: whoever feeds a stream slowly rising rows can raise the threshold to that of the rate
    ``rate / WALK``, and no farther.

    Attributes
    ----------
    n
        Calibration rows behind the frozen p-values.
    window
        Shape ``(k,)``, k <= `WINDOW`: frozen p-values of the rows taken in, oldest first.
    sorted
        Shape ``(m,)``, ascending: the window as it was when last renewed.
    rows, excluded
        Rows seen so far, and how many of them were beyond all calibration rows.
    """

    n: int
    window: FloatArray = field(default_factory=lambda: np.empty(0))
    sorted: FloatArray = field(default_factory=lambda: np.empty(0))
    rows: int = 0
    excluded: int = 0

    @property
    def until_renewed(self) -> int:
        """Rows until it is renewed, in [1, `RENEWED`]."""
        return RENEWED - self.rows % RENEWED

    def p_values(self, frozen: FloatArray, beyond: BoolArray | None = None) -> FloatArray:
        """Return the rolling p-values of rows whose ``frozen`` ones are given, shape ``(n,)``.

        ``beyond`` says which are beyond all calibration rows of their class; default: by ``n``.
        """
        never = 1.0 / (self.n + 1.0)
        rest = (frozen - never) / (1.0 - never)  # uniform among the rows that may be taken in
        as_strange = np.searchsorted(self.sorted, frozen, side="right")
        ranks = (1.0 + as_strange + (WINDOW - len(self.sorted)) * rest) / (WINDOW + 1.0)
        rolled = never + (1.0 - never) * ranks
        bounded = np.minimum(rolled.clip(frozen / WALK, frozen * WALK), 1.0)
        return np.where(self._beyond(frozen) if beyond is None else beyond, frozen, bounded)

    def level(self, rate: float) -> float:
        """Return the largest frozen p-value whose rolling one is at most ``rate``.

        It lies in ``[rate / WALK, rate * WALK]``, but is no smaller than ``1 / (n + 1)``, where ``rate``
        is not.
        """
        low, high = 0, self.n + 1
        while high - low > 1:
            middle = (low + high) // 2
            value = self.p_values(np.array([middle / (self.n + 1.0)]))[0]
            low, high = (middle, high) if value <= rate else (low, middle)
        return low / (self.n + 1.0) if low else rate

    def fed(self, frozen: FloatArray, beyond: BoolArray | None = None) -> Rolling:
        """Return it with more rows, at most `until_renewed` of them; ``beyond`` as for `p_values`."""
        quiet = frozen[~(self._beyond(frozen) if beyond is None else beyond)]
        window = np.concatenate([self.window, quiet])[-WINDOW:]
        rows, excluded = self.rows + len(frozen), self.excluded + len(frozen) - len(quiet)
        after = replace(self, window=window, rows=rows, excluded=excluded)
        return after if rows % RENEWED else replace(after, sorted=np.sort(window))

    def _beyond(self, frozen: FloatArray) -> BoolArray:
        return np.asarray(frozen * self.n < 1.0 - 1e-9)

    @property
    def distance(self) -> float:
        """Kolmogorov distance, in [0, 1], of the window from the frozen reference; 0 with too few rows."""
        m = len(self.sorted)
        if m < FEWEST:
            return 0.0
        never = 1.0 / (self.n + 1.0)
        uniform = (self.sorted - never) / (1.0 - never)
        steps = np.arange(m + 1) / m
        return float(max((steps[1:] - uniform).max(), (uniform - steps[:-1]).max()))

    @property
    def disagrees(self) -> bool:
        """Whether the window is farther from the frozen reference than chance explains.

        Frozen p-values are multiples of ``1 / (n + 1)``, which is taken off.
        """
        m = len(self.sorted)
        bound = _RARE * math.sqrt(1.0 / max(m, 1) + 1.0 / self.n) + 1.0 / (self.n + 1.0)
        return self.distance > bound

    def id(self, frozen_id: str) -> str:
        """Return its identity: the same rows beside the same frozen calibration have the same."""
        return hashlib.sha256(frozen_id.encode() + self.sorted.tobytes()).hexdigest()[:16]

    def state(self) -> State:
        """Return all of it."""
        numbers = {"n": self.n, "rows": self.rows, "excluded": self.excluded}
        return State(_VERSION, numbers, {"window": self.window, "sorted": self.sorted})

    @classmethod
    def from_state(cls, state: State) -> Rolling:
        """Return the window that `state` describes.

        Raises
        ------
        ArtifactCorruptError
            It describes none.
        """
        state.require(_VERSION)
        n, rows, excluded = (state.parameter(name, int) for name in ("n", "rows", "excluded"))
        window, ascending = state.array("window", (-1,)), state.array("sorted", (-1,))
        fits = max(len(window), len(ascending)) <= WINDOW and len(window) <= rows - excluded
        if n < 1 or not 0 <= excluded <= rows or not fits or (np.diff(ascending) < 0).any():
            raise ArtifactCorruptError("the stored rolling window has counts out of range")
        if any(len(p) and not (p.min() > 0 and p.max() <= 1) for p in (window, ascending)):
            raise ArtifactCorruptError("the stored rolling window holds no p-values")
        return cls(n, window, ascending, rows, excluded)
