"""Clarion's own detectors; each module is named after its algorithm."""

from clarion.registry import Registry, hookimpl

_PYOD = (
    "CBLOF",
    "GMM",
    "HBOS",
    "KDE",
    "KNN",
    "LODA",
    "LOF",
    "MCD",
    "OCSVM",
    "PCA",
    "Sampling",
)
"""PyOD's detectors that score each row on its own; see `clarion_detectors.pyod_kinds`."""


@hookimpl
def clarion_register_detectors(registry: Registry) -> None:
    """Register the detectors of this package."""
    registry.add("ar", "clarion_detectors.ar:Ar")
    registry.add("autoencoder", "clarion_detectors.autoencoder:Autoencoder")
    registry.add("bagged_knn", "clarion_detectors.bagged_knn:BaggedKnn")
    registry.add("boosted_scores", "clarion_detectors.boosted_scores:BoostedScores")
    registry.add("cnn", "clarion_detectors.cnn:Cnn")
    registry.add("copod", "clarion_detectors.copod:Copod")
    registry.add("cusum", "clarion_detectors.cusum:Cusum")
    registry.add("dbscan", "clarion_detectors.dbscan:Dbscan")
    registry.add("deep_sad", "clarion_detectors.deep_sad:DeepSad")
    registry.add("dnn", "clarion_detectors.dnn:Dnn")
    registry.add("ecod", "clarion_detectors.ecod:Ecod")
    registry.add("ensemble", "clarion_detectors.ensemble:Ensemble")
    registry.add("ewma", "clarion_detectors.ewma:Ewma")
    registry.add("gmm", "clarion_detectors.gmm:Gmm")
    registry.add("gradient_boosting", "clarion_detectors.gradient_boosting:GradientBoosting")
    registry.add("grubbs", "clarion_detectors.grubbs:Grubbs")
    registry.add("half_space_trees", "clarion_detectors.half_space_trees:HalfSpaceTrees")
    registry.add("hbos", "clarion_detectors.hbos:Hbos")
    registry.add("image_autoencoder", "clarion_detectors.image_autoencoder:ImageAutoencoder")
    registry.add("isolation_forest", "clarion_detectors.isolation_forest:IsolationForest")
    registry.add("kde", "clarion_detectors.kde:Kde")
    registry.add("kitnet", "clarion_detectors.kitnet:Kitnet")
    registry.add("kmeans", "clarion_detectors.kmeans:Kmeans")
    registry.add("knn", "clarion_detectors.knn:Knn")
    registry.add("ks_window", "clarion_detectors.ks_window:KsWindow")
    registry.add("lof", "clarion_detectors.lof:Lof")
    registry.add("mahalanobis", "clarion_detectors.mahalanobis:Mahalanobis")
    registry.add("one_class_svm", "clarion_detectors.one_class_svm:OneClassSvm")
    registry.add("online_gaussian", "clarion_detectors.online_gaussian:OnlineGaussian")
    registry.add("page_hinkley", "clarion_detectors.page_hinkley:PageHinkley")
    registry.add("pca", "clarion_detectors.pca:Pca")
    registry.add("random_forest", "clarion_detectors.random_forest:RandomForest")
    registry.add("rnn", "clarion_detectors.rnn:Rnn")
    registry.add("robust_zscore", "clarion_detectors.robust_zscore:RobustZscore")
    registry.add("self_training", "clarion_detectors.self_training:SelfTraining")
    registry.add("spectral_residual", "clarion_detectors.spectral_residual:SpectralResidual")
    registry.add("sub_pca", "clarion_detectors.sub_pca:SubPca")
    registry.add("svm", "clarion_detectors.svm:Svm")
    registry.add("var", "clarion_detectors.var:Var")
    registry.add("zscore", "clarion_detectors.zscore:Zscore")
    for name in _PYOD:
        registry.add(f"pyod.{name}", f"clarion_detectors.pyod_detectors:{name}")


@hookimpl
def clarion_register_recipes(registry: Registry) -> None:
    """Register the pipelines that ``auto`` may take."""
    registry.add("flows", "clarion_detectors.recipes:Flows")
    registry.add("known_incidents", "clarion_detectors.recipes:KnownIncidents")
    registry.add("one_signal", "clarion_detectors.recipes:OneSignal")
    registry.add("sensors", "clarion_detectors.recipes:Sensors")
    registry.add("short_sensors", "clarion_detectors.recipes:ShortSensors")
    registry.add("unvetted", "clarion_detectors.recipes:Unvetted")
    registry.add("vetted", "clarion_detectors.recipes:Vetted")
