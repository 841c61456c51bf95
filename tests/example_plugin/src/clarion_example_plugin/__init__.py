"""An example of a Clarion plugin: each name is registered here, and imported on first use."""

from clarion.registry import Registry, hookimpl


@hookimpl
def clarion_register_detectors(registry: Registry) -> None:
    """Register the detector."""
    registry.add("median_distance", "clarion_example_plugin.median_distance:MedianDistance")


@hookimpl
def clarion_register_features(registry: Registry) -> None:
    """Register the feature extractor."""
    registry.add("differences", "clarion_example_plugin.differences:Differences")


@hookimpl
def clarion_register_explainers(registry: Registry) -> None:
    """Register the explainer."""
    registry.add("distance_shares", "clarion_example_plugin.distance_shares:DistanceShares")
