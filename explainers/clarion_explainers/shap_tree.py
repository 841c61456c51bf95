"""SHAP values of tree ensembles, through the `shap` library."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from clarion.arrays import FloatArray
from clarion.detectors import Forest, TreeEnsemble
from clarion.explainers import Attribution, Label, Role, Scorable, Support
from clarion.frames import Frame
from clarion.inputs import missing_extra
from clarion.kernels.tree_program import mean_over_cover
from clarion_explainers.decomposition import decomposition
from clarion_explainers.refusal import unsupported
from clarion_explainers.tree_shap import PATH_DEPENDENT

_ROWS = 16
"""Rows a call: `shap` holds the interpreter lock, so other threads wait no longer than these."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShapTree:
    """The values of `tree_shap` as `shap.TreeExplainer` finds them, to be compared with.

    Lundberg et al. (2020), Nature Machine Intelligence 2, algorithm 2. The library knows no groups
    of features. Its other game, over background rows, is computed there in single precision: its
    values add up to 1e-7 only, and it is not offered.
    """

    role: ClassVar[Role] = Role.DECOMPOSITION

    def supports(self, scorable: Scorable) -> Support | None:
        """Return exact for tree ensembles whose features are the players.

        It counts as one evaluation, though it scores nothing: `tree_shap`, many times as fast, goes
        first.

        Raises
        ------
        MissingExtraError
            The library `shap` is not installed.
        """
        if not isinstance(scorable.capability, TreeEnsemble) or scorable.players is not None:
            return None
        if find_spec("shap") is None:
            raise missing_extra("shap", "explain")
        return Support(Label.EXACT, 1)

    def explain(
        self, scorable: Scorable, frame: Frame, *, evaluations: int, seeds: NDArray[np.uint64]
    ) -> Attribution:
        """Return exact SHAP values; ``evaluations`` and ``seeds`` are not needed.

        Raises
        ------
        UnsupportedPairError
            The score is no tree ensemble, or its features are grouped.
        MissingExtraError
            The library `shap` is not installed.
        """
        detector = scorable.capability
        if not isinstance(detector, TreeEnsemble) or scorable.players is not None:
            raise unsupported(scorable, "shap_tree", TreeEnsemble)
        explainer, base_value = scorable.once("shap_tree.explainer", lambda: _prepare(detector))
        with np.errstate(over="ignore"):  # beyond float32 is infinite: right of every threshold
            routed = frame.aligned_to(scorable.background.names).numeric().astype(np.float32)
        return decomposition(
            scorable.score(frame),
            _shap_values(explainer, routed.astype(np.float64)),
            base_value,
            label=Label.EXACT,
            method="shap_tree",
            value_function=PATH_DEPENDENT,
        )


def _prepare(detector: TreeEnsemble) -> tuple[Any, float]:
    """Return the library's explainer of the score itself, and the score's mean over the cover."""
    try:
        from shap import TreeExplainer
    except ImportError as error:
        raise missing_extra("shap", "explain") from error
    forest = detector.forest()
    explainer = TreeExplainer({"trees": _trees(forest)}, feature_perturbation="tree_path_dependent")
    return explainer, mean_over_cover(forest)


def _shap_values(explainer: Any, rows: FloatArray) -> FloatArray:
    out = np.empty(rows.shape)
    for start in range(0, len(rows), _ROWS):
        part = rows[start : start + _ROWS]
        out[start : start + _ROWS] = explainer.shap_values(part, check_additivity=False)
    return out


def _trees(forest: Forest) -> list[dict[str, NDArray[Any]]]:
    """Return each tree as the library takes it, its leaves worth their share of the score."""
    share = forest.scale / len(forest.roots)
    ends = [*forest.roots[1:], len(forest.left)]
    return [
        _tree(forest, slice(int(root), int(end)), share)
        for root, end in zip(forest.roots, ends, strict=True)
    ]


def _tree(forest: Forest, nodes: slice, share: float) -> dict[str, NDArray[Any]]:
    left, right = (
        np.where(child[nodes] < 0, -1, child[nodes] - nodes.start).astype(np.int32)
        for child in (forest.left, forest.right)
    )
    return {
        "children_left": left,
        "children_right": right,
        "children_default": left,  # where missing cells go: the detector refuses them
        "features": forest.feature[nodes].astype(np.int32),
        "thresholds": forest.threshold[nodes],
        "values": share * forest.value[nodes, None],
        "node_sample_weight": forest.cover[nodes],
    }
