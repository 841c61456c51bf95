"""Supervised SVM: on which side of the border between known normal and anomalous rows a row lies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from clarion.arrays import BoolArray
from clarion.detectors import DetectorTraits, KernelSum, Paradigm
from clarion.features import FitContext
from clarion.frames import Frame
from clarion.inputs import both_classes, complete, robust_scale, sampled_rows, scaled
from clarion.parameters import parameter
from clarion_detectors.kernel_score import FittedKernelSum, default_gamma


@dataclass(frozen=True, slots=True, kw_only=True)
class Svm:
    """Decision function of a support vector classifier with a Gaussian kernel.

    Positive on the anomalous side. Both classes weigh the same, however few anomalies are known.
    """

    traits: ClassVar[DetectorTraits] = DetectorTraits(
        paradigm=Paradigm.SUPERVISED,
        paper="Cortes & Vapnik (1995), Machine Learning 20(3), eq. 18",
    )
    fitted: ClassVar[type[FittedKernelSum]] = FittedKernelSum

    penalty: float = parameter(1.0, "Cost of a row on the wrong side.", exclusive_minimum=0.0)
    gamma: float | None = parameter(
        None,
        "Width of the kernel, exp(-gamma d^2) on signals scaled by their sd; "
        "null for 1 / (signals * variance).",
        exclusive_minimum=0.0,
    )
    max_fit_rows: int = parameter(
        10_000, "Rows fitted, at most; drawn at random.", minimum=2, maximum=50_000
    )

    def fit(self, frame: Frame, labels: BoolArray | None, context: FitContext) -> FittedKernelSum:
        """Learn the border with scikit-learn, and keep it as plain arrays.

        Raises
        ------
        InvalidParameterError
            No labels, or of one class only.
        """
        from sklearn.svm import SVC

        values, classes = complete(frame, frame.signals), both_classes(labels, "svm")
        center, scale = robust_scale(values)
        kept = sampled_rows(len(frame), self.max_fit_rows, context.rng)
        if len(np.unique(classes[kept])) < 2:  # so few anomalies that the draw missed them all
            kept = np.union1d(kept, np.flatnonzero(classes)[:1])
        points = scaled(values[kept], center, scale)
        gamma = self.gamma or default_gamma(points)
        machine = SVC(C=self.penalty, gamma=gamma, class_weight="balanced")
        machine.fit(points, classes[kept])
        kernels = KernelSum(
            points=np.ascontiguousarray(machine.support_vectors_),
            weights=np.ascontiguousarray(machine.dual_coef_[0]),
            gamma=np.full(len(frame.signals), gamma),
            offset=float(machine.intercept_[0]),
        )
        return FittedKernelSum(frame.signals, center, scale, kernels)
