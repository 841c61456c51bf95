"""Clarion's own feature extractors; each module is named after what it does."""

from clarion.registry import Registry, hookimpl


@hookimpl
def clarion_register_features(registry: Registry) -> None:
    """Register the feature extractors of this package."""
    registry.add("encode", "clarion_features.encode:Encode")
    registry.add("impute", "clarion_features.impute:Impute")
    registry.add("signed_log", "clarion_features.signed_log:SignedLog")
    registry.add("standardize", "clarion_features.standardize:Standardize")
    registry.add("window_statistics", "clarion_features.window_statistics:WindowStatistics")
