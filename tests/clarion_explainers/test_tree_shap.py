import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
import pytest

from clarion.arrays import FloatArray
from clarion.detectors import Forest
from clarion.errors import MissingExtraError, UnsupportedPairError
from clarion.explainers import Attribution, Explainer, Interactions, Label, Role, Scorable
from clarion.explaining import ladder
from clarion.frames import Frame
from clarion.plugins import load_plugins
from clarion.testing.games import shapley_values as by_enumeration
from clarion.testing.games import worth
from clarion_explainers.shap_tree import ShapTree
from clarion_explainers.tree_shap import TreeShap
from clarion_explainers.tree_shap_interventional import TreeShapInterventional


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


def explain(case: Scorable, frame: Frame, explainer: Explainer | None = None) -> Attribution:
    seeds = np.zeros(len(frame), np.uint64)
    return (explainer or TreeShap()).explain(case, frame, evaluations=0, seeds=seeds)


def grouped(case: Scorable, players: tuple[int, ...]) -> Scorable:
    return Scorable(case.score, case.background, case.capability, np.array(players))


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


@pytest.mark.parametrize("explainer", [TreeShap(), TreeShapInterventional()])
@pytest.mark.parametrize("players", [(0, 1, 2, 3, 4), (1, 0, 2, 1, 0)])
def test_players_come_and_go_as_one_in_either_game(
    explainer: Explainer, players: tuple[int, ...]
) -> None:
    case, frame = grouped(scorable(5, (6, 3, 6)), players), rows(4, 5)
    answer = explain(case, frame, explainer)
    assert answer.label is Label.EXACT
    assert answer.contributions.shape == (4, case.n_players)
    for i in range(4):
        game = worth(case, answer.value_function, frame.take(slice(i, i + 1)))
        np.testing.assert_allclose(answer.contributions[i], by_enumeration(game), atol=1e-12)
        assert answer.base_value[i] == pytest.approx(game[0], abs=1e-12)


def test_the_two_games_differ_in_what_absent_means() -> None:
    """Half of the training rows were above 0, and no background row is."""
    forest = Forest(
        roots=np.array([0]),
        left=np.array([1, -1, -1]),
        right=np.array([2, -1, -1]),
        feature=np.zeros(3, np.int64),
        threshold=np.zeros(3),
        value=np.array([0.0, 0.0, 1.0]),
        cover=np.array([4.0, 2.0, 2.0]),
        scale=1.0,
    )
    detector = Trees(forest)
    case = Scorable(detector.score, Frame.of([[-1.0, -1.0]] * 3), detector)
    row = Frame.of([[1.0, 1.0]])
    path, background = explain(case, row), explain(case, row, TreeShapInterventional())
    assert (path.base_value[0], path.contributions.tolist()) == (0.5, [[0.5, 0.0]])
    assert (background.base_value[0], background.contributions.tolist()) == (0.0, [[1.0, 0.0]])


def test_interactions_are_those_of_the_same_game() -> None:
    """Pairs of a player sum to what it adds last less what it adds first, if pairs are all there is."""
    case, frame = scorable(4, (2, 2, 2)), rows(5, 4)
    explainer = TreeShap()
    assert isinstance(explainer, Interactions)
    pairs = explainer.interactions(case, frame)
    for i in range(5):
        game = worth(case, "path", frame.take(slice(i, i + 1)))
        last = np.array([game[-1] - game[-1 - 2**j] for j in range(4)])
        first = np.array([game[2**j] - game[0] for j in range(4)])
        np.testing.assert_allclose(pairs[i].sum(axis=1), last - first, atol=1e-12)
    with pytest.raises(UnsupportedPairError, match="'tree_shap'"):
        explainer.interactions(Scorable(case.score, case.background), frame)


@pytest.mark.parametrize("depths", [(3, 0, 6), (9,) * 20])
def test_the_library_says_the_same(depths: tuple[int, ...]) -> None:
    pytest.importorskip("shap")
    case, frame = scorable(7, depths), rows(40, 7)
    own, library = explain(case, frame), explain(case, frame, ShapTree())
    np.testing.assert_allclose(own.contributions, library.contributions, atol=1e-12)
    np.testing.assert_array_equal(own.base_value, library.base_value)
    assert (own.label, own.value_function) == (library.label, library.value_function)


def test_the_library_is_asked_by_name_only_and_knows_no_groups() -> None:
    case = scorable(3)
    able = [rung.name for rung in ladder.rungs(case, load_plugins(), Role.DECOMPOSITION)]
    assert able[0] == "tree_shap"
    assert {"shap_tree", "tree_shap_interventional"} <= set(able)
    by_name = ladder.named(case, load_plugins(), "shap_tree", Role.DECOMPOSITION)
    assert explain(case, rows(2, 3), by_name.explainer).method == "shap_tree"
    apart = grouped(case, (0, 0, 1))
    assert ShapTree().supports(apart) is None
    with pytest.raises(UnsupportedPairError):
        explain(apart, rows(1, 3), ShapTree())


def test_without_the_library_only_its_own_explainer_is_missing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "shap", None)
    case = scorable(3)
    able = [rung.name for rung in ladder.rungs(case, load_plugins(), Role.DECOMPOSITION)]
    assert able[0] == "tree_shap"
    assert "shap_tree" not in able
    assert explain(case, rows(2, 3)).additivity_error.max() <= 1e-12
    with pytest.raises(MissingExtraError, match=r"pip install 'clarion\[explain\]'"):
        ladder.named(case, load_plugins(), "shap_tree", Role.DECOMPOSITION)
    with pytest.raises(MissingExtraError, match=r"pip install 'clarion\[explain\]'"):
        explain(case, rows(2, 3), ShapTree())
    assert ShapTree().supports(Scorable(case.score, case.background)) is None
