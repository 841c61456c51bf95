from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from sklearn import ensemble

from clarion.detectors import Forest
from clarion.errors import ArtifactCorruptError, TooFewRowsError
from clarion.features import FitContext
from clarion.frames import Frame
from clarion.kernels import forest
from clarion.registry import Registries
from clarion.state import State
from clarion_detectors.forest_score import FittedForest
from clarion_detectors.isolation_forest import IsolationForest, unsuccessful_search_length


def rows(rng: np.random.Generator, n: int = 700) -> Frame:
    # Few distinct values: many rows lie on a threshold's edge, and some leaves hold several rows.
    return Frame.of(np.round(rng.normal(size=(n, 5)), 1))


def peer(frame: Frame, seed: int, **options: int) -> ensemble.IsolationForest:
    return ensemble.IsolationForest(**options, random_state=seed).fit(frame.values)


@pytest.mark.parametrize(("trees", "max_samples"), [(100, 256), (7, 300), (3, 2)])
def test_it_scores_as_scikit_learn(rng: np.random.Generator, trees: int, max_samples: int) -> None:
    frame = rows(rng)
    context = FitContext(np.random.default_rng(3), Registries())
    fitted = IsolationForest(trees=trees, max_samples=max_samples).fit(frame, None, context)
    seed = int(np.random.default_rng(3).integers(2**32))
    theirs = peer(frame, seed, n_estimators=trees, max_samples=max_samples)
    fresh = Frame.of(rng.normal(size=(500, 5)) * 3)
    for given in (frame, fresh):
        normalised = 2 ** (fitted.score(given) / unsuccessful_search_length(np.array(max_samples)))
        np.testing.assert_allclose(normalised, -theirs.score_samples(given.values), rtol=1e-9)


def test_rows_next_to_a_threshold_take_scikit_learns_path(
    rng: np.random.Generator, context: FitContext
) -> None:
    frame = Frame.of(rng.normal(size=(300, 1)) * 1e-3 + 1000)
    fitted = IsolationForest(trees=20).fit(frame, None, context)
    cuts = fitted.forest().threshold[fitted.forest().left >= 0]
    around = np.concatenate([cuts, np.nextafter(cuts, np.inf), np.nextafter(cuts, -np.inf)])
    given = Frame.of(around[:, None])
    np.testing.assert_array_equal(fitted.score(given), by_hand(fitted.forest(), given))


def by_hand(forest: Forest, frame: Frame) -> np.ndarray:
    """Route each row by the words of `Forest`."""
    scores = []
    for row in frame.values.astype(np.float32):
        total = 0.0
        for root in forest.roots:
            node = root
            while forest.left[node] >= 0:
                goes_left = float(row[forest.feature[node]]) <= forest.threshold[node]
                node = forest.left[node] if goes_left else forest.right[node]
            total += forest.value[node]
        scores.append(forest.offset + forest.scale * (total / len(forest.roots)))
    return np.array(scores)


def test_the_forest_is_the_score(rng: np.random.Generator, context: FitContext) -> None:
    frame = rows(rng)
    fitted = IsolationForest(trees=10).fit(frame, None, context)
    given = frame.take(slice(0, 100))
    np.testing.assert_array_equal(fitted.score(given), by_hand(fitted.forest(), given))


def test_covers_add_up(rng: np.random.Generator, context: FitContext) -> None:
    forest = IsolationForest(trees=5, max_samples=64).fit(rows(rng), None, context).forest()
    inner = forest.left >= 0
    children = forest.cover[forest.left[inner]] + forest.cover[forest.right[inner]]
    np.testing.assert_array_equal(forest.cover[inner], children)
    assert forest.cover[forest.roots].tolist() == [64.0] * 5


def test_search_lengths_of_the_paper() -> None:
    lengths = unsuccessful_search_length(np.array([1.0, 2.0, 3.0, 256.0]))
    # c(n) = 2 H(n-1) - 2 (n-1)/n, H from its asymptote ln(n-1) + 0.5772...
    np.testing.assert_allclose(lengths, [0.0, 1.0, 1.2073923, 10.2447712], rtol=1e-7)


def test_a_row_far_out_is_strangest(rng: np.random.Generator, context: FitContext) -> None:
    frame = rows(rng)
    fitted = IsolationForest().fit(frame, None, context)
    assert fitted.score(Frame.of([[9.0] * 5]))[0] > fitted.score(frame).max()


def test_huge_values_are_scored_without_a_warning(context: FitContext) -> None:
    huge = Frame.of([[1.7e308, -1.7e308], [1e39, 0.0], [0.0, -1e39], [1.0, 1.0]])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fitted = IsolationForest(trees=10).fit(huge, None, context)
        assert np.isfinite(fitted.score(huge)).all()


def test_equal_rows_score_equally(context: FitContext) -> None:
    fitted = IsolationForest(trees=10).fit(Frame.of(np.ones((50, 3))), None, context)
    assert len(set(fitted.score(Frame.of([[1.0] * 3, [5.0] * 3])))) == 1


def test_two_rows_are_the_least(context: FitContext) -> None:
    with pytest.raises(TooFewRowsError, match="at least 2 rows"):
        IsolationForest().fit(Frame.of([[1.0]]), None, context)


def test_the_state_gives_the_same_bits_back(rng: np.random.Generator, context: FitContext) -> None:
    frame = rows(rng)
    fitted = IsolationForest(trees=10).fit(frame, None, context)
    again = FittedForest.from_state(fitted.state())
    assert again.score(frame).tobytes() == fitted.score(frame).tobytes()


@pytest.mark.parametrize(
    ("array", "node", "value"),
    [
        ("left", 0, 0),  # a circle
        ("left", 0, 10**9),
        ("right", 0, 1),  # two parents
        ("roots", 0, -1),
        ("roots", 0, 1),
        ("feature", 0, 5),
        ("feature", 0, -1),
        ("value", -1, np.nan),
    ],
)
def test_a_damaged_forest_is_refused(
    rng: np.random.Generator, context: FitContext, array: str, node: int, value: float
) -> None:
    state = IsolationForest(trees=3).fit(rows(rng), None, context).state()
    damaged = state.arrays[array].copy()
    damaged[node] = value
    arrays = {**state.arrays, array: damaged}
    with pytest.raises(ArtifactCorruptError):
        FittedForest.from_state(State(1, state.parameters, arrays))


def test_a_circle_beside_the_trees_is_refused(context: FitContext) -> None:
    leaf = np.zeros(3)
    arrays: dict[str, np.ndarray] = {
        "roots": np.array([0]),
        "left": np.array([-1, 1, -1]),
        "right": np.array([-1, 2, -1]),
        "feature": np.array([0, 0, 0]),
    }
    arrays |= dict.fromkeys(("threshold", "value", "cover"), leaf)
    signals = IsolationForest(trees=1).fit(Frame.of([[1.0]] * 2), None, context).state().parameters
    with pytest.raises(ArtifactCorruptError, match="do not form trees"):
        FittedForest.from_state(State(1, signals, arrays))


def test_arrays_of_unequal_length_are_refused(
    rng: np.random.Generator, context: FitContext
) -> None:
    state = IsolationForest(trees=3).fit(rows(rng), None, context).state()
    for name in ("right", "threshold", "cover"):
        arrays = {**state.arrays, name: state.arrays[name][:-1]}
        with pytest.raises(ArtifactCorruptError, match=name):
            FittedForest.from_state(State(1, state.parameters, arrays))


def test_frames_of_either_width_are_scored_by_one_compiled_kernel(
    rng: np.random.Generator, context: FitContext
) -> None:
    frame = rows(rng)
    fitted = IsolationForest(trees=10).fit(frame, None, context)
    compiled: Any = forest.leaf_means
    wide = fitted.score(frame)
    before = len(compiled.signatures)
    narrow = fitted.score(Frame.of(frame.values.astype(np.float32)))
    assert len(compiled.signatures) == before
    np.testing.assert_array_equal(narrow, wide)
