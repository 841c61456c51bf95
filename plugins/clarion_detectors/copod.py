"""COPOD: how rare a row's values are under an empirical copula, the skewed tails counting most."""

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
class Copod:
    """Sum over the signals of the larger of -log of the skewed tail's probability and both tails' mean.

    The distributions are frozen at fit, so that a score does not depend on its batch mates.
    """

    traits: ClassVar[DetectorTraits] = DetectorTraits(
        paper="Li et al. (2020), COPOD, ICDM, Algorithm 1, the maximum per dimension"
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
        return fit_tails(frame, context, self.max_reference_rows, either=False)
