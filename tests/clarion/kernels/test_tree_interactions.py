import itertools
import math
from collections.abc import Callable

import numpy as np
import pytest

from clarion.arrays import FloatArray
from clarion.detectors import Forest
from clarion.kernels.tree_interactions import tree_interactions
from clarion.kernels.tree_program import tree_program
from clarion.testing.games import path_worth

MakeForest = Callable[..., Forest]


def rows(n: int, d: int) -> FloatArray:
    return np.random.default_rng(1).normal(size=(n, d))


def by_enumeration(worth: FloatArray) -> FloatArray:
    """Grabisch & Roubens (1999), definition 3, of pairs; sets are numbered by their bits."""
    k = len(worth).bit_length() - 1
    index = np.zeros((k, k))
    for i, j in itertools.permutations(range(k), 2):
        one, other = 2**i, 2**j
        for s in range(len(worth)):
            if not s & (one | other):
                size = s.bit_count()
                weight = math.factorial(size) * math.factorial(k - size - 2) / math.factorial(k - 1)
                joint = worth[s | one | other] - worth[s | one] - worth[s | other] + worth[s]
                index[i, j] += weight * joint
    return index


@pytest.mark.parametrize("players", [(0, 1, 2, 3, 4, 5), (0, 1, 0, 2, 1, 0), (0,) * 6])
@pytest.mark.parametrize("depths", [(1,), (0,), (2, 0, 3), (5, 5, 5), (12, 9)])
def test_equals_enumeration_however_deep_and_however_grouped(
    grown: MakeForest, depths: tuple[int, ...], players: tuple[int, ...]
) -> None:
    forest, points, player_of = grown(6, depths), rows(4, 6), np.array(players)
    found = tree_interactions(points, tree_program(forest, player_of))
    for row, index in zip(points, found, strict=True):
        expected = by_enumeration(path_worth(forest, row, player_of))
        np.testing.assert_allclose(index, expected, atol=1e-12)


def test_more_players_than_one_group_of_nodes_takes(chained: MakeForest) -> None:
    """A chain of ten features is of degree 8: five nodes."""
    forest, points = chained(list(range(10)), list(range(10))[::-1]), rows(2, 10)
    found = tree_interactions(points, tree_program(forest, np.arange(10)))
    for row, index in zip(points, found, strict=True):
        np.testing.assert_allclose(index, by_enumeration(path_worth(forest, row)), atol=1e-12)


def test_stumps_have_no_interactions_and_pairs_are_symmetric(grown: MakeForest) -> None:
    stumps, trees = grown(5, (1,) * 6), grown(5, (6,) * 6)
    assert not tree_interactions(rows(8, 5), tree_program(stumps, np.arange(5))).any()
    found = tree_interactions(rows(8, 5), tree_program(trees, np.arange(5)))
    assert (found == found.transpose(0, 2, 1)).all()
    assert not np.einsum("nii->ni", found).any()


def test_a_row_gets_the_same_bits_in_any_batch(grown: MakeForest) -> None:
    points, program = rows(20, 6), tree_program(grown(6, (7,) * 5), np.arange(6))
    together = tree_interactions(points, program)
    for i in range(20):
        assert tree_interactions(points[i : i + 1], program).tobytes() == together[i].tobytes()
