"""False-discovery control on a stream: LORD++ whose memory decays."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np

from clarion.arrays import BoolArray, FloatArray, Int64Array, frozen
from clarion.errors import ArtifactCorruptError, InvalidParameterError, UnreachableRateError
from clarion.kernels.online_tests import lord_levels
from clarion.state import State

LONGEST_MEMORY = 10_000
"""Rows over which false discoveries are weighed, at most: weights are ``(1 - 1 / memory)^age``."""
SHORTEST_MEMORY = 20
"""Rows: with a shorter one a level promises nothing beyond a row's own false-alarm rate."""
KEPT = 400
"""Rejections remembered; when there are more, the oldest no longer raises the levels."""
_WEALTH = 0.5
"""Share of q that may be spent before anything is rejected: Javanmard & Montanari (2018), w0 = q / 2."""
_GAMMA = 0.07908
"""Makes the gammas sum to 1 (rounded down); their form: Javanmard & Montanari (2018), Ann. Stat. 46(2)."""
_VERSION = 1


@dataclass(frozen=True, slots=True)
class FdrRule:
    """Which p-values are discoveries, of which a share ``q`` is false in the long run.

    The level of test t is ``max(w q gamma_t, floor)`` plus ``q d^a gamma_a`` for each rejection ``a``
    tests ago, ``d = 1 - 1 / memory``: LORD++ with decaying memory (Ramdas et al., NeurIPS 2017) in
    the form of Rebjock et al. (NeurIPS 2021), where ``floor = w q / memory`` keeps levels from
    vanishing in long quiet runs. With independent p-values, ``sum_i d^(t-i) false_i`` is at most q
    times ``sum_i d^(t-i) rejected_i + w`` in the mean, at every t.

    Attributes
    ----------
    q
        Share of false discoveries, in (0, 0.5].
    memory
        Rows, in [`SHORTEST_MEMORY`, `LONGEST_MEMORY`]; see `of`.
    """

    q: float
    memory: float

    @classmethod
    def of(cls, q: float, smallest_p: float) -> FdrRule:
        """Return the rule with the longest memory whose floor still reaches ``smallest_p``.

        ``smallest_p`` is the smallest p-value that there can be: below it no level rejects anything, so
        a longer memory would be blind from its first quiet run on.

        Raises
        ------
        InvalidParameterError
            ``q`` is not in (0, 0.5].
        UnreachableRateError
            ``smallest_p`` is too large for any memory.
        """
        if not 0 < q <= 0.5:
            raise InvalidParameterError(f"fdr must be in (0, 0.5], not {q}", field="fdr")
        memory = min(float(LONGEST_MEMORY), _WEALTH * q / smallest_p)
        if memory < SHORTEST_MEMORY:
            needed = _WEALTH * q / SHORTEST_MEMORY
            raise UnreachableRateError(
                f"a false-discovery rate of {q:g} needs p-values down to {needed:.3g}, and this "
                f"model's calibration gives none below {smallest_p:.3g}; calibrate on more rows, ask "
                "for a larger fdr, or use the fixed rate",
                field="fdr",
                rate=q,
                smallest_p_value=smallest_p,
            )
        return cls(q, memory)

    @property
    def floor(self) -> float:
        """The level after a long quiet run."""
        return _WEALTH * self.q / self.memory


@dataclass(frozen=True, slots=True, eq=False)
class FdrMemory:
    """What a stream remembers of its tests: at most `KEPT` rejections.

    Attributes
    ----------
    tested
        Rows tested so far.
    rejected
        Numbers of the rejections remembered, ascending, in [0, tested).
    fallen
        Rejections forgotten because there were more than `KEPT`.
    """

    tested: int = 0
    rejected: Int64Array = field(default_factory=lambda: np.empty(0, np.int64))
    fallen: int = 0

    def test(self, p_values: FloatArray, rule: FdrRule) -> tuple[FloatArray, BoolArray, FdrMemory]:
        """Return the level of each row and whether it is a discovery, shapes ``(n,)``, and what follows.

        Any cut of the rows gives the same.
        """
        first, regained = _tables(rule)
        levels, found, rejected, fallen = lord_levels(
            p_values, first, regained, self.tested, self.rejected, KEPT
        )
        after = FdrMemory(self.tested + len(p_values), rejected, self.fallen + fallen)
        return levels, found, after

    def state(self) -> State:
        """Return all of it."""
        counts = {"tested": self.tested, "fallen": self.fallen}
        return State(_VERSION, counts, {"rejected": self.rejected})

    @classmethod
    def from_state(cls, state: State) -> FdrMemory:
        """Return the memory that `state` describes.

        Raises
        ------
        ArtifactCorruptError
            It describes none.
        """
        rejected = state.require(_VERSION).array("rejected", (-1,), np.int64)
        tested, fallen = state.parameter("tested", int), state.parameter("fallen", int)
        ends = np.concatenate([[-1], rejected, [tested]])
        if len(rejected) > KEPT or fallen < 0 or (np.diff(ends) <= 0).any():
            raise ArtifactCorruptError("the stored tests' rejections are not in order or too many")
        return cls(tested, rejected, fallen)


@lru_cache(maxsize=64)
def _tables(rule: FdrRule) -> tuple[FloatArray, FloatArray]:
    """Return the levels without a rejection, as long as they fall, and what a rejection gives back."""
    age = np.arange(1.0, LONGEST_MEMORY + 1)
    gammas = _GAMMA * np.log(np.maximum(age, 2)) / (age * np.exp(np.sqrt(np.log(age))))
    first = np.maximum(_WEALTH * rule.q * gammas, rule.floor)
    falling = int(np.argmin(first)) + 1  # from there on it is the floor
    regained = rule.q * np.exp(age * np.log1p(-1.0 / rule.memory)) * gammas
    return frozen(first[:falling]), frozen(regained)
