from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.special import expit
from sklearn.metrics import roc_auc_score

from clarion.arrays import FloatArray
from clarion.errors import ArtifactCorruptError, OperationCancelledError, TooFewRowsError
from clarion.features import FitContext
from clarion.frames import Frame
from clarion.kernels.sigmoid_autoencoder import copy_errors, copy_pass
from clarion.state import State
from clarion_detectors.kitnet import FittedKitnet, Kitnet, correlated_groups


def grouped(rng: np.random.Generator, rows: int) -> FloatArray:
    """Nine signals in three groups, each moved by a cause of its own; columns 0, 3, 6 are one."""
    causes = np.tile(rng.uniform(size=(rows, 3)), 3)
    return causes + 0.03 * rng.normal(size=(rows, 9))


def test_training_is_gradient_descent_on_the_cross_entropy(rng: np.random.Generator) -> None:
    row, weights = rng.uniform(size=(1, 4)), rng.normal(size=(4, 3))
    inner, outer = rng.normal(size=3), rng.normal(size=4)

    def loss(weights: FloatArray, inner: FloatArray, outer: FloatArray) -> float:
        copy = expit(expit(row[0] @ weights + inner) @ weights.T + outer)
        return float(-np.sum(row[0] * np.log(copy) + (1 - row[0]) * np.log(1 - copy)))

    parts, step = [weights, inner, outer], 1e-6
    after = [part.copy() for part in parts]
    copy_pass(row, after[0], after[1], after[2], 0.5)
    for i, part in enumerate(parts):
        for at in np.ndindex(part.shape):
            moved = [[part.copy() for part in parts] for _ in range(2)]
            moved[0][i][at] += step
            moved[1][i][at] -= step
            slope = (loss(*moved[0]) - loss(*moved[1])) / (2 * step)
            assert after[i][at] - part[at] == pytest.approx(-0.5 * slope, abs=1e-7)


def test_errors_are_root_mean_squares_of_the_copy(rng: np.random.Generator) -> None:
    rows, weights = rng.uniform(-1, 2, (20, 5)), rng.normal(size=(5, 2))
    inner, outer = rng.normal(size=2), rng.normal(size=5)
    copies = expit(expit(rows @ weights + inner) @ weights.T + outer)
    expected = np.sqrt(np.mean((rows - copies) ** 2, axis=1))
    np.testing.assert_allclose(copy_errors(rows, weights, inner, outer), expected, rtol=1e-12)


def test_signals_that_go_together_are_grouped(rng: np.random.Generator) -> None:
    groups = correlated_groups(grouped(rng, 500), 3)
    assert sorted(group.tolist() for group in groups) == [[0, 3, 6], [1, 4, 7], [2, 5, 8]]
    for most in (1, 2, 4, 9):
        groups = correlated_groups(grouped(rng, 100), most)
        assert sorted(np.concatenate(groups)) == list(range(9))
        assert max(len(group) for group in groups) <= most


def test_rows_that_break_a_group_apart_are_found_and_the_group_named(
    rng: np.random.Generator, context: FitContext
) -> None:
    fitted = Kitnet(group=3).fit(Frame.of(grouped(rng, 3000)), None, context)
    normal, broken = grouped(rng, 300), grouped(rng, 300)
    broken[:, 4] = rng.permuted(broken[:, 4])  # usual values, but not those of its cause
    scores = fitted.score(Frame.of(np.vstack([normal, broken])))
    assert roc_auc_score(np.repeat([0, 1], 300), scores) > 0.85
    rise = fitted.errors(Frame.of(broken)).mean(axis=0) - fitted.errors(Frame.of(normal)).mean(
        axis=0
    )
    assert fitted.members[int(np.argmax(rise))].columns.tolist() == [1, 4, 7]


def test_a_row_scores_the_same_bits_in_any_batch_and_huge_rows_stay_finite(
    rng: np.random.Generator, context: FitContext
) -> None:
    fitted = Kitnet().fit(Frame.of(grouped(rng, 50)), None, context)
    frame = Frame.of(np.vstack([grouped(rng, 30), [[1.7e308, -1.7e308, 0] * 3]]))
    scores = fitted.score(frame)
    alone = [fitted.score(frame.take(slice(i, i + 1)))[0] for i in range(31)]
    assert scores.tolist() == alone
    assert np.isfinite(scores).all()
    assert np.argmax(scores) == 30


def test_what_cannot_be_fitted_is_said(rng: np.random.Generator, context: FitContext) -> None:
    with pytest.raises(TooFewRowsError, match="at least 2 rows"):
        Kitnet().fit(Frame.of([[1.0, 2.0]]), None, context)
    with pytest.raises(OperationCancelledError):
        Kitnet().fit(Frame.of(grouped(rng, 20)), None, replace(context, cancelled=lambda: True))
    assert len(Kitnet().fit(Frame.of(np.ones((5, 1))), None, context).members) == 1


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("member0.columns", lambda a: a + 9),
        ("member0.columns", lambda a: a - 9),
        ("member0.columns", lambda a: a[:0]),
        ("member0.weights", lambda a: a[:, :-1]),
        ("member1.weights", lambda a: a[:-1]),
        ("member1.inner", lambda a: a[:-1]),
        ("member1.outer", lambda a: a[:-1]),
        ("last.columns", lambda a: a + 1),
        ("last.span", lambda a: a * np.nan),
    ],
)
def test_a_damaged_state_is_refused(
    rng: np.random.Generator, context: FitContext, name: str, change: Any
) -> None:
    state = Kitnet(group=3).fit(Frame.of(grouped(rng, 50)), None, context).state()
    arrays = {**state.arrays, name: change(state.arrays[name])}
    with pytest.raises(ArtifactCorruptError):
        FittedKitnet.from_state(State(1, state.parameters, arrays))


@pytest.mark.parametrize("members", [0, -1, 4])
def test_another_number_of_members_is_refused(
    rng: np.random.Generator, context: FitContext, members: int
) -> None:
    state = Kitnet(group=3).fit(Frame.of(grouped(rng, 50)), None, context).state()
    with pytest.raises(ArtifactCorruptError):
        FittedKitnet.from_state(State(1, {**state.parameters, "members": members}, state.arrays))
