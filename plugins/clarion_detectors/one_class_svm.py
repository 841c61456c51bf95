"""One-class support vector machine: a smooth border around the normal rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from clarion.arrays import BoolArray, FloatArray
from clarion.detectors import DetectorTraits, KernelSum
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
from clarion_detectors.kernel_score import FittedKernelSum, default_gamma


@dataclass(frozen=True, slots=True, kw_only=True)
class OneClassSvm:
    """Minus the decision function of a one-class SVM with a Gaussian kernel.

    Positive outside the border. Explaining costs time in proportion to the support vectors, at least ``nu`` times the rows fitted.
    """

    traits: ClassVar[DetectorTraits] = DetectorTraits(
        paper="Schölkopf et al. (2001), Neural Computation 13(7), eq. 3.10"
    )
    fitted: ClassVar[type[FittedKernelSum]] = FittedKernelSum

    nu: float = parameter(
        0.05,
        "Share of the fitted rows that may lie outside the border, at most.",
        exclusive_minimum=0.0,
        exclusive_maximum=1.0,
    )
    gamma: float | None = parameter(
        None,
        "Width of the kernel, exp(-gamma d^2) on signals scaled by their sd; "
        "null for 1 / (signals * variance).",
        exclusive_minimum=0.0,
    )
    landmarks: int | None = parameter(
        None,
        "Kernels of an approximation whose fit and score take time in proportion to the rows "
        "(Nyström, stochastic gradient descent); null for the exact machine.",
        minimum=1,
        maximum=10_000,
    )
    max_fit_rows: int = parameter(
        5_000,
        "Rows that the exact machine is fitted on, at most; drawn at random.",
        minimum=2,
        maximum=50_000,
    )

    def fit(self, frame: Frame, labels: BoolArray | None, context: FitContext) -> FittedKernelSum:
        """Learn the border from normal rows with scikit-learn, and keep it as plain arrays.

        Raises
        ------
        TooFewRowsError
            Fewer than 2 rows.
        LimitExceededError
            More rows by landmarks than this machine's memory holds.
        """
        values = complete(frame, frame.signals)
        require_rows(len(frame), 2, "a one-class SVM")
        center, scale = robust_scale(values)
        if self.landmarks is not None:
            held = 3 * 8.0 * len(frame) * min(self.landmarks, len(frame))
            require_memory(held, f"the kernels of {len(frame)} rows at {self.landmarks} landmarks")
            kernels = self._approximate(scaled(values, center, scale), context.rng)
            return FittedKernelSum(frame.signals, center, scale, kernels)
        kept = sampled_rows(len(frame), self.max_fit_rows, context.rng)
        kernels = self._exact(scaled(values[kept], center, scale))
        return FittedKernelSum(frame.signals, center, scale, kernels)

    def _exact(self, points: FloatArray) -> KernelSum:
        from sklearn.svm import OneClassSVM

        gamma = self.gamma or default_gamma(points)
        machine = OneClassSVM(nu=self.nu, gamma=gamma).fit(points)
        return KernelSum(
            points=np.ascontiguousarray(machine.support_vectors_),
            weights=-machine.dual_coef_[0],
            gamma=np.full(points.shape[1], gamma),
            offset=-float(machine.intercept_[0]),
        )

    def _approximate(self, points: FloatArray, rng: np.random.Generator) -> KernelSum:
        """Fit a linear machine on Nyström features: again a sum of kernels, at the landmarks.

        Williams & Seeger (2001), NIPS, eq. 6: with normalisation N the features are ``N k(u)``, so
        the machine ``w' N k(u) - rho`` has the weights ``N' w``.
        """
        from sklearn.kernel_approximation import Nystroem
        from sklearn.linear_model import SGDOneClassSVM

        gamma = self.gamma or default_gamma(points)
        count = min(self.landmarks or 1, len(points))
        seed = int(rng.integers(2**32))
        features = Nystroem(gamma=gamma, n_components=count, random_state=seed).fit(points)
        machine = SGDOneClassSVM(nu=self.nu, random_state=seed).fit(features.transform(points))
        return KernelSum(
            points=np.ascontiguousarray(features.components_),
            weights=-(features.normalization_.T @ machine.coef_.ravel()),
            gamma=np.full(points.shape[1], gamma),
            offset=float(machine.offset_[0]),
        )
