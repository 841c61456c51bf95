from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clarion.detectors import AdditiveTerms, FittedSequenceDetector
from clarion.errors import InvalidFrameError
from clarion.features import FitContext
from clarion.frames import Frame
from clarion.registry import Registries
from clarion_detectors.ewma import Ewma, FittedEwma


def fitted_on(rng: np.random.Generator, context: FitContext, weight: float = 0.2) -> FittedEwma:
    frame = Frame.of(rng.normal([10.0, -5.0], [2.0, 0.5], (400, 2)), ["flow", "current"])
    return Ewma(weight=weight).fit(frame, None, context)


def test_it_is_pandas_ewm_from_the_in_control_mean(
    rng: np.random.Generator, context: FitContext
) -> None:
    fitted = fitted_on(rng, context)
    frame = Frame.of(rng.normal([11.0, -5.2], 1.0, (50, 2)), ["flow", "current"])
    charts = fitted.unroll(fitted.start(), frame)[0].frame.values
    points = (frame.values - fitted.center) / fitted.scale
    # pandas starts at its first row: the in-control mean goes in front of it.
    started = pd.DataFrame(np.vstack([[0, 0], points])).ewm(alpha=0.2, adjust=False).mean()
    steps = np.arange(1, 51)[:, None]
    deviation = np.sqrt(0.2 / 1.8 * (1 - 0.8 ** (2 * steps)))
    np.testing.assert_allclose(charts, started.to_numpy()[1:] / deviation, rtol=1e-9)


def test_every_chart_has_variance_one_from_the_first_row_on(
    rng: np.random.Generator, context: FitContext
) -> None:
    fitted = fitted_on(rng, context)
    normal = rng.standard_normal((4000, 6, 2)) * fitted.scale + fitted.center
    runs = [
        fitted.unroll(fitted.start(), Frame.of(run, ["flow", "current"]))[0].frame.values
        for run in normal
    ]
    np.testing.assert_allclose(np.var(runs, axis=0), 1.0, atol=0.12)


def test_the_score_is_the_sum_of_the_terms(rng: np.random.Generator, context: FitContext) -> None:
    fitted = fitted_on(rng, context)
    charts = Frame.of([[3.0, -4.0], [0.0, 1.0]], ["flow.ewma", "current.ewma"])
    assert fitted.terms(charts).tolist() == [[9.0, 16.0], [0.0, 1.0]]
    assert fitted.score(charts).tolist() == [25.0, 1.0]
    assert isinstance(fitted, FittedSequenceDetector)
    assert isinstance(fitted, AdditiveTerms)


@settings(max_examples=30, deadline=None)
@given(cuts=st.lists(st.integers(0, 40), max_size=5), weight=st.sampled_from([0.05, 0.2, 1.0]))
def test_any_cut_gives_the_same_bits(cuts: list[int], weight: float) -> None:
    rng = np.random.default_rng(5)
    fitted = fitted_on(rng, FitContext(rng, Registries()), weight)
    frame = Frame.of(rng.normal(size=(40, 2)), ["flow", "current"])
    whole, end = fitted.unroll(fitted.start(), frame)
    memory, parts = fitted.start(), []
    edges = [0, *sorted(cuts), 40]
    for first, last in pairwise(edges):
        part, memory = fitted.unroll(memory, frame.take(slice(first, last)))
        parts.append(part.frame.values)
    assert np.vstack(parts).tobytes() == whole.frame.values.tobytes()
    assert memory.parameters == end.parameters
    assert memory.arrays["ewma"].tobytes() == end.arrays["ewma"].tobytes()


@pytest.mark.parametrize("rows_before", [0, 3])
@pytest.mark.parametrize("weight", [0.3, 1.0])
def test_the_lineage_is_the_derivative(
    rng: np.random.Generator, context: FitContext, rows_before: int, weight: float
) -> None:
    fitted = fitted_on(rng, context, weight)
    frame = Frame.of(rng.normal(size=(8 + rows_before, 2)), ["current", "flow"])
    memory = fitted.unroll(fitted.start(), frame.take(slice(0, rows_before)))[1]
    rest = frame.take(slice(rows_before, None))
    features = fitted.unroll(memory, rest)[0]
    with np.errstate(all="raise"):
        trace = features.lineage.rows(5)
    assert trace.linear.all()
    for cell in range(rest.values.size):
        values = rest.values.copy()
        values.flat[cell] += 0.25
        moved = fitted.unroll(memory, Frame.of(values, rest.names))[0].frame.values
        change = (moved[5] - features.frame.values[5]) / 0.25
        np.testing.assert_allclose(trace.weights.toarray()[:, cell], change, atol=1e-12)


def test_a_small_lasting_shift_is_found_that_single_rows_hide(
    rng: np.random.Generator, context: FitContext
) -> None:
    fitted = fitted_on(rng, context, 0.1)
    rows = rng.normal([10.0, -5.0], [2.0, 0.5], (300, 2))
    rows[200:, 0] += 2.0  # one standard deviation
    scores = fitted.score(
        fitted.unroll(fitted.start(), Frame.of(rows, ["flow", "current"]))[0].frame
    )
    assert np.median(scores[230:]) > np.quantile(scores[:200], 0.99)


def test_huge_values_stay_finite(rng: np.random.Generator, context: FitContext) -> None:
    fitted = fitted_on(rng, context)
    rows = Frame.of(np.array([[1.7e308, -1.7e308]] * 3), ["flow", "current"])
    unrolled = fitted.unroll(fitted.start(), rows)[0].frame
    assert np.isfinite(fitted.score(unrolled)).all()
    outside = Frame.of([[1e308, -1e308]], ["flow.ewma", "current.ewma"])
    assert np.isfinite(fitted.score(outside)).all()


def test_a_missing_cell_is_named(rng: np.random.Generator, context: FitContext) -> None:
    fitted = fitted_on(rng, context)
    with pytest.raises(InvalidFrameError, match="'current' is missing"):
        fitted.unroll(fitted.start(), Frame.of([[1.0, np.nan]], ["flow", "current"]))
