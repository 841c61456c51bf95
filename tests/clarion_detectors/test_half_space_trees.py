from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from river import anomaly
from sklearn.metrics import roc_auc_score

from clarion.arrays import FloatArray
from clarion.errors import ArtifactCorruptError, LimitExceededError, TooFewRowsError
from clarion.features import FitContext
from clarion.frames import Frame
from clarion.state import State
from clarion_detectors.half_space_trees import FittedHalfSpaceTrees, HalfSpaceTrees

HEIGHT, WINDOW, NAMES = 4, 50, ["a", "b", "c"]


def streamed(fitted: FittedHalfSpaceTrees, values: FloatArray) -> FloatArray:
    frame = Frame.of(values, [signal.name for signal in fitted.inputs])
    return fitted.score(fitted.unroll(fitted.start(), frame)[0].frame)


def of_river(trees: list[Any]) -> FittedHalfSpaceTrees:
    """Return River's trees, whose nodes have learned nothing yet, as arrays."""
    inner = 2**HEIGHT - 1
    features, cuts = np.zeros((len(trees), inner), np.int64), np.zeros((len(trees), inner))
    for t, root in enumerate(trees):
        nodes = {0: root}
        for i in range(inner):
            features[t, i], cuts[t, i] = NAMES.index(nodes[i].feature), nodes[i].threshold
            nodes[2 * i + 1], nodes[2 * i + 2] = nodes[i].children
    signals = Frame.of(np.zeros((1, 3)), NAMES).signals
    none = np.zeros((len(trees), 2 * inner + 1))
    return FittedHalfSpaceTrees(signals, np.zeros(3), np.ones(3), WINDOW, features, cuts, none)


def test_it_scores_and_learns_as_river(rng: np.random.Generator) -> None:
    values = np.clip(rng.normal(0.5, 0.15, (4 * WINDOW + 20, 3)), 0, 1)
    values[3 * WINDOW :] += 0.2  # drifts
    peer: Any = anomaly.HalfSpaceTrees(n_trees=6, height=HEIGHT, window_size=WINDOW, seed=3)
    rows = [dict(zip(NAMES, row, strict=True)) for row in values.tolist()]
    theirs = []
    for row in rows:
        theirs.append(peer.score_one(row))
        peer.learn_one(row)
    scores = streamed(of_river(peer.trees), values)
    # Theirs is 1 - mass / (2^(h + 1) - 1), ours the mass missing of h + 1.
    rescaled = 1 - (1 - scores) * (HEIGHT + 1) / (2 ** (HEIGHT + 1) - 1)
    np.testing.assert_allclose(rescaled[WINDOW:], theirs[WINDOW:], atol=1e-12)
    assert np.ptp(theirs[WINDOW:]) > 0.1


def test_each_signals_term_is_what_its_cuts_take_away(
    rng: np.random.Generator, context: FitContext
) -> None:
    frame = Frame.of(rng.normal(size=(400, 3)), NAMES)
    fitted = HalfSpaceTrees().fit(frame, None, context)
    row = np.zeros((1, 3))
    row[0, 1] = 6.0
    terms = fitted.terms(fitted.unroll(fitted.start(), Frame.of(row, NAMES))[0].frame)[0]
    assert np.argmax(terms) == 1
    assert terms[1] > 0.3
    assert terms.sum() <= 1.0


def test_trees_cut_within_the_range_and_beyond_it_by_half(rng: np.random.Generator) -> None:
    features, cuts = HalfSpaceTrees(trees=300, height=3)._cuts(2, rng)
    assert features.shape == cuts.shape == (300, 7)
    assert -0.5 < cuts.min() < -0.1
    assert 1.1 < cuts.max() < 1.5
    for tree in range(300):  # a cut lies within what the cuts above it left
        for node in range(1, 7):
            above = (node - 1) // 2
            if features[tree, above] == features[tree, node]:
                assert (cuts[tree, node] < cuts[tree, above]) == (node == 2 * above + 1)
    assert 0.4 < (features == 0).mean() < 0.6


def test_anomalies_stand_out_and_stay_strange_however_long_they_last(
    rng: np.random.Generator, context: FitContext
) -> None:
    fitted = HalfSpaceTrees(window=100).fit(Frame.of(rng.normal(size=(600, 4))), None, context)
    moved = rng.normal(size=(400, 4)) + 5.0
    scores = streamed(fitted, np.vstack([rng.normal(size=(200, 4)), moved]))
    assert roc_auc_score(np.repeat([0, 1], [200, 400]), scores) > 0.95
    assert np.median(scores[500:]) == pytest.approx(np.median(scores[200:300]), rel=0.1)


def test_it_follows_its_stream_within_what_was_fitted_and_no_farther(
    rng: np.random.Generator, context: FitContext
) -> None:
    """The memory is the checkpoint; the fitted masses stay beside it as the frozen reference."""
    fitted = HalfSpaceTrees(window=100).fit(Frame.of(rng.normal(size=(900, 2))), None, context)
    left, right = rng.normal(size=(2, 800, 2)) * [[[0.4, 1.0]]] + [[[-0.6, 0.0]], [[0.6, 0.0]]]
    _, memory = fitted.unroll(fitted.start(), Frame.of(left))
    learned = fitted.score(fitted.unroll(memory, Frame.of(right[:50]))[0].frame)
    assert np.median(learned) > np.median(streamed(fitted, right[:50])) + 0.05
    walk = rng.normal(size=(4_000, 2)) * 0.3
    walk[:, 0] += np.linspace(0, 9, 4_000)
    _, walked = fitted.unroll(fitted.start(), Frame.of(walk))
    far = Frame.of(rng.normal(size=(500, 2)) * 0.3 + [9.0, 0.0])
    _, after = fitted.unroll(walked, far)
    for name in ("masses", "counts"):
        assert after.arrays[name].tobytes() == walked.arrays[name].tobytes()


def test_assets_learn_apart(rng: np.random.Generator, context: FitContext) -> None:
    fitted = HalfSpaceTrees(window=20).fit(Frame.of(rng.normal(size=(100, 2))), None, context)
    before = fitted.start()
    frame = Frame.of(np.vstack([0.3 * rng.normal(size=(50, 2)), np.full((5, 2), 9.0)]))
    _, after = fitted.unroll(before, frame)
    assert 0 < after.arrays["counts"][0, 0] <= 10
    assert after.arrays["masses"][0, 0] == 1.0
    assert fitted.start().arrays["masses"].tobytes() == before.arrays["masses"].tobytes()
    assert not before.arrays["counts"].any()


def test_what_cannot_be_fitted_is_said(context: FitContext) -> None:
    with pytest.raises(TooFewRowsError, match="at least 2 rows"):
        HalfSpaceTrees().fit(Frame.of([[1.0]]), None, context)
    with pytest.raises(LimitExceededError, match=r"growing 1000 trees needs about .* GiB"):
        HalfSpaceTrees(trees=1000, height=16).fit(Frame.of(np.ones((3, 2000))), None, context)


def test_huge_rows_fall_into_the_outermost_nodes(
    rng: np.random.Generator, context: FitContext
) -> None:
    fitted = HalfSpaceTrees().fit(Frame.of(rng.normal(size=(300, 2))), None, context)
    scores = streamed(fitted, np.array([[1.7e308, -1.7e308], [1e9, -1e9]]))
    assert scores[0] == scores[1]
    assert scores[0] > np.quantile(streamed(fitted, rng.normal(size=(300, 2))), 0.95)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("features", lambda a: a + 3),
        ("features", lambda a: a - 1),
        ("features", lambda a: a[:, :-1]),
        ("cuts", lambda a: a[:, :-1]),
        ("cuts", lambda a: a[:0]),
        ("masses", lambda a: a[:, :-1]),
    ],
)
def test_damaged_trees_are_refused(
    rng: np.random.Generator, context: FitContext, name: str, change: Any
) -> None:
    state = HalfSpaceTrees(trees=3, height=2).fit(Frame.of(rng.normal(size=(9, 3))), None, context)
    arrays = {**state.state().arrays, name: change(state.state().arrays[name])}
    with pytest.raises(ArtifactCorruptError):
        FittedHalfSpaceTrees.from_state(State(2, state.state().parameters, arrays))


def test_a_damaged_memory_is_refused(rng: np.random.Generator, context: FitContext) -> None:
    frame = Frame.of(rng.normal(size=(9, 3)))
    fitted = HalfSpaceTrees(trees=3, height=2, window=5).fit(frame, None, context)
    memory = fitted.start()
    for name, array in (("counts", memory.arrays["counts"] + 5), ("masses", np.zeros((3, 6)))):
        with pytest.raises(ArtifactCorruptError):
            fitted.unroll(State(1, {}, {**memory.arrays, name: array}), frame)
