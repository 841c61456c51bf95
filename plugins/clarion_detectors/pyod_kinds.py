"""What Clarion knows of each of PyOD's detectors that it adapts: where it is, and what it is made of.

The list is short because a score must depend on the fitted state and its own row alone, be finite,
and have the same bytes in any batch. Left out are, as of PyOD 3.6:

==============================  ====================================================================
ECOD, COPOD, CD, LMDD, LOCI,    rank or compare a row with its batch mates; Clarion's own ``ecod``
ROD, RGraph, SOS                and ``copod`` keep the ranks of the fit
COF, SOD                        fail on a single row
MAD                             takes one signal only; Clarion's own is ``robust_zscore``
ABOD                            NaN, or a division by zero, for a row that repeats fitted ones
HDBSCAN                         1 at most, so that many rows are as strange as the strangest
IForest                         its trees are stored as indices that scikit-learn follows unchecked;
                                ``isolation_forest`` is the same, stored as plain arrays
INNE, KPCA                      take milliseconds a row: asked alone, as equal bytes in any batch need
QMCD                            starts numba's own threads, which some thread layers end the process
                                for when several ask at once
FeatureBagging, LSCP, SUOD,     need further libraries, labels, or other detectors: ``ensemble`` and
XGBOD                           ``boosted_scores`` are Clarion's own
neural networks                 need torch: Clarion's own come with the extra ``deep``
==============================  ====================================================================
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

_COMMON = frozenset(
    {
        "builtins.dict",
        "builtins.list",
        "builtins.str",
        "builtins.tuple",
        "numpy.float64",
        "numpy.ndarray",
    }
)


@dataclass(frozen=True, slots=True)
class Kind:
    """One of PyOD's detectors.

    Attributes
    ----------
    name, module
        Its class, and where that is.
    parts
        Full names of the types it is made of, besides itself and plain values: what a stored one
        may hold.
    tree
        Where it keeps a ball tree, as ``attribute.attribute``; empty if it has none. It is stored
        as its rows and built anew, because scikit-learn follows a stored tree's indices unchecked.
    metric
        Where it keeps the Euclidean metric, an object that is made anew too; empty if nowhere.
    by_row
        Whether rows are scored one by one: a matrix product may give a row other last bits in
        another batch.
    seeded
        Whether its fit draws random numbers.
    fits
        Whether the arrays of a stored one have the shapes that scoring takes for granted, and
        would read beyond, given the number of signals.
    """

    name: str
    module: str
    parts: tuple[str, ...] = ()
    tree: str = ""
    metric: str = ""
    by_row: bool = False
    seeded: bool = False
    fits: Callable[[Any, int], bool] = lambda detector, d: True

    @property
    def types(self) -> frozenset[str]:
        """Full names of every type that a stored one may hold; never read from what is stored."""
        return _COMMON | {f"{self.module}.{self.name}", *self.parts}


def _cblof_fits(detector: Any, d: int) -> bool:
    clusters = detector.clustering_estimator_
    k = len(detector.cluster_sizes_)
    shapes = clusters.cluster_centers_.shape, detector.cluster_centers_.shape
    return clusters.n_clusters == k and shapes == ((k, d), (k, d))


def _hbos_fits(detector: Any, d: int) -> bool:
    bins = detector.n_bins
    shapes = detector.hist_.shape, detector.bin_edges_.shape
    return type(bins) is int and bins >= 2 and shapes == ((bins, d), (bins + 1, d))


def _loda_fits(detector: Any, d: int) -> bool:
    cuts, bins = detector.n_random_cuts, detector.n_bins
    shapes = detector.projections_.shape, detector.histograms_.shape, detector.limits_.shape
    return type(bins) is int and shapes == ((cuts, d), (cuts, bins), (cuts, bins + 1))


def _lof_fits(detector: Any, d: int) -> bool:
    lof = detector.detector_
    rows = len(lof._tree.data)
    shapes = lof._lrd.shape, lof._distances_fit_X_.shape
    return shapes == ((rows,), (rows, lof.n_neighbors_))


def _mcd_fits(detector: Any, d: int) -> bool:
    law = detector.detector_
    shapes = law.location_.shape, law.precision_.shape
    return law.store_precision is True and shapes == ((d,), (d, d))


def _ocsvm_fits(detector: Any, d: int) -> bool:
    machine = detector.detector_
    m = len(machine.support_)
    wanted = {
        "support_": (m,),
        "support_vectors_": (m, d),
        "_dual_coef_": (1, m),
        "_intercept_": (1,),
        "_n_support": (2,),
        "_probA": (0,),
        "_probB": (0,),
    }
    same = all(getattr(machine, name).shape == shape for name, shape in wanted.items())
    return same and machine._sparse is False


_KINDS = (
    Kind(
        "CBLOF",
        "pyod.models.cblof",
        ("sklearn.cluster._kmeans.KMeans",),
        by_row=True,
        seeded=True,
        fits=_cblof_fits,
    ),
    Kind(
        "GMM",
        "pyod.models.gmm",
        ("sklearn.mixture._gaussian_mixture.GaussianMixture",),
        by_row=True,
        seeded=True,
    ),
    Kind("HBOS", "pyod.models.hbos", fits=_hbos_fits),
    Kind("KDE", "pyod.models.kde", ("sklearn.neighbors._kde.KernelDensity",), tree="kde_.tree_"),
    Kind(
        "KNN",
        "pyod.models.knn",
        ("sklearn.neighbors._unsupervised.NearestNeighbors",),
        tree="neigh_._tree",
    ),
    Kind("LODA", "pyod.models.loda", by_row=True, seeded=True, fits=_loda_fits),
    Kind(
        "LOF",
        "pyod.models.lof",
        ("sklearn.neighbors._lof.LocalOutlierFactor",),
        tree="detector_._tree",
        fits=_lof_fits,
    ),
    Kind(
        "MCD",
        "pyod.models.mcd",
        ("sklearn.covariance._robust_covariance.MinCovDet",),
        seeded=True,
        fits=_mcd_fits,
    ),
    Kind("OCSVM", "pyod.models.ocsvm", ("sklearn.svm._classes.OneClassSVM",), fits=_ocsvm_fits),
    Kind(
        "PCA",
        "pyod.models.pca",
        ("sklearn.decomposition._pca.PCA", "sklearn.preprocessing._data.StandardScaler"),
        seeded=True,
    ),
    Kind("Sampling", "pyod.models.sampling", metric="dist", seeded=True),
)

KINDS: Mapping[str, Kind] = MappingProxyType({kind.name: kind for kind in _KINDS})
"""Every kind, by the name of its class."""
