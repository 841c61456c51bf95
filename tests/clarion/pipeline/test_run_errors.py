from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from clarion.errors import (
    ClarionError,
    InvalidFrameError,
    InvalidParameterError,
    SignalMismatchError,
    UnreachableRateError,
)
from clarion.frames import Frame, Signal, SignalKind
from clarion.pipeline.answer import ExplainedRows, ExplanationPolicy
from clarion.pipeline.rank_rule import Promise, rank
from clarion.pipeline.run import FittedPipeline
from clarion.pipeline.spec import Step

Model = Callable[..., FittedPipeline]
Watched = Callable[..., Frame]

SCALE = Step("standardize")
WINDOW = Step("window_statistics", {"window": 4, "statistics": ["mean"]})


def refused(fitted: FittedPipeline, frame: Frame, **options: object) -> ClarionError:
    with pytest.raises(ClarionError) as caught:
        fitted.run(frame, **options)  # type: ignore[arg-type]
    return caught.value


def test_missing_and_unexpected_signals_are_named(model: Model, watched: Watched) -> None:
    frame = Frame.of(np.ones((2, 3)), ["p", "flow", "r"])
    error = refused(model("mahalanobis"), frame)
    assert isinstance(error, SignalMismatchError)
    assert (error.metadata["missing"], error.metadata["unexpected"]) == ("q", "flow")


def test_a_signal_of_another_kind_is_named(model: Model) -> None:
    signals = (Signal("p"), Signal("q", SignalKind.CATEGORICAL, "", ("a",)), Signal("r"))
    frame = Frame(signals, np.ones((1, 2)), np.zeros((1, 1), np.int32))
    error = refused(model("mahalanobis"), frame)
    assert isinstance(error, SignalMismatchError)
    assert error.metadata["signal"] == "q"


def test_a_signal_in_another_unit_is_named(model: Model, watched: Watched) -> None:
    frame = watched(3)
    psi = (replace(frame.signals[0], unit="psi"), *frame.signals[1:])
    error = refused(model("mahalanobis"), replace(frame, signals=psi))
    assert isinstance(error, SignalMismatchError)
    assert "psi" in error.message
    assert "bar" in error.message


def test_an_empty_frame_is_refused(model: Model, watched: Watched) -> None:
    error = refused(model("mahalanobis"), watched(3).take(slice(0, 0)))
    assert isinstance(error, InvalidFrameError)


def holed(frame: Frame, row: int) -> Frame:
    values = frame.values.copy()
    values[row, 1] = np.nan
    return frame.with_numeric(values)


@pytest.mark.parametrize("features", [(), (SCALE,), (WINDOW,), (SCALE, WINDOW)])
@pytest.mark.parametrize("row", [0, 41])
def test_a_missing_cell_is_named_by_signal_and_row(
    model: Model, watched: Watched, features: tuple[Step, ...], row: int
) -> None:
    error = refused(model("mahalanobis", *features), holed(watched(50), row))
    assert isinstance(error, InvalidFrameError)
    assert error.field == "frame"
    assert (error.metadata["signal"], error.metadata["row"]) == ("q", str(row))
    assert f"row {row}" in error.message


@pytest.mark.parametrize("detector", ["mahalanobis", "ewma"])
def test_in_a_stream_the_row_named_is_the_frames_own(
    model: Model, watched: Watched, detector: str
) -> None:
    """Remembered rows, and those of other assets, are none of the sender's counting."""
    for features in ((WINDOW,), (SCALE,), ()):
        fitted, frame = model(detector, *features), watched(80)
        _, memory = fitted.run(frame.take(slice(0, 40)))
        error = refused(fitted, holed(frame.take(slice(40, 80)), 9), memory=memory)
        assert (error.metadata["signal"], error.metadata["row"]) == ("q", "9")


def test_a_rate_below_what_can_be_promised_is_refused(model: Model, watched: Watched) -> None:
    """29956 rows are the fewest of which 1 - (1 - 1e-4)^n >= 0.95."""
    fitted = model("mahalanobis")
    least = fitted.calibration.smallest_rate
    for rate in (1e-4, least * (1 - 1e-9)):
        error = refused(fitted, watched(3), false_alarm_rate=rate)
        assert isinstance(error, UnreachableRateError)
        assert error.field == "false_alarm_rate"
    assert "29956" in refused(fitted, watched(3), false_alarm_rate=1e-4).message
    answer, _ = fitted.run(watched(3), false_alarm_rate=least)
    assert answer.false_alarm_rate == least


@pytest.mark.parametrize("rate", [0.0, 1.0, -1.0, float("nan")])
def test_a_rate_outside_0_and_1_is_refused(model: Model, watched: Watched, rate: float) -> None:
    error = refused(model("mahalanobis"), watched(3), false_alarm_rate=rate)
    assert isinstance(error, InvalidParameterError)
    assert error.field == "false_alarm_rate"


def test_a_larger_rate_lowers_the_threshold_and_leaves_the_p_values(
    model: Model, watched: Watched
) -> None:
    fitted, frame = model("mahalanobis"), watched(400)
    strict, loose = (fitted.run(frame, false_alarm_rate=rate)[0] for rate in (0.03, 0.2))
    assert strict.threshold > loose.threshold
    np.testing.assert_array_equal(strict.p_values, loose.p_values)
    for answer, rate in ((strict, 0.03), (loose, 0.2)):
        kept = rank(rate, fitted.calibration.rows, Promise.CERTAIN) / (fitted.calibration.rows + 1)
        np.testing.assert_array_equal(answer.anomalous, answer.p_values <= kept)


@pytest.mark.parametrize("row", [-1, 50, 10_000])
def test_a_row_outside_the_frame_is_named(model: Model, watched: Watched, row: int) -> None:
    error = refused(model("mahalanobis"), watched(50), policy=ExplanationPolicy(rows=(0, row)))
    assert isinstance(error, InvalidParameterError)
    assert f"row {row} " in error.message
    assert "50 rows" in error.message


def test_a_row_without_its_history_is_named(model: Model, watched: Watched) -> None:
    fitted, frame = model("mahalanobis", WINDOW), watched(50)
    error = refused(fitted, frame, policy=ExplanationPolicy(rows=(0,)))
    assert isinstance(error, InvalidParameterError)
    assert "row 0 " in error.message
    assert "3 earlier rows" in error.message
    answer, _ = fitted.run(frame.take(slice(0, 2)), ExplanationPolicy(ExplainedRows.ALL))
    assert len(answer.scores) == 0
    assert answer.explanations == ()


def test_a_row_that_a_forecaster_cannot_score_is_named(model: Model, watched: Watched) -> None:
    error = refused(model("var"), watched(50), policy=ExplanationPolicy(rows=(0,)))
    assert isinstance(error, InvalidParameterError)
    assert "more earlier rows" in error.message


@pytest.mark.parametrize("huge", [1e300, -1.7e308])
def test_huge_values_are_scored_not_refused(
    model: Model, watched: Watched, any_detector: str, huge: float
) -> None:
    values = watched(200).values.copy()
    values[199, 0] = huge
    fitted, frame = model(any_detector, SCALE), watched(200).with_numeric(values)
    answer, _ = fitted.run(frame, ExplanationPolicy(rows=(199,)))
    assert np.isfinite(answer.scores).all()
    assert answer.attribution is not None
    assert np.isfinite(answer.attribution.contributions).all()
