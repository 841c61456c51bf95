"""ECOD: how far out in the tails of each signal's empirical distribution a row lies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from clarion.arrays import BoolArray
from clarion.detectors import DetectorTraits
from clarion.features import FitContext
from clarion.frames import Frame
from clarion.parameters import parameter
from clarion_detectors.tail_score import FittedTails, fit_tails


@dataclass(frozen=True, slots=True, kw_only=True)
class Ecod:
    """Sum over the signals of -log of the smaller tail probability, the distributions frozen at fit.

    The tail is chosen signal by signal, not for the row as a whole as in the paper, so that the
    terms are exact Shapley values; frozen, so that a score does not depend on its batch mates.
    """

    traits: ClassVar[DetectorTraits] = DetectorTraits(
        paper="Li et al. (2022), ECOD, IEEE TKDE 35(12), Algorithm 1, the maximum per dimension"
    )
    fitted: ClassVar[type[FittedTails]] = FittedTails

    max_reference_rows: int = parameter(
        20_000, "Rows kept as reference, at most; drawn at random.", minimum=2, maximum=1_000_000
    )

    def fit(self, frame: Frame, labels: BoolArray | None, context: FitContext) -> FittedTails:
        """Learn the distribution of each signal.

        Raises
        ------
        TooFewRowsError
            Fewer than 2 rows.
        """
        return fit_tails(frame, context, self.max_reference_rows, either=True)
