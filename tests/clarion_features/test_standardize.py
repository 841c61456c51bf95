from __future__ import annotations

import numpy as np
import pytest

from clarion.errors import TooFewRowsError
from clarion.features import FitContext
from clarion.frames import Frame
from clarion.inputs import SATURATION
from clarion_features.standardize import Standardize


def test_features_have_mean_zero_and_spread_one(
    rng: np.random.Generator, context: FitContext
) -> None:
    frame = Frame.of(rng.normal([5, -300], [0.1, 40], (500, 2)), ["a", "b"], units=["bar", "A"])
    features = Standardize().fit(frame, context).transform(frame)
    np.testing.assert_allclose(features.frame.values.mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(features.frame.values.std(axis=0), 1)
    assert [(s.name, s.unit) for s in features.frame.signals] == [("a", ""), ("b", "")]


def test_the_scale_is_at_least_one_percent_of_the_range(context: FitContext) -> None:
    column = np.zeros(100_001)
    column[-1] = 50.0
    fitted = Standardize().fit(Frame.of(column[:, None]), context)
    assert fitted.scale == pytest.approx(0.5)


def test_missing_cells_pass_through_and_are_left_out_of_the_fit(context: FitContext) -> None:
    frame = Frame.of([[1.0], [np.nan], [3.0]])
    values = Standardize().fit(frame, context).transform(frame).frame.values
    np.testing.assert_allclose(values[:, 0], [-1, np.nan, 1])


def test_the_lineage_is_the_derivative_in_the_order_of_the_frame_given(
    rng: np.random.Generator, context: FitContext
) -> None:
    frame = Frame.of(rng.normal(size=(20, 3)) * [1, 10, 100], ["a", "b", "c"])
    fitted = Standardize().fit(frame, context)
    shuffled = frame.aligned_to(["c", "a", "b"])
    features = fitted.transform(shuffled)
    trace = features.lineage.rows(4)
    assert trace.linear.all()
    before = features.frame.values
    for column in range(3):
        values = shuffled.values.copy()
        values[4, column] += 0.5
        after = fitted.transform(Frame.of(values, shuffled.names)).frame.values
        change = (after - before)[4] / 0.5
        np.testing.assert_allclose(trace.weights[:, [4 * 3 + column]].toarray()[:, 0], change)


def test_huge_values_are_clipped(context: FitContext) -> None:
    fitted = Standardize().fit(Frame.of([[0.0], [2.0]]), context)
    far = fitted.transform(Frame.of([[1.7e308], [-1.7e308]])).frame.values
    assert far[:, 0].tolist() == [SATURATION, -SATURATION]


def test_a_signal_without_a_present_cell_is_named(context: FitContext) -> None:
    with pytest.raises(TooFewRowsError, match="signal 'b'"):
        Standardize().fit(Frame.of([[1.0, np.nan]], ["a", "b"]), context)


def test_uncentered_keeps_zero_at_zero(context: FitContext) -> None:
    frame = Frame.of([[10.0], [12.0]])
    assert Standardize(centered=False).fit(frame, context).transform(
        Frame.of([[0.0], [3.0]])
    ).frame.values[:, 0].tolist() == [0.0, 3.0]
