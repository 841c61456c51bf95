import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from decimal import Decimal, localcontext

import numpy as np
import pytest

from clarion.arrays import FloatArray, Int64Array
from clarion.detectors import Forest
from clarion.errors import ArtifactCorruptError
from clarion.kernels import tree_terms
from clarion.kernels.tree_program import tree_program
from clarion.kernels.tree_shap import tree_shap
from clarion.testing.capabilities import leaf_values
from clarion.testing.games import path_worth, shapley_values

MakeForest = Callable[..., Forest]


def rows(n: int, d: int) -> FloatArray:
    return np.random.default_rng(1).normal(size=(n, d))


def scores(forest: Forest, points: FloatArray) -> FloatArray:
    return np.asarray(forest.offset + forest.scale * leaf_values(forest, points).mean(axis=1))


def additivity(forest: Forest, points: FloatArray) -> float:
    program = tree_program(forest, np.arange(points.shape[1]))
    sums = program.base_value + tree_shap(points, program).sum(axis=1)
    return float(np.abs(sums - scores(forest, points)).max())


@pytest.mark.parametrize("players", [(0, 1, 2, 3, 4, 5), (0, 1, 0, 2, 1, 0), (0,) * 6])
@pytest.mark.parametrize("depths", [(1,), (0,), (2, 0, 3), (5, 5, 5, 5), (12, 9)])
def test_equals_enumeration_however_deep_and_however_grouped(
    grown: MakeForest, depths: tuple[int, ...], players: tuple[int, ...]
) -> None:
    forest, points, player_of = grown(6, depths), rows(6, 6), np.array(players)
    program = tree_program(forest, player_of)
    found = tree_shap(points, program)
    for row, phi in zip(points, found, strict=True):
        worth = path_worth(forest, row, player_of)
        np.testing.assert_allclose(phi, shapley_values(worth), atol=1e-12)
        assert program.base_value == pytest.approx(worth[0], abs=1e-12)


@pytest.mark.parametrize("asked", [[j % 2 for j in range(60)], [j % 7 for j in range(40)]])
def test_a_feature_asked_again_and_again_stays_one_player(
    chained: MakeForest, asked: list[int]
) -> None:
    forest, points = chained(asked), rows(5, 7)
    found = tree_shap(points, tree_program(forest, np.arange(7)))
    for row, phi in zip(points, found, strict=True):
        np.testing.assert_allclose(phi, shapley_values(path_worth(forest, row)), atol=1e-12)


@pytest.mark.parametrize("d", [20, 45, 75])
def test_deep_trees_of_many_features_keep_their_accuracy(chained: MakeForest, d: int) -> None:
    """Against 150 digits; 75 features take more nodes than would be exact."""
    forest, points = chained(list(range(d)), list(range(d))[::-1]), rows(1, d)
    found = tree_shap(points, tree_program(forest, np.arange(d)))
    for row, phi in zip(points, found, strict=True):
        with localcontext(prec=150):
            expected = in_decimals(forest, row)
        assert np.abs(phi - expected).max() <= 1e-13 * max(1.0, np.abs(expected).sum())


def in_decimals(forest: Forest, row: FloatArray) -> FloatArray:
    """SHAP values of trees that ask each feature once: products of ``o`` or ``z``, leaf by leaf."""
    phi = [Decimal(0)] * len(row)
    for value, path in paths(forest, row):
        # Coefficients of prod (z + o y): by the number of players present.
        worth = [Decimal(1)]
        for takes, reach in path.values():
            worth = times(worth, takes, reach)
        for j, (takes, reach) in path.items():
            others = divided(worth, takes, reach)
            d = len(path)
            total = sum(c / (d * math.comb(d - 1, s)) for s, c in enumerate(others))
            phi[j] += value * (takes - reach) * total
    return np.array([float(v) for v in phi])


def times(polynomial: list[Decimal], takes: int, reach: Decimal) -> list[Decimal]:
    shifted = [takes * c for c in (Decimal(0), *polynomial)]
    return [reach * c + s for c, s in zip([*polynomial, Decimal(0)], shifted, strict=True)]


def divided(polynomial: list[Decimal], takes: int, reach: Decimal) -> list[Decimal]:
    quotient: list[Decimal] = []
    for c in polynomial[:-1]:
        quotient.append((c - (takes * quotient[-1] if quotient else 0)) / reach)
    return quotient


def paths(
    forest: Forest, row: FloatArray
) -> Iterator[tuple[Decimal, dict[int, tuple[int, Decimal]]]]:
    """Yield each leaf's share of the score, and for each feature above it (o, z)."""
    share = Decimal(forest.scale) / len(forest.roots)
    waiting = [(int(root), dict[int, tuple[int, Decimal]]()) for root in forest.roots]
    while waiting:
        node, path = waiting.pop()
        if forest.left[node] < 0:
            yield share * Decimal(float(forest.value[node])), path
            continue
        feature = int(forest.feature[node])
        goes_left = bool(np.float32(row[feature]) <= forest.threshold[node])
        for child, takes in ((forest.left[node], goes_left), (forest.right[node], not goes_left)):
            reach = Decimal(float(forest.cover[child])) / Decimal(float(forest.cover[node]))
            waiting.append((int(child), {**path, feature: (int(takes), reach)}))


@pytest.mark.parametrize("depth", [3, 14])
def test_a_row_gets_the_same_bits_in_any_batch(grown: MakeForest, depth: int) -> None:
    """Alone, in threes, in a block, across blocks, and in another order."""
    forest, points = grown(12, (depth,) * 9, cover=400.0), rows(300, 12)
    program = tree_program(forest, np.arange(12))
    together = tree_shap(points, program)
    for size in (1, 3, 4, 8, 9, 128, 131):
        parts = [tree_shap(points[i : i + size], program) for i in range(0, 300, size)]
        assert np.concatenate(parts).tobytes() == together.tobytes()
    turned = tree_shap(points[::-1], program)[::-1]
    assert np.ascontiguousarray(turned).tobytes() == together.tobytes()


def test_terms_too_many_to_keep_are_found_again(
    grown: MakeForest, monkeypatch: pytest.MonkeyPatch
) -> None:
    forest, points = grown(12, (9,) * 9, cover=400.0), rows(20, 12)
    kept = tree_program(forest, np.arange(12))
    monkeypatch.setattr(tree_terms, "_MOST_BYTES", kept.terms.nbytes - 1)
    found = tree_program(forest, np.arange(12))
    assert not found.terms.size
    assert tree_shap(points, found).tobytes() == tree_shap(points, kept).tobytes()
    assert tree_shap(points[:1], found).tobytes() == tree_shap(points[:1], kept).tobytes()


def test_what_no_split_asks_for_gets_nothing(grown: MakeForest) -> None:
    forest = grown(3, (6, 6))
    assert not tree_shap(rows(9, 5), tree_program(forest, np.arange(5)))[:, 3:].any()


def test_features_by_other_numbers_are_the_same_features(grown: MakeForest) -> None:
    forest, points = grown(5, (7,) * 4), rows(20, 5)
    number = np.array([3, 0, 4, 1, 2])
    renamed = replace(forest, feature=number[forest.feature])
    turned = np.empty_like(points)
    turned[:, number] = points
    expected = tree_shap(points, tree_program(forest, np.arange(5)))
    found = tree_shap(turned, tree_program(renamed, np.arange(5)))
    assert np.ascontiguousarray(found[:, number]).tobytes() == expected.tobytes()


def test_players_that_do_the_same_get_the_same() -> None:
    """1 where both are above 0, else 0; either feature first in one of two trees."""
    forest = Forest(
        roots=np.array([0, 5]),
        left=np.array([1, -1, 3, -1, -1, 6, -1, 8, -1, -1]),
        right=np.array([2, -1, 4, -1, -1, 7, -1, 9, -1, -1]),
        feature=np.array([0, 0, 1, 0, 0, 1, 0, 0, 0, 0]),
        threshold=np.zeros(10),
        value=np.array([0.0, 0.0, 0.0, 0.0, 1.0] * 2),
        cover=np.array([8.0, 4.0, 4.0, 2.0, 2.0] * 2),
        scale=1.0,
    )
    found = tree_shap(np.array([[1.0, 1.0], [-1.0, -1.0]]), tree_program(forest, np.arange(2)))
    np.testing.assert_allclose(found, [[0.375, 0.375], [-0.125, -0.125]], atol=1e-15)


def test_rows_are_routed_in_single_precision_and_beyond_it(grown: MakeForest) -> None:
    forest = grown(2, (6, 6))
    forest.threshold[:] = forest.threshold.astype(np.float32)
    above = np.nextafter(forest.threshold[forest.left >= 0], np.inf)  # float32 rounds it down
    assert additivity(forest, np.stack([above, above[::-1]], axis=1)) <= 1e-12
    huge = np.array([[1e300, -1e300], [-1e39, 1e39]])
    assert additivity(forest, huge) <= 1e-12
    program = tree_program(forest, np.arange(2))
    infinite = np.where(huge > 0, np.inf, -np.inf)
    assert tree_shap(huge, program).tobytes() == tree_shap(infinite, program).tobytes()


def test_branches_that_no_training_row_took_are_walked(grown: MakeForest) -> None:
    forest = grown(4, (5, 5), cover=400.0)
    root = int(forest.roots[0])
    unseen = range(int(forest.right[root]), int(forest.roots[1]))
    forest.cover[unseen] = 0.0
    forest.cover[forest.left[root]] = forest.cover[root]
    points = rows(40, 4)
    assert (points[:, forest.feature[root]] > forest.threshold[root]).any()
    assert additivity(forest, points) <= 1e-12


def test_no_rows_and_no_splits_give_no_contributions(grown: MakeForest) -> None:
    assert tree_shap(np.empty((0, 3)), tree_program(grown(3, (4,)), np.arange(3))).shape == (0, 3)
    leaf = grown(3, (0, 0))
    assert not tree_shap(rows(7, 3), tree_program(leaf, np.arange(3))).any()
    assert tree_program(leaf, np.arange(3)).base_value == pytest.approx(scores(leaf, rows(1, 3))[0])


def test_nodes_that_form_no_trees_are_refused(grown: MakeForest) -> None:
    forest, players = grown(3, (4,)), np.arange(3)
    circle: Int64Array = np.where(forest.left > 0, 0, forest.left)
    with pytest.raises(ArtifactCorruptError, match="do not form trees"):
        tree_program(replace(forest, left=circle), players)
    with pytest.raises(ArtifactCorruptError, match="beyond the 2"):
        tree_program(forest, players[:2])
