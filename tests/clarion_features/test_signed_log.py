from __future__ import annotations

import numpy as np

from clarion.features import FitContext
from clarion.frames import Frame
from clarion_features.signed_log import FittedSignedLog, SignedLog


def test_it_is_odd_and_a_tenfold_is_a_step(context: FitContext) -> None:
    frame = Frame.of([[0.0, 9.0], [99.0, -99.0], [np.nan, 1.7e308]], ["up", "down"])
    made = SignedLog().fit(frame, context).transform(frame).frame
    step = np.log(10)
    expected = [[0, step], [2 * step, -2 * step], [np.nan, np.log(1.7e308)]]
    np.testing.assert_allclose(made.values, expected)


def test_signals_may_come_in_any_order_and_lose_their_unit(context: FitContext) -> None:
    frame = Frame.of([[1.0, 2.0]], ["a", "b"], units=["s", "B"])
    fitted = FittedSignedLog.from_state(SignedLog().fit(frame, context).state())
    turned = fitted.transform(frame.aligned_to(["b", "a"]))
    assert turned.frame.values.tolist() == fitted.transform(frame).frame.values.tolist()
    assert [(s.name, s.unit) for s in turned.frame.signals] == [("a", ""), ("b", "")]
    trace = turned.lineage.rows(0)
    assert trace.weights.indices.tolist() == [1, 0]
    assert not trace.linear.any()
