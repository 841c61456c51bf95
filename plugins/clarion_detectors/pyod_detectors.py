"""PyOD's detectors under their own names, with PyOD's parameters and defaults (but CBLOF's).

Signals are scaled by their deviation first, so that the unit of none matters. See `pyod_kinds` for
what was left out and why. PyOD: Zhao, Nasrullah & Li (2019), JMLR 20(96).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from clarion.detectors import DetectorTraits
from clarion.parameters import parameter
from clarion_detectors.pyod_adapter import PyodDetector

_LEAST_SHARE = 1e-12
"""Of the variance, that a component of `PCA` explains: rounding leaves a constant's about 1e-32."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CBLOF(PyodDetector):
    """Distance to the nearest large cluster of the normal rows; takes about 0.3 ms a row."""

    traits: ClassVar[DetectorTraits] = DetectorTraits(
        paper="He, Xu & Deng (2003), Pattern Recognition Letters 24(9-10), definition 3"
    )
    blamed: ClassVar[str] = "n_clusters"

    n_clusters: int = parameter(
        12,
        "Clusters that the rows form; from 1 / (1 - alpha) on, large ones are always found, which "
        "for PyOD's 8 they are not.",
        minimum=2,
        maximum=1000,
    )
    alpha: float = parameter(
        0.9,
        "Share of the rows that the large clusters hold.",
        exclusive_minimum=0.0,
        exclusive_maximum=1.0,
    )
    beta: float = parameter(
        5.0,
        "How many times larger the smallest large cluster is than the next.",
        exclusive_minimum=1.0,
        maximum=1e6,
    )
    use_weights: bool = parameter(False, "Whether distances are multiplied by the cluster's rows.")

    def least_rows(self) -> int:
        """Return one row a cluster."""
        return self.n_clusters

    def flaw(self, detector: Any) -> str:
        """Name clusters without rows too: what is nearest to them has no weight."""
        if np.count_nonzero(detector.cluster_sizes_) < self.n_clusters:
            return "there are fewer different ones than clusters"
        return PyodDetector.flaw(self, detector)

    def numbers(self, rows: int, d: int) -> float:
        """Return the rows, and their distances from the clusters."""
        return PyodDetector.numbers(self, rows, d) + 2.0 * rows * self.n_clusters


@dataclass(frozen=True, slots=True, kw_only=True)
class GMM(PyodDetector):
    """Minus the logarithm of a Gaussian mixture's density; takes about 0.4 ms a row."""

    traits: ClassVar[DetectorTraits] = DetectorTraits(
        paper="Aggarwal (2017), Outlier Analysis, section 2.4"
    )
    blamed: ClassVar[str] = "reg_covar"

    n_components: int = parameter(1, "Normal laws in the mixture.", minimum=1, maximum=1000)
    covariance_type: str = parameter(
        "full",
        "Whether each law has its own covariance, they share it, or it is diagonal or round.",
        choices=("full", "tied", "diag", "spherical"),
    )
    reg_covar: float = parameter(
        1e-6, "Variance added to every signal's, which is 1.", minimum=1e-9, maximum=1.0
    )
    n_init: int = parameter(
        1, "Fits from random starts, of which the best is kept.", minimum=1, maximum=100
    )

    def least_rows(self) -> int:
        """Return one row a law, and at least two."""
        return max(2, self.n_components)

    def numbers(self, rows: int, d: int) -> float:
        """Return the rows' densities and the laws' covariances."""
        return PyodDetector.numbers(self, rows, d) + self.n_components * (4.0 * rows + 4.0 * d * d)


@dataclass(frozen=True, slots=True, kw_only=True)
class HBOS(PyodDetector):
    """Sum over signals of minus the logarithm of a histogram's height."""

    traits: ClassVar[DetectorTraits] = DetectorTraits(
        paper="Goldstein & Dengel (2012), KI-2012 poster track, p. 59"
    )

    n_bins: int = parameter(10, "Bins of each signal's histogram.", minimum=2, maximum=10_000)
    alpha: float = parameter(
        0.1,
        "Added to each height, so that none is 0.",
        exclusive_minimum=0.0,
        exclusive_maximum=1.0,
    )
    tol: float = parameter(
        0.5,
        "Share of a bin's width by which a value may lie beyond the last.",
        exclusive_minimum=0.0,
        exclusive_maximum=1.0,
    )

    def numbers(self, rows: int, d: int) -> float:
        """Return the rows, and the signals' histograms."""
        return PyodDetector.numbers(self, rows, d) + 4.0 * d * self.n_bins


@dataclass(frozen=True, slots=True, kw_only=True)
class KDE(PyodDetector):
    """Minus the logarithm of a kernel density: in proportion to its own, far away too."""

    traits: ClassVar[DetectorTraits] = DetectorTraits(
        paper="Latecki, Lazarevic & Pokrajac (2007), MLDM, section 3"
    )

    bandwidth: float = parameter(
        1.0, "Width of the Gaussian kernel, in deviations.", minimum=1e-3, maximum=1e3
    )

    def arguments(self) -> dict[str, Any]:
        """Return them with the one tree that any number of signals may take."""
        return PyodDetector.arguments(self) | {"algorithm": "ball_tree"}


@dataclass(frozen=True, slots=True, kw_only=True)
class KNN(PyodDetector):
    """Distance to the nearest normal rows."""

    traits: ClassVar[DetectorTraits] = DetectorTraits(
        paper="Ramaswamy, Rastogi & Shim (2000), SIGMOD, definition 2.1"
    )

    n_neighbors: int = parameter(5, "Nearest rows looked at.", minimum=1, maximum=1000)
    method: str = parameter(
        "largest",
        "What of their distances counts.",
        choices=("largest", "mean", "median"),
    )

    def arguments(self) -> dict[str, Any]:
        """Return them with the one tree that any number of signals may take."""
        return PyodDetector.arguments(self) | {"algorithm": "ball_tree"}

    def least_rows(self) -> int:
        """Return the neighbours, and the row itself."""
        return self.n_neighbors + 1

    def numbers(self, rows: int, d: int) -> float:
        """Return the rows, and their neighbours' numbers and distances."""
        return PyodDetector.numbers(self, rows, d) + 6.0 * rows * self.n_neighbors


@dataclass(frozen=True, slots=True, kw_only=True)
class LODA(PyodDetector):
    """Minus the logarithm of histograms along random sparse directions; takes about 1 ms a row."""

    traits: ClassVar[DetectorTraits] = DetectorTraits(
        paper="Pevný (2016), Machine Learning 102(2), algorithm 1"
    )

    n_bins: int = parameter(10, "Bins of each histogram.", minimum=2, maximum=10_000)
    n_random_cuts: int = parameter(100, "Directions.", minimum=1, maximum=1000)

    def numbers(self, rows: int, d: int) -> float:
        """Return the rows, and the directions' histograms."""
        own = self.n_random_cuts * (2.0 * self.n_bins + d)
        return PyodDetector.numbers(self, rows, d) + own


@dataclass(frozen=True, slots=True, kw_only=True)
class LOF(PyodDetector):
    """How much thinner the rows lie around a row than around its neighbours."""

    traits: ClassVar[DetectorTraits] = DetectorTraits(
        paper="Breunig et al. (2000), LOF, SIGMOD, definitions 5 to 7"
    )

    n_neighbors: int = parameter(20, "Nearest rows compared with.", minimum=1, maximum=1000)

    def arguments(self) -> dict[str, Any]:
        """Return them with the one tree that any number of signals may take."""
        return PyodDetector.arguments(self) | {"algorithm": "ball_tree"}

    def least_rows(self) -> int:
        """Return the neighbours, and the row itself."""
        return self.n_neighbors + 1

    def numbers(self, rows: int, d: int) -> float:
        """Return the rows, and their neighbours' numbers and distances."""
        return PyodDetector.numbers(self, rows, d) + 6.0 * rows * self.n_neighbors


@dataclass(frozen=True, slots=True, kw_only=True)
class MCD(PyodDetector):
    """Squared Mahalanobis distance to the core whose covariance has the smallest determinant."""

    traits: ClassVar[DetectorTraits] = DetectorTraits(
        paper="Rousseeuw & Van Driessen (1999), Technometrics 41(3), section 2"
    )
    blamed: ClassVar[str] = "support_fraction"

    support_fraction: float | None = parameter(
        None,
        "Share of the rows in the core; null for (rows + signals + 1) / 2 of them.",
        minimum=0.5,
        maximum=1.0,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class OCSVM(PyodDetector):
    """Distance beyond the border of a one-class support vector machine, in kernel space."""

    traits: ClassVar[DetectorTraits] = DetectorTraits(
        paper="Schölkopf et al. (2001), Neural Computation 13(7), eq. 3.10"
    )

    nu: float = parameter(
        0.5,
        "Share of the fitted rows that may lie outside the border, at most.",
        minimum=1e-3,
        maximum=1.0,
    )
    gamma: float | None = parameter(
        None,
        "Width of the kernel, exp(-gamma d^2) on scaled signals; null for 1 / signals.",
        minimum=1e-6,
        maximum=1e6,
    )
    max_fit_rows: int = parameter(
        5_000, "Rows fitted, at most; drawn at random.", minimum=2, maximum=50_000
    )

    def arguments(self) -> dict[str, Any]:
        """Return them with PyOD's word for a width of 1 / signals."""
        return PyodDetector.arguments(self) | {"gamma": self.gamma or "auto"}


@dataclass(frozen=True, slots=True, kw_only=True)
class PCA(PyodDetector):
    """Sum of the distances to the principal axes, those of little variance weighted most."""

    traits: ClassVar[DetectorTraits] = DetectorTraits(
        paper="Shyu et al. (2003), ICDM workshop on foundations of data mining, eq. 3"
    )
    blamed: ClassVar[str] = "n_components"

    n_components: int | None = parameter(
        None, "Principal axes; null for one a signal.", minimum=1, maximum=10_000
    )
    weighted: bool = parameter(True, "Whether distances are divided by the share of variance.")

    def flaw(self, detector: Any) -> str:
        """Name axes without variance too: a distance divided by it is noise, or infinite."""
        if self.weighted and np.min(detector.w_components_) < _LEAST_SHARE:
            return "an axis explains no variance, as some signals follow from others"
        return PyodDetector.flaw(self, detector)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling(PyodDetector):
    """Distance to the nearest of a few normal rows drawn at random."""

    traits: ClassVar[DetectorTraits] = DetectorTraits(
        paper="Sugiyama & Borgwardt (2013), NIPS 26, section 2"
    )

    subset_size: int = parameter(20, "Rows drawn.", minimum=1, maximum=10_000)

    def least_rows(self) -> int:
        """Return the rows drawn."""
        return self.subset_size

    def numbers(self, rows: int, d: int) -> float:
        """Return the rows, and their distances from those drawn."""
        return PyodDetector.numbers(self, rows, d) + 1.0 * rows * self.subset_size
