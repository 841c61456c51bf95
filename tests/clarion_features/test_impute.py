from __future__ import annotations

import numpy as np
import pytest

from clarion.errors import InvalidFrameError
from clarion.features import FitContext
from clarion.frames import Frame
from clarion_features.impute import FittedImpute, Impute

NAN = np.nan
HOLED = Frame.of([[1.0, NAN], [NAN, 20.0], [3.0, 40.0], [8.0, 30.0]], ["a", "b"], units=["V", "A"])


@pytest.mark.parametrize(("method", "usual"), [("median", [3.0, 30.0]), ("mean", [4.0, 30.0])])
def test_missing_cells_get_the_usual_value(
    context: FitContext, method: str, usual: list[float]
) -> None:
    features = Impute(method=method).fit(HOLED, context).transform(HOLED)
    a, b = usual
    assert features.frame.values.tolist() == [[1, b], [a, 20], [3, 40], [8, 30]]
    assert features.frame.signals == HOLED.signals


def test_what_stands_in_is_learned_at_fit(context: FitContext) -> None:
    fitted = Impute().fit(HOLED, context)
    given = Frame.of([[NAN, NAN], [900.0, 900.0]], ["b", "a"])
    assert fitted.transform(given).frame.values[0].tolist() == [3.0, 30.0]


def test_indicators_say_what_was_missing(context: FitContext) -> None:
    fitted = Impute(indicators=True).fit(HOLED, context)
    features = fitted.transform(HOLED).frame
    assert features.names == ("a", "b", "a.missing", "b.missing")
    assert features.values[:, 2:].tolist() == [[0, 1], [1, 0], [0, 0], [0, 0]]
    assert fitted.reads["b.missing"] == ("b",)


@pytest.mark.parametrize("indicators", [False, True])
def test_the_lineage_leaves_out_what_was_imputed(context: FitContext, indicators: bool) -> None:
    fitted = Impute(indicators=indicators).fit(HOLED, context)
    given = HOLED.aligned_to(["b", "a"])
    trace = fitted.transform(given).lineage.rows(1)
    weights = np.zeros((4 if indicators else 2, 8))
    weights[1, 2] = 1.0  # "b" of row 1 is present, "a" is not
    if indicators:
        weights[2, 3] = weights[3, 2] = 1.0
    np.testing.assert_array_equal(trace.weights.toarray(), weights)
    assert trace.linear.tolist() == [True, True] + [False, False] * indicators


def test_huge_values_have_a_median(context: FitContext) -> None:
    huge = Frame.of([[1.7e308], [1.6e308], [NAN]])
    assert Impute().fit(huge, context).usual == pytest.approx(1.65e308)


def test_a_signal_without_a_present_cell_is_named(context: FitContext) -> None:
    with pytest.raises(InvalidFrameError, match=r"'b' is missing \(NaN\) in all 1 rows"):
        Impute().fit(Frame.of([[1.0, NAN]], ["a", "b"]), context)


def test_the_state_gives_the_same_bits_back(context: FitContext) -> None:
    fitted = Impute(indicators=True).fit(HOLED, context)
    wanted, got = (
        f.transform(HOLED).frame for f in (fitted, FittedImpute.from_state(fitted.state()))
    )
    assert got.signals == wanted.signals
    assert got.values.tobytes() == wanted.values.tobytes()
