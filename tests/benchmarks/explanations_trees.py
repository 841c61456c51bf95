"""SHAP values of an isolation forest of 100 trees x 256 rows and 20 features, against `shap`.

Clarion's detector and scikit-learn's own model are grown from the same rows and seed, so that they
are the same trees; `shap.TreeExplainer` explains the model as its users do, without its check of
sums. Its values are of the mean path length, of which the score is the negative. Both are measured
turn by turn in one thread, after a first call each, and the median of the ratios is told.
"""

from __future__ import annotations

import statistics
import sys
from functools import partial
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from clarion.arrays import FloatArray
from clarion.detectors import TreeEnsemble
from clarion.kernels.tree_program import TreeProgram, tree_program
from clarion.kernels.tree_shap import tree_shap
from explanations_rows import FITTED_ROWS, FITTING_SEED, normal_rows, odd_rows, scorable, timed

TREES = 100
TREE_ROWS = 256
FEATURES = 20
BATCH = 1024


def figures(quick: bool) -> dict[str, float]:
    """Return ``tree_speedup_1024``, ``tree_speedup_1`` and ``tree_max_difference``."""
    with threadpool_limits(1):
        program, library = own_program(), library_explainer()
        rows = odd_rows(BATCH, FEATURES, seed=5)
        ours, theirs = tree_shap(rows, program), -library_values(library, rows)
        repeats = 3 if quick else 9
        many = [ratio(program, library, rows) for _ in range(repeats)]
        single = [ratio(program, library, rows[i : i + 1]) for i in range(40 * repeats)]
    return {
        "tree_speedup_1024": statistics.median(many),
        "tree_speedup_1": statistics.median(single),
        "tree_max_difference": float(np.abs(ours - theirs).max()),
    }


def own_program() -> TreeProgram:
    """Return the trees of Clarion's detector, laid out for the kernel."""
    detector = scorable("isolation_forest", FEATURES).capability
    assert isinstance(detector, TreeEnsemble)
    forest = detector.forest()
    assert len(forest.roots) == TREES
    assert (forest.cover[forest.roots] == TREE_ROWS).all()
    return tree_program(forest, np.arange(FEATURES))


def library_explainer() -> Any:
    """Return `shap`'s explainer of scikit-learn's model with the same trees."""
    import shap
    from sklearn.ensemble import IsolationForest

    seed = int(np.random.default_rng(FITTING_SEED).integers(2**32))  # as the detector draws it
    model = IsolationForest(n_estimators=TREES, max_samples=TREE_ROWS, random_state=seed)
    return shap.TreeExplainer(model.fit(normal_rows(FITTED_ROWS, FEATURES, seed=1)))


def library_values(library: Any, rows: FloatArray) -> FloatArray:
    """Return `shap`'s values of the mean path length, ``(n, d)``."""
    return np.asarray(library.shap_values(rows, check_additivity=False))


def ratio(program: TreeProgram, library: Any, rows: FloatArray) -> float:
    """Return how many times as long `shap` takes for ``rows``."""
    ours = timed(partial(tree_shap, rows, program))[1]
    theirs = timed(partial(library_values, library, rows))[1]
    return theirs / ours


if __name__ == "__main__":
    print(figures("--quick" in sys.argv[1:]))
