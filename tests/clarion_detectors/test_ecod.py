from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import skew

from clarion.detectors import AdditiveTerms
from clarion.errors import ArtifactCorruptError, TooFewRowsError
from clarion.features import FitContext
from clarion.frames import Frame
from clarion.registry import Registries
from clarion.state import State
from clarion_detectors.copod import Copod
from clarion_detectors.ecod import Ecod
from clarion_detectors.tail_score import FittedTails


def skewed(rng: np.random.Generator, rows: int = 300) -> Frame:
    """Right-skewed, left-skewed, and with many ties."""
    long = rng.exponential(size=(rows, 2)) * [1, -30]
    return Frame.of(np.column_stack([long, rng.poisson(2.0, rows)]))


def by_counting(reference: np.ndarray, given: np.ndarray, either: bool) -> np.ndarray:
    """The terms, by counting reference values one by one."""
    n, d = reference.shape
    terms = np.empty(given.shape)
    for j in range(d):
        for i, x in enumerate(given[:, j]):
            left = -np.log((np.sum(reference[:, j] <= x) + 1) / (n + 1))
            right = -np.log((np.sum(reference[:, j] >= x) + 1) / (n + 1))
            tail = left if skew(reference[:, j]) < 0 else right
            terms[i, j] = max(left, right) if either else max(tail, (left + right) / 2)
    return terms


@pytest.mark.parametrize("either", [True, False])
def test_terms_are_what_counting_gives(
    either: bool, rng: np.random.Generator, context: FitContext
) -> None:
    frame = skewed(rng)
    fitted = (Ecod() if either else Copod()).fit(frame, None, context)
    fresh = Frame.of(
        np.vstack([skewed(rng, 100).values, [[50.0, -900.0, -1.0], [-1.0, 1.0, 99.0]]])
    )
    for given in (frame, fresh):
        expected = by_counting(frame.values, given.values, either)
        np.testing.assert_allclose(fitted.terms(given), expected, rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(fitted.score(given), expected.sum(axis=1), rtol=1e-12)
    assert isinstance(fitted, AdditiveTerms)


def test_a_row_cannot_hide_in_its_batch(rng: np.random.Generator, context: FitContext) -> None:
    fitted = Ecod().fit(skewed(rng), None, context)
    row = [[9.0, -200.0, 8.0]]
    crowd = Frame.of(np.vstack([row, np.full((400, 3), 9.0)]))
    assert fitted.score(crowd)[0] == fitted.score(Frame.of(row))[0]


def test_scores_do_not_change_with_increasing_units(
    rng: np.random.Generator, context: FitContext
) -> None:
    frame = skewed(rng)
    other = Frame.of(frame.values * [1000, 0.5, 3] + [1, -2, 7])
    ours, theirs = (Ecod().fit(f, None, context).score(f) for f in (frame, other))
    np.testing.assert_array_equal(ours, theirs)


def test_reference_rows_are_bounded_and_drawn_by_the_seed(rng: np.random.Generator) -> None:
    frame = skewed(rng)
    contexts = [FitContext(np.random.default_rng(seed), Registries()) for seed in (1, 1, 2)]
    first, again, other = (Ecod(max_reference_rows=50).fit(frame, None, c) for c in contexts)
    assert first.columns.shape == (3, 50)
    assert first.columns.tobytes() == again.columns.tobytes() != other.columns.tobytes()


def test_constant_and_huge_values_stay_finite(context: FitContext) -> None:
    frame = Frame.of([[7.0, 1.7e308], [7.0, -1.7e308], [7.0, 1.7e308]])
    fitted = Ecod().fit(frame, None, context)
    assert fitted.left_tail.tolist() == [False, True]
    scores = fitted.score(Frame.of([[7.0, 1.0], [7.1, 1.0], [-1.7e308, 1.7e308]]))
    assert np.isfinite(scores).all()
    assert scores[1] > scores[0]


def test_two_rows_are_the_least(context: FitContext) -> None:
    with pytest.raises(TooFewRowsError, match="at least 2 rows"):
        Ecod().fit(Frame.of([[1.0]]), None, context)


def test_the_state_gives_the_same_bits_back(rng: np.random.Generator, context: FitContext) -> None:
    frame = skewed(rng)
    fitted = Ecod().fit(frame, None, context)
    state = fitted.state()
    again = FittedTails.from_state(state)
    assert again.score(frame).tobytes() == fitted.score(frame).tobytes()
    shuffled = {**state.arrays, "columns": state.arrays["columns"][:, ::-1]}
    with pytest.raises(ArtifactCorruptError, match="not sorted"):
        FittedTails.from_state(State(1, state.parameters, shuffled))
