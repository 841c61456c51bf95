from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest

from clarion.arrays import FloatArray
from clarion.errors import UnsupportedPairError
from clarion.explainers import Attribution, Label, Scorable
from clarion.frames import Frame
from clarion_explainers.neighbours import NeighbourTerms


@dataclass(frozen=True)
class Nearest:
    reference: FloatArray
    k: int

    def coordinates(self, frame: Frame) -> FloatArray:
        return frame.numeric() / 2

    def neighbours(self, frame: Frame) -> FloatArray:
        distance = ((self.coordinates(frame)[:, None] - self.reference) ** 2).sum(axis=2)
        return self.reference[np.argsort(distance, axis=1)[:, : self.k]]

    def score(self, frame: Frame) -> FloatArray:
        gaps = self.coordinates(frame)[:, None] - self.neighbours(frame)
        scores: FloatArray = (gaps**2).sum(axis=2).mean(axis=1)
        return scores


def scorable(d: int = 4, m: int = 6, k: int = 3) -> Scorable:
    rng = np.random.default_rng(0)
    detector = Nearest(rng.normal(size=(20, d)), k)
    return Scorable(detector.score, Frame.of(rng.normal(size=(m, d))), detector)


def rows(n: int, d: int = 4) -> Frame:
    return Frame.of(4 * np.random.default_rng(1).normal(size=(n, d)))


def explain(case: Scorable, frame: Frame) -> Attribution:
    seeds = np.zeros(len(frame), np.uint64)
    return NeighbourTerms().explain(case, frame, evaluations=0, seeds=seeds)


@pytest.mark.parametrize(("d", "m", "k"), [(1, 1, 1), (4, 1, 3), (4, 6, 1), (6, 5, 4)])
def test_equals_enumeration_of_the_game_whose_neighbours_are_frozen(
    d: int,
    m: int,
    k: int,
    shapley_values: Callable[[Callable[[tuple[int, ...]], float], int], FloatArray],
) -> None:
    case, frame = scorable(d, m, k), rows(1, d)
    detector = case.capability
    assert isinstance(detector, Nearest)
    row, absent = detector.coordinates(frame)[0], detector.coordinates(case.background)
    near = detector.neighbours(frame)[0]

    def frozen(coalition: tuple[int, ...]) -> float:
        mixed = absent.copy()
        mixed[:, coalition] = row[list(coalition)]
        return float(((mixed[:, None] - near) ** 2).sum(axis=2).mean())

    answer = explain(case, frame)
    np.testing.assert_allclose(answer.contributions[0], shapley_values(frozen, d), atol=1e-12)
    assert answer.base_value[0] == pytest.approx(frozen(()))
    assert answer.label is Label.ADDITIVE
    assert answer.additivity_error.max() <= 1e-13


def test_a_row_on_its_neighbour_is_pulled_below_the_base_by_every_feature() -> None:
    case = scorable(k=1)
    assert isinstance(case.capability, Nearest)
    answer = explain(case, Frame.of(2 * case.capability.reference[:2]))
    assert (answer.contributions < 0).all()
    np.testing.assert_allclose(answer.contributions.sum(axis=1), -answer.base_value)


def test_a_row_gets_the_same_bits_alone_and_in_a_batch() -> None:
    frame = rows(30)
    together = explain(scorable(), frame)
    for i in (0, 29):
        alone = explain(scorable(), frame.take(np.array([i])))
        assert alone.contributions.tobytes() == together.contributions[i].tobytes()
        assert alone.base_value[0] == together.base_value[i]


def test_huge_distances_stay_additive() -> None:
    answer = explain(scorable(), Frame.of([[1e9, -1e9, 0.0, 1.0], [1e150, 0.0, 0.0, 0.0]]))
    assert answer.additivity_error.max() <= 1e-12


def test_detectors_without_neighbours_are_refused() -> None:
    case = scorable()
    alone = Scorable(case.score, case.background)
    assert NeighbourTerms().supports(alone) is None
    with pytest.raises(UnsupportedPairError, match="Neighbours"):
        explain(alone, rows(1))
