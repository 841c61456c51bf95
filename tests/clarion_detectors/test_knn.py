from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from clarion.detectors import Neighbours
from clarion.errors import ArtifactCorruptError, TooFewRowsError
from clarion.features import FitContext
from clarion.frames import Frame
from clarion.kernels import neighbours
from clarion.registry import Registries
from clarion.state import State
from clarion_detectors.knn import Knn
from clarion_detectors.nearest_rows import FittedNeighbours


def sensors(rng: np.random.Generator, rows: int) -> Frame:
    """Three clusters, each signal in a unit of its own."""
    middles = rng.normal(size=(3, 6)) * 8
    points = middles[rng.integers(0, 3, rows)] + rng.normal(size=(rows, 6))
    return Frame.of(points * [1, 100, 1e-3, 7, 1, 1] + [0, 50, 3, 0, 0, -1])


@pytest.mark.parametrize("rows", [7, neighbours.BLOCK, 3 * neighbours.BLOCK + 19])
@pytest.mark.parametrize("k", [1, 5, 7])
def test_scores_are_those_of_all_distances(
    rng: np.random.Generator, context: FitContext, rows: int, k: int
) -> None:
    frame = sensors(rng, rows)
    fitted = Knn(neighbours=k).fit(frame, None, context)
    given = Frame.of(np.vstack([sensors(rng, 90).values, frame.values[:9]]))
    squares = cdist(fitted.coordinates(given), fitted.reference, "sqeuclidean")
    expected = np.sort(squares, axis=1)[:, :k].mean(axis=1)
    np.testing.assert_allclose(fitted.score(given), expected, rtol=1e-12, atol=1e-12)


def test_the_neighbours_make_the_score(rng: np.random.Generator, context: FitContext) -> None:
    frame = sensors(rng, 900)
    fitted = Knn().fit(frame, None, context)
    given = sensors(rng, 50)
    near = fitted.neighbours(given)
    assert near.shape == (50, 5, 6)
    squares = np.square(near - fitted.coordinates(given)[:, None]).sum(axis=2)
    assert (np.diff(squares, axis=1) >= 0).all()
    np.testing.assert_allclose(fitted.score(given), squares.mean(axis=1), rtol=1e-12)
    assert isinstance(fitted, Neighbours)


def test_ties_do_not_depend_on_batch_mates(rng: np.random.Generator, context: FitContext) -> None:
    # A grid: nearly every distance is tied.
    frame = Frame.of(rng.integers(0, 4, (1500, 3)).astype(float))
    fitted = Knn(neighbours=7).fit(frame, None, context)
    given = Frame.of(rng.integers(-1, 5, (101, 3)).astype(float))
    scores, near = fitted.score(given), fitted.neighbours(given)
    for i in range(0, 101, 7):
        alone = given.take(slice(i, i + 1))
        assert fitted.score(alone).tobytes() == scores[i : i + 1].tobytes()
        assert fitted.neighbours(alone).tobytes() == near[i].tobytes()


def test_reference_rows_are_the_fit_rows_each_once(
    rng: np.random.Generator, context: FitContext
) -> None:
    frame = sensors(rng, 1000)
    fitted = Knn().fit(frame, None, context)
    rows = np.sort(fitted.reference * fitted.scale + fitted.center, axis=0)
    np.testing.assert_allclose(rows, np.sort(frame.values, axis=0), rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(Knn(neighbours=1).fit(frame, None, context).score(frame), 0)


def test_reference_rows_are_bounded_and_drawn_by_the_seed(rng: np.random.Generator) -> None:
    frame = sensors(rng, 700)
    contexts = [FitContext(np.random.default_rng(seed), Registries()) for seed in (1, 1, 2)]
    first, again, other = (Knn(max_reference_rows=60).fit(frame, None, c) for c in contexts)
    assert first.reference.shape == (60, 6)
    assert first.reference.tobytes() == again.reference.tobytes() != other.reference.tobytes()


def test_runs_of_the_compact_order_are_compact(rng: np.random.Generator) -> None:
    points = rng.random((8 * neighbours.BLOCK, 2)) * [1, 8]
    order = neighbours.compact_order(points)
    assert sorted(order.tolist()) == list(range(len(points)))
    blocks = neighbours.blocks_of(points[order])
    sides = blocks.high - blocks.low
    assert sides.max() < 1.5
    assert np.prod(sides, axis=0).sum() < 8


def test_huge_and_constant_values_stay_finite(context: FitContext) -> None:
    fitted = Knn(neighbours=2).fit(Frame.of([[1.0, 5.0], [2.0, 5.0]]), None, context)
    given = Frame.of([[1.7e308, -1.7e308], [1.5, 5.0], [1.5, 5.05]])
    huge, near, off = fitted.score(given)
    assert np.isfinite(huge)
    assert huge > off > near


@pytest.mark.parametrize(
    ("plugin", "rows"), [(Knn(neighbours=9), 4), (Knn(neighbours=9, max_reference_rows=4), 30)]
)
def test_fewer_rows_than_neighbours_are_refused(
    context: FitContext, plugin: Knn, rows: int
) -> None:
    with pytest.raises(TooFewRowsError, match=r"9 neighbours needs at least 9 rows, .* 4$"):
        plugin.fit(Frame.of(np.arange(float(rows))[:, None]), None, context)


def test_the_state_gives_the_same_bits_back(rng: np.random.Generator, context: FitContext) -> None:
    frame = sensors(rng, 600)
    fitted = Knn().fit(frame, None, context)
    state = fitted.state()
    again = FittedNeighbours.from_state(state)
    assert again.score(frame).tobytes() == fitted.score(frame).tobytes()
    for k in (0, 601):
        with pytest.raises(ArtifactCorruptError, match="neighbours"):
            FittedNeighbours.from_state(
                State(1, {**state.parameters, "neighbour_count": k}, state.arrays)
            )
