from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
import pytest

from clarion.arrays import FloatArray
from clarion.detectors import Forest
from clarion.errors import UnsupportedPairError
from clarion.explainers import Attribution, Label, Scorable
from clarion.frames import Frame
from clarion_explainers.tree_shap import TreeShap


@dataclass
class Grown:
    """Random trees, laid end to end; children share out their parent's cover."""

    rng: np.random.Generator
    d: int
    columns: dict[str, list[float]] = field(
        default_factory=lambda: {
            name: [] for name in ("left", "right", "feature", "threshold", "value", "cover")
        }
    )

    def grow(self, depth: int, cover: float) -> int:
        node = len(self.columns["left"])
        values: tuple[float, ...] = (-1, -1, 0, 0.0, self.rng.normal(), cover)
        for column, value in zip(self.columns.values(), values, strict=True):
            column.append(value)
        if depth and cover > 1:
            feature, threshold = int(self.rng.integers(self.d)), self.rng.normal()
            went_left = float(self.rng.integers(1, int(cover)))
            children = self.grow(depth - 1, went_left), self.grow(depth - 1, cover - went_left)
            for name, value in zip(
                self.columns, (*children, feature, threshold, 0.0), strict=False
            ):
                self.columns[name][node] = value
        return node


@dataclass(frozen=True)
class Trees:
    trees: Forest

    def forest(self) -> Forest:
        return self.trees

    def leaf_mean(self, row: FloatArray, present: Callable[[int], bool]) -> float:
        """The path-dependent game: both branches of an absent feature, by training cover."""
        t = self.trees

        with np.errstate(over="ignore"):
            single = row.astype(np.float32)

        def at(node: int) -> float:
            left, right, feature = int(t.left[node]), int(t.right[node]), int(t.feature[node])
            if left < 0:
                return float(t.value[node])
            if present(feature):
                goes_left = single[feature] <= t.threshold[node]
                return at(left if goes_left else right)
            share = t.cover[left] / t.cover[node]
            return float(share * at(left) + (1 - share) * at(right))

        mean = np.mean([at(int(root)) for root in t.roots])
        return float(t.offset + t.scale * mean)

    def score(self, frame: Frame) -> FloatArray:
        return np.array([self.leaf_mean(row, lambda _: True) for row in frame.numeric()])


def scorable(d: int, depths: tuple[int, ...] = (3, 0, 6), seed: int = 0) -> Scorable:
    rng = np.random.default_rng(seed)
    grown = Grown(rng, d)
    roots = [grown.grow(depth, 50.0) for depth in depths]
    integers = [np.array(grown.columns[name], np.int64) for name in ("left", "right", "feature")]
    numbers = [np.array(grown.columns[name]) for name in ("threshold", "value", "cover")]
    left, right, feature = integers
    threshold, value, cover = numbers
    forest = Forest(
        np.array(roots), left, right, feature, threshold, value, cover, scale=-2.5, offset=4.0
    )
    detector = Trees(forest)
    return Scorable(detector.score, Frame.of(rng.normal(size=(5, d))), detector)


def rows(n: int, d: int) -> Frame:
    return Frame.of(np.random.default_rng(1).normal(size=(n, d)))


def explain(case: Scorable, frame: Frame) -> Attribution:
    return TreeShap().explain(case, frame, evaluations=0, seeds=np.zeros(len(frame), np.uint64))


@pytest.mark.parametrize(
    ("d", "depths"), [(1, (1,)), (1, (0,)), (2, (5,)), (4, (3, 0, 6)), (8, (8, 8, 8))]
)
def test_equals_enumeration_of_the_path_dependent_game(
    d: int,
    depths: tuple[int, ...],
    shapley_values: Callable[[Callable[[tuple[int, ...]], float], int], FloatArray],
) -> None:
    case, frame = scorable(d, depths), rows(3, d)
    detector = case.capability
    assert isinstance(detector, Trees)
    answer = explain(case, frame)
    for row, phi, base in zip(
        frame.numeric(), answer.contributions, answer.base_value, strict=True
    ):

        def game(coalition: tuple[int, ...], row: FloatArray = row) -> float:
            return detector.leaf_mean(row, lambda feature: feature in coalition)

        np.testing.assert_allclose(phi, shapley_values(game, d), atol=1e-12)
        assert base == pytest.approx(game(()), abs=1e-12)
    assert answer.label is Label.EXACT
    assert answer.additivity_error.max() <= 1e-12


def test_and_of_two_features_by_hand() -> None:
    """One tree: x0 > 0 and then x1 > 0, half of the rows each; 4 where both hold, else 0."""
    forest = Forest(
        roots=np.array([0]),
        left=np.array([1, -1, 3, -1, -1]),
        right=np.array([2, -1, 4, -1, -1]),
        feature=np.array([0, 0, 1, 0, 0]),
        threshold=np.zeros(5),
        value=np.array([0.0, 0.0, 0.0, 0.0, 4.0]),
        cover=np.array([8.0, 4.0, 4.0, 2.0, 2.0]),
        scale=1.0,
    )
    detector = Trees(forest)
    case = Scorable(detector.score, Frame.of([[0.0, 0.0]]), detector)
    answer = explain(case, Frame.of([[1.0, 1.0], [-1.0, 1.0]]))
    # Worths of none, x0, x1, both: 1, 2, 2, 4 for the first row, and 1, 0, 2, 0 for the second.
    np.testing.assert_allclose(answer.contributions, [[1.5, 1.5], [-1.5, 0.5]], atol=1e-14)
    assert answer.base_value.tolist() == [1.0, 1.0]


def test_rows_are_routed_in_single_precision_as_the_forest_does() -> None:
    """The smallest doubles above a float32 threshold round down to it, and so go left."""
    case = scorable(2, (4, 4))
    assert isinstance(case.capability, Trees)
    trees = case.capability.trees
    trees.threshold[:] = trees.threshold.astype(np.float32)
    above = np.nextafter(trees.threshold[trees.left >= 0], np.inf)
    frame = Frame.of(np.stack([above, above[::-1]], axis=1))
    assert explain(case, frame).additivity_error.max() <= 1e-12


def test_values_beyond_single_precision_are_explained() -> None:
    frame = Frame.of([[1e300, -1e300, 0.0], [-1e300, 1e39, 1.0]])
    assert explain(scorable(3), frame).additivity_error.max() <= 1e-12


def test_a_feature_that_no_split_asks_for_gets_nothing() -> None:
    case = scorable(4)
    assert isinstance(case.capability, Trees)
    case.capability.trees.feature[:] %= 3
    assert not explain(case, rows(6, 4)).contributions[:, 3].any()


def test_a_row_gets_the_same_bits_alone_in_a_batch_and_from_another_thread() -> None:
    case, frame = scorable(5, (6,) * 10), rows(50, 5)
    together = explain(case, frame)
    ones = [frame.take(np.array([i])) for i in range(50)]
    with ThreadPoolExecutor(4) as pool:
        alone = list(pool.map(lambda row: explain(case, row), ones))
    for i in range(50):
        assert alone[i].contributions.tobytes() == together.contributions[i].tobytes()
        assert alone[i].base_value[0] == together.base_value[i]


def test_signals_in_another_order_are_the_same_signals() -> None:
    case, frame = scorable(3), rows(4, 3)
    turned = Frame.of(frame.numeric()[:, ::-1], frame.names[::-1])
    expected = explain(case, frame).contributions
    # The test's own detector scores by position, so only the contributions can be compared.
    assert explain(case, turned).contributions.tobytes() == expected.tobytes()


def test_a_forest_that_cannot_be_written_to_is_explained() -> None:
    case = scorable(3)
    assert isinstance(case.capability, Trees)
    trees = case.capability.trees
    for name in ("roots", "left", "right", "feature", "threshold", "value", "cover"):
        getattr(trees, name).flags.writeable = False
    assert explain(case, rows(2, 3)).additivity_error.max() <= 1e-12


def test_detectors_without_trees_are_refused() -> None:
    case = scorable(2)
    alone = Scorable(case.score, case.background)
    assert TreeShap().supports(alone) is None
    with pytest.raises(UnsupportedPairError, match="TreeEnsemble"):
        explain(alone, rows(1, 2))
