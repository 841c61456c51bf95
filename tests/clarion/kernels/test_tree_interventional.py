from collections.abc import Callable

import numpy as np
import pytest

from clarion.arrays import FloatArray, Int64Array
from clarion.detectors import Forest
from clarion.frames import Frame
from clarion.kernels.tree_interventional import tree_interventional
from clarion.kernels.tree_program import tree_program
from clarion.testing.capabilities import leaf_values
from clarion.testing.games import marginal_worth, shapley_values

MakeForest = Callable[..., Forest]


def rows(n: int, d: int, seed: int = 1) -> FloatArray:
    return np.random.default_rng(seed).normal(size=(n, d))


def scores(forest: Forest, points: FloatArray) -> FloatArray:
    return np.asarray(forest.offset + forest.scale * leaf_values(forest, points).mean(axis=1))


def by_enumeration(
    forest: Forest, row: FloatArray, background: FloatArray, player_of: Int64Array
) -> FloatArray:
    worth = marginal_worth(
        lambda frame: scores(forest, frame.numeric()),
        Frame.of(background),
        Frame.of(row[None]),
        player_of,
    )
    return shapley_values(worth)


@pytest.mark.parametrize("players", [(0, 1, 2, 3, 4), (1, 0, 2, 0, 1), (0,) * 5])
@pytest.mark.parametrize(
    ("depths", "background"), [((1,), 3), ((0,), 2), ((2, 0, 4), 1), ((9, 9, 9), 11)]
)
def test_equals_enumeration_however_deep_and_however_grouped(
    grown: MakeForest, depths: tuple[int, ...], background: int, players: tuple[int, ...]
) -> None:
    forest, points, absent = grown(5, depths), rows(5, 5), rows(background, 5, seed=2)
    player_of = np.array(players)
    found = tree_interventional(points, absent, tree_program(forest, player_of))
    for row, phi in zip(points, found, strict=True):
        expected = by_enumeration(forest, row, absent, player_of)
        np.testing.assert_allclose(phi, expected, atol=1e-12)


def test_a_background_of_more_rows_than_lanes_counts_them_all(grown: MakeForest) -> None:
    forest, points, absent = grown(3, (5,) * 4), rows(2, 3), rows(1100, 3, seed=2)
    found = tree_interventional(points, absent, tree_program(forest, np.arange(3)))
    for row, phi in zip(points, found, strict=True):
        expected = by_enumeration(forest, row, absent, np.arange(3))
        np.testing.assert_allclose(phi, expected, atol=1e-12)


@pytest.mark.parametrize("d", [30, 120])
def test_deep_trees_of_many_features_add_up(chained: MakeForest, d: int) -> None:
    """Rows that differ from the background everywhere: every leaf has many players of both kinds."""
    forest = chained(list(range(d)), list(range(d))[::-1])
    points, absent = rows(20, d), rows(9, d, seed=2)
    found = tree_interventional(points, absent, tree_program(forest, np.arange(d)))
    expected = scores(forest, points) - scores(forest, absent).mean()
    np.testing.assert_allclose(found.sum(axis=1), expected, atol=1e-12)


def test_a_long_and_of_many_features_shares_out_evenly() -> None:
    """1 where all 100 features are above 0: each gets a hundredth, or all that one alone misses."""
    d = 100
    inner, leaf = np.arange(0, 2 * d, 2), np.arange(1, 2 * d, 2)
    left, right, feature = (np.full(2 * d + 1, fill) for fill in (-1, -1, 0))
    left[inner], right[inner], feature[inner] = leaf, inner + 2, np.arange(d)
    value = np.zeros(2 * d + 1)
    value[-1] = 1.0
    flat = np.ones(2 * d + 1)
    forest = Forest(np.array([0]), left, right, feature, 0 * flat, value, flat, scale=1.0)
    program = tree_program(forest, np.arange(d))
    above, one_below = np.ones((1, d)), np.ones((1, d))
    one_below[0, 7] = -1.0
    np.testing.assert_allclose(tree_interventional(above, -above, program), 0.01, atol=1e-15)
    alone = tree_interventional(above, one_below, program)
    np.testing.assert_allclose(alone, np.eye(d)[[7]], atol=1e-15)
    assert not tree_interventional(one_below, -above, program).any()


def test_a_row_gets_the_same_bits_in_any_batch(grown: MakeForest) -> None:
    forest, points, absent = grown(6, (7,) * 5), rows(20, 6), rows(21, 6, seed=2)
    program = tree_program(forest, np.arange(6))
    together = tree_interventional(points, absent, program)
    for i in range(20):
        alone = tree_interventional(points[i : i + 1], absent, program)
        assert alone.tobytes() == together[i].tobytes()


def test_what_no_split_asks_for_gets_nothing(grown: MakeForest) -> None:
    found = tree_interventional(
        rows(9, 5), rows(4, 5, seed=2), tree_program(grown(3, (6, 6)), np.arange(5))
    )
    assert found[:, :3].any()
    assert not found[:, 3:].any()


def test_rows_are_routed_in_single_precision_and_beyond_it(grown: MakeForest) -> None:
    forest, absent = grown(2, (6, 6)), np.array([[1e39, -1e300], [0.0, 0.0]])
    forest.threshold[:] = forest.threshold.astype(np.float32)
    above = np.nextafter(forest.threshold[forest.left >= 0], np.inf)  # float32 rounds it down
    points = np.concatenate([np.stack([above, above[::-1]], axis=1), [[-1e300, 1e300]]])
    found = tree_interventional(points, absent, tree_program(forest, np.arange(2)))
    expected = scores(forest, points) - scores(forest, absent).mean()
    np.testing.assert_allclose(found.sum(axis=1), expected, atol=1e-12)
