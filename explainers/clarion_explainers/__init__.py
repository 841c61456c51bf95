"""Clarion's own explainers; each module is named after its method."""

from clarion.registry import Registry, hookimpl


@hookimpl
def clarion_register_explainers(registry: Registry) -> None:
    """Register the explainers of this package."""
    registry.add("additive", "clarion_explainers.additive:Additive")
    registry.add(
        "conditional_quadratic", "clarion_explainers.conditional_quadratic:ConditionalQuadratic"
    )
    registry.add("deep_shap", "clarion_explainers.deep_shap:DeepShap")
    registry.add("expected_gradients", "clarion_explainers.expected_gradients:ExpectedGradients")
    registry.add(
        "integrated_gradients", "clarion_explainers.integrated_gradients:IntegratedGradients"
    )
    registry.add("kernel_shap", "clarion_explainers.kernel_shap:KernelShap")
    registry.add("lime", "clarion_explainers.lime:Lime")
    registry.add("neighbours", "clarion_explainers.neighbours:NeighbourTerms")
    registry.add("permutation_shap", "clarion_explainers.permutation_shap:PermutationShap")
    registry.add("product_kernel", "clarion_explainers.product_kernel:ProductKernelShap")
    registry.add("quadratic", "clarion_explainers.quadratic:QuadraticShap")
    registry.add("rescaled_sum", "clarion_explainers.rescaled_sum:RescaledSum")
    registry.add("shap_tree", "clarion_explainers.shap_tree:ShapTree")
    registry.add("tree_shap", "clarion_explainers.tree_shap:TreeShap")
    registry.add(
        "tree_shap_interventional",
        "clarion_explainers.tree_shap_interventional:TreeShapInterventional",
    )
