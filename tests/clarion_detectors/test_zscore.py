from __future__ import annotations

import numpy as np
import pytest

from clarion.errors import TooFewRowsError
from clarion.features import FitContext
from clarion.frames import Frame
from clarion_detectors.robust_zscore import RobustZscore
from clarion_detectors.zscore import Zscore


def test_zscore_adds_up_squared_deviations(rng: np.random.Generator, context: FitContext) -> None:
    values = rng.normal([3, -50], [0.1, 20], size=(400, 2))
    fitted = Zscore().fit(Frame.of(values), None, context)
    row = values.mean(axis=0) + values.std(axis=0) * [3, -4]
    np.testing.assert_allclose(fitted.score(Frame.of([row])), [9 + 16], rtol=1e-12)
    np.testing.assert_allclose(fitted.terms(Frame.of([row])), [[9, 16]], rtol=1e-12)


def test_robust_zscore_hardly_moves_when_two_rows_in_five_are_bad(
    rng: np.random.Generator, context: FitContext
) -> None:
    values = rng.normal(10, 2, size=(1000, 1))
    spoilt = values.copy()
    spoilt[:400] = 1000
    clean, robust, plain = (
        detector.fit(Frame.of(given), None, context).score(Frame.of([[20.0]]))[0]
        for detector, given in (
            (RobustZscore(), values),
            (RobustZscore(), spoilt),
            (Zscore(), spoilt),
        )
    )
    assert clean == pytest.approx(25, rel=0.3)
    assert robust > clean / 20 > plain


def test_the_scale_of_a_mostly_constant_signal_is_not_zero(context: FitContext) -> None:
    values = np.zeros((100, 1))
    values[0] = 1.0
    fitted = RobustZscore().fit(Frame.of(values), None, context)
    assert fitted.scale[0] == pytest.approx(0.01 * max(values.std(), 0.01))


@pytest.mark.parametrize("detector", [Zscore(), RobustZscore()])
def test_two_rows_are_the_least(detector: Zscore, context: FitContext) -> None:
    with pytest.raises(TooFewRowsError, match="at least 2 rows"):
        detector.fit(Frame.of([[1.0]]), None, context)
