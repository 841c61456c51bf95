"""SHAP values of any score by weighted regression, through the `shap` library."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from clarion.arrays import FloatArray
from clarion.errors import BudgetExceededError, UnsupportedPairError
from clarion.explainers import Attribution, Label, Role, Scorable, Support
from clarion.frames import Frame
from clarion.inputs import missing_extra
from clarion.parameters import parameter
from clarion_explainers.control_variate import corrected
from clarion_explainers.decomposition import decomposition
from clarion_explainers.hybrids import Hybrids
from clarion_explainers.orders import enough_to_visit, visits

_CELLS = 1 << 21
"""Players times masks of one regression at most, 16 MiB; `shap` lays out a few such tables."""
_GLOBAL_DRAWS = threading.Lock()
"""Held while `shap` draws from numpy's global generator, which all threads share."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelShap:
    """KernelSHAP: Lundberg & Lee (2017), NeurIPS, theorem 2, by `shap.KernelExplainer`.

    The library regresses the score on which players are present, over masks that it draws. It says
    nothing of its error, and its sums are right by construction. So it is run several times, each
    time against one background row and with masks of its own; the runs' spread gives standard
    errors, and they are corrected by the known mean score, as those of `permutation_shap` are (see
    `clarion_explainers.control_variate`). The runs are drawn from the row's seed, and numpy's global
    generator, which the library draws from, is left as it was.

    It is there to be asked for by name: `permutation_shap` needs fewer evaluations.
    """

    role: ClassVar[Role] = Role.DECOMPOSITION

    runs: int = parameter(
        16, "Regressions at least; more are run as the budget allows.", minimum=8, maximum=4096
    )
    masks: int = parameter(
        32,
        "Masks of each regression beside 4 a player; all there are, where they are fewer.",
        minimum=1,
        maximum=65_536,
    )

    def supports(self, scorable: Scorable) -> Support | None:
        """Return sampled, for every score of some hundred players: the most that runs may need.

        Raises
        ------
        MissingExtraError
            The library `shap` is not installed.
        """
        if find_spec("shap") is None:
            raise missing_extra("shap", "explain")
        masks = 4 * scorable.n_players + self.masks
        few = masks * scorable.n_players <= _CELLS
        return Support(Label.SAMPLED, self.runs * masks) if few else None

    def explain(
        self, scorable: Scorable, frame: Frame, *, evaluations: int, seeds: NDArray[np.uint64]
    ) -> Attribution:
        """Return estimates from the runs that ``evaluations`` pay for, drawn from each seed.

        Raises
        ------
        UnsupportedPairError
            The players are too many.
        BudgetExceededError
            ``evaluations`` are fewer than `supports` asked for.
        MissingExtraError
            The library `shap` is not installed.
        """
        kernel_explainer = _library()
        frame = frame.aligned_to(scorable.background.names)
        runs, masks = self._affordable(scorable, evaluations)
        scores, mean = scorable.score(frame), scorable.mean_score()
        hybrids = Hybrids.of(frame, scorable.background)
        contributions = np.zeros((len(frame), scorable.n_players))
        errors = np.zeros_like(contributions)
        for row, seed in enumerate(seeds):
            rng = np.random.default_rng(int(seed))
            visited, start = visits(runs, len(scorable.background), rng)
            drawn = [
                _Masked(scorable, hybrids, row, int(other), float(scores[row])).shap_values(
                    kernel_explainer, masks, rng
                )
                for other in visited[start]
            ]
            contributions[row], errors[row] = corrected(
                np.array(drawn), start, len(scorable.background), scores[row] - mean
            )
        return decomposition(
            scores,
            contributions,
            mean,
            label=Label.SAMPLED,
            method="kernel_shap",
            standard_error=errors,
        )

    def _affordable(self, scorable: Scorable, evaluations: int) -> tuple[int, int]:
        """Return the number of runs, and of each one's masks."""
        support, k = self.supports(scorable), scorable.n_players
        if support is None:
            raise UnsupportedPairError(
                f"kernel_shap cannot take {k} players: their masks would fill more than {_CELLS} "
                "cells; group the signals, or ask for 'permutation_shap'",
                explainer="kernel_shap",
            )
        if evaluations < support.evaluations:
            raise BudgetExceededError(
                f"kernel_shap needs {support.evaluations} evaluations a row, not {evaluations}",
                explainer="kernel_shap",
                needed=support.evaluations,
            )
        masks = min(4 * k + self.masks, 2**k - 2)
        most = max(self.runs, enough_to_visit(len(scorable.background)))
        return min(evaluations // max(1, masks), most), masks


@dataclass(frozen=True, slots=True, eq=False)
class _Masked:
    """One row's score as a game: which players have its values, the others having ``other``'s."""

    scorable: Scorable
    hybrids: Hybrids
    row: int
    other: int
    score: float

    def __call__(self, masks: FloatArray) -> FloatArray:
        """Return the worths, in units, of ``masks`` (n, k) of ones and zeros; two are known."""
        present = masks[:, self.scorable.player_of] == 1
        worths = np.where(present.any(axis=1), self.score, self.absent)
        mixed = np.flatnonzero(present.any(axis=1) & ~present.all(axis=1))
        if len(mixed):
            others = np.full(len(mixed), self.other)
            worths[mixed] = self.scorable.score(self.hybrids.rows(self.row, others, present[mixed]))
        return np.asarray(worths / self.unit)

    @property
    def absent(self) -> float:
        """The score with no player present."""
        return float(self.scorable.background_scores()[self.other])

    @property
    def unit(self) -> float:
        """The scores' size: `shap` takes what is below 1e-10 for rounding."""
        return max(abs(self.score), abs(self.absent)) or 1.0

    def shap_values(
        self, kernel_explainer: Any, masks: int, rng: np.random.Generator
    ) -> FloatArray:
        """Return one run's estimates, shape ``(k,)``, from so many masks."""
        k = self.scorable.n_players
        with _drawing_from(int(rng.integers(2**32))):
            explainer = kernel_explainer(self, np.zeros((1, k)))
            found = explainer.shap_values(np.ones(k), nsamples=masks, l1_reg=False, silent=True)
        return np.asarray(found, np.float64) * self.unit


@contextmanager
def _drawing_from(seed: int) -> Iterator[None]:
    """Seed numpy's global generator, and leave it as it was."""
    with _GLOBAL_DRAWS:
        before = np.random.get_state()  # noqa: NPY002 - it is what the library draws from
        np.random.seed(seed)  # noqa: NPY002 - likewise
        try:
            yield
        finally:
            np.random.set_state(before)  # noqa: NPY002 - likewise


def _library() -> Any:
    try:
        from shap import KernelExplainer
    except ImportError as error:
        raise missing_extra("shap", "explain") from error
    return KernelExplainer
