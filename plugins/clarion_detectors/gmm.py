"""GMM: how thin a mixture of normal laws, fitted to the normal rows, is at a row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from clarion.arrays import BoolArray
from clarion.detectors import DetectorTraits
from clarion.features import FitContext
from clarion.frames import Frame
from clarion.inputs import (
    complete,
    require_memory,
    require_rows,
    robust_scale,
    sampled_rows,
    scaled,
)
from clarion.parameters import parameter
from clarion_detectors.kernel_score import FittedKernelSum, relative_density

_LEAST_VARIANCE = 1e-4
"""A component varies by 1 % of the scale of each signal at least."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gmm:
    """Minus a Gaussian mixture's density, in units of its median over the fitted rows.

    -1 is ordinary, 0 is where no normal row is anywhere near. Covariances are diagonal, and the
    score the density itself, not its logarithm, so that its Shapley values are exact.
    """

    traits: ClassVar[DetectorTraits] = DetectorTraits(
        paper="Dempster, Laird & Rubin (1977), J. Royal Stat. Soc. B 39(1), section 4.3"
    )
    fitted: ClassVar[type[FittedKernelSum]] = FittedKernelSum

    components: int = parameter(8, "Number of normal laws.", minimum=1, maximum=1000)
    max_fit_rows: int = parameter(
        20_000, "Rows fitted, at most; drawn at random.", minimum=2, maximum=1_000_000
    )

    def fit(self, frame: Frame, labels: BoolArray | None, context: FitContext) -> FittedKernelSum:
        """Fit the mixture to normal rows with scikit-learn.

        Raises
        ------
        TooFewRowsError
            Fewer rows than components, or than 2.
        LimitExceededError
            More laws by rows than this machine's memory holds.
        """
        from sklearn.mixture import GaussianMixture

        values = complete(frame, frame.signals)
        needed = max(2, self.components)
        require_rows(min(len(frame), self.max_fit_rows), needed, "a mixture of that many laws")
        rows = min(len(frame), self.max_fit_rows)
        require_memory(7 * 8.0 * rows * needed, f"a mixture of {needed} laws over {rows} rows")
        center, scale = robust_scale(values)
        kept = sampled_rows(len(frame), self.max_fit_rows, context.rng)
        points = scaled(values[kept], center, scale)
        mixture = GaussianMixture(
            min(self.components, len(np.unique(points, axis=0))),
            covariance_type="diag",
            reg_covar=_LEAST_VARIANCE,
            random_state=int(context.rng.integers(2**32)),
        ).fit(points)
        spread = np.sqrt(mixture.covariances_)
        heights = np.log(mixture.weights_) - np.log(spread).sum(axis=1)
        weights = np.exp(heights - heights.max())
        kernels = relative_density(mixture.means_, weights, 0.5 / mixture.covariances_, points)
        return FittedKernelSum(frame.signals, center, scale, kernels)
