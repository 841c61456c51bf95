"""KDE: how thin the density of normal rows is around a row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from clarion.arrays import BoolArray
from clarion.detectors import DetectorTraits
from clarion.features import FitContext
from clarion.frames import Frame
from clarion.inputs import complete, require_rows, robust_scale, sampled_rows, scaled
from clarion.parameters import parameter
from clarion_detectors.kernel_score import FittedKernelSum, relative_density


@dataclass(frozen=True, slots=True, kw_only=True)
class Kde:
    """Minus the kernel density, in units of its median over the fitted rows: -1 is ordinary.

    0 means that no normal row is anywhere near. The density itself, not its logarithm, so that the
    score is a sum of product kernels with exact Shapley values.
    """

    traits: ClassVar[DetectorTraits] = DetectorTraits(
        paper="Parzen (1962), Ann. Math. Stat. 33(3); bandwidth of Scott (1992), eq. 6.42"
    )
    fitted: ClassVar[type[FittedKernelSum]] = FittedKernelSum

    bandwidth: float | None = parameter(
        None,
        "Standard deviation of the kernels on signals scaled by their sd; null for Scott's rule.",
        exclusive_minimum=0.0,
    )
    max_reference_rows: int = parameter(
        1_000, "Rows that carry a kernel, at most; drawn at random.", minimum=2, maximum=50_000
    )

    def fit(self, frame: Frame, labels: BoolArray | None, context: FitContext) -> FittedKernelSum:
        """Put a kernel on normal rows.

        Raises
        ------
        TooFewRowsError
            Fewer than 2 rows.
        """
        values = complete(frame, frame.signals)
        require_rows(len(frame), 2, "a density")
        center, scale = robust_scale(values)
        kept = sampled_rows(len(frame), self.max_reference_rows, context.rng)
        points = scaled(values[kept], center, scale)
        m, d = points.shape
        width = self.bandwidth or m ** (-1.0 / (d + 4))
        gamma = np.full(d, 0.5 / width**2)
        # Each row's own kernel adds 1 to its density, which rows to come do not have.
        kernels = relative_density(points, np.ones(m), gamma, points, own=1.0)
        return FittedKernelSum(frame.signals, center, scale, kernels)
