"""Calibration by asset class. The detectors' score is the distance from what a class does usually."""

from __future__ import annotations

import numpy as np
import pytest

from clarion.errors import InvalidParameterError
from clarion.frames import Asset, Frame
from clarion.pipeline.calibrate import Calibration
from clarion.pipeline.classes import MAX_CLASSES, POOLED, class_codes, scores_by_class
from clarion.pipeline.fit import fit
from clarion.pipeline.rank_rule import Promise
from clarion.pipeline.run import FittedPipeline
from clarion.pipeline.spec import PipelineSpec, Step
from clarion.registry import Registries

ASSETS = (Asset("p1", "pump"), Asset("p2", "pump"), Asset("v1", "valve"), Asset("x", "fan"))


def rows(counts: tuple[int, ...], seed: int = 0) -> Frame:
    """Return so many rows of each asset, shuffled; pumps move three times as far as the others."""
    rng = np.random.default_rng(seed)
    index = rng.permutation(np.repeat(np.arange(len(counts)), counts)).astype(np.int32)
    spread = np.where(index <= 1, 3.0, 1.0)[:, None]
    return Frame.of(rng.normal(size=(len(index), 2)) * spread, asset=index, assets=ASSETS)


@pytest.fixture(scope="module")
def calibration() -> Calibration:
    rng = np.random.default_rng(1)
    pumps, valves = rng.normal(3.0, 1.0, 900), rng.normal(0.0, 1.0, 500)
    return Calibration.of(
        np.concatenate([pumps, valves, rng.normal(size=99)]),
        0.01,
        classes={"pump": pumps, "valve": valves},
    )


def test_classes_with_500_rows_calibrate_alone() -> None:
    frame = rows((300, 200, 499, 1000))
    scores = np.arange(float(len(frame)))
    found = scores_by_class(frame, scores)
    assert list(found) == ["fan", "pump"]
    assert len(found["pump"]) == 500
    assert sorted(found["pump"]) == scores[frame.asset_index() <= 1].tolist()


def test_a_class_that_is_all_there_is_needs_no_calibration_of_its_own() -> None:
    assert scores_by_class(rows((600, 500)), np.zeros(1100)) == {}
    nameless = Frame.of(np.zeros((1200, 1)))
    assert scores_by_class(nameless, np.zeros(1200)) == {}


def test_classes_are_bounded_and_the_largest_are_kept() -> None:
    counts = np.full(MAX_CLASSES + 6, 500)
    counts[7] = 501
    assets = tuple(Asset(f"a{i}", f"class{i:02}") for i in range(len(counts)))
    index = np.repeat(np.arange(len(counts)), counts).astype(np.int32)
    frame = Frame.of(np.zeros((len(index), 1)), asset=index, assets=assets)
    found = scores_by_class(frame, np.zeros(len(index)))
    assert len(found) == MAX_CLASSES
    assert "class07" in found


def test_p_values_count_the_rows_of_the_class_and_all_rows_elsewhere(
    calibration: Calibration,
) -> None:
    score = np.array([2.5, 2.5, 2.5])
    p = calibration.p_values(score, np.array([0, 1, POOLED]))
    for given, own in zip(p, ("pump", "valve", None), strict=True):
        held = dict(calibration.classes)[own].scores if own else calibration.scores
        assert given == (1 + (held >= 2.5).sum()) / (len(held) + 1)
    np.testing.assert_array_equal(calibration.p_values(score), p[2])


def test_unknown_classes_and_nameless_assets_are_pooled(calibration: Calibration) -> None:
    frame = Frame.of(
        np.zeros((4, 1)),
        asset=np.array([0, 1, 2, 0], np.int32),
        assets=(Asset("new", "compressor"), Asset("v9", "valve"), Asset("bare")),
    )
    assert calibration.classes_of(frame, np.array([0, 1, 2])).tolist() == [-1, 1, -1]  # type: ignore[union-attr]
    assert class_codes(Frame.of(np.zeros((2, 1))), {"pump": 0}).tolist() == [-1, -1]


def test_each_class_has_its_threshold_and_the_pooled_one_where_its_rows_do_not_reach(
    calibration: Calibration,
) -> None:
    levels = calibration.levels(0.01)
    pump, valve = levels.by_class
    assert pump.threshold > levels.pooled.threshold > valve.threshold
    assert levels.thresholds(np.array([1, POOLED]), 2).tolist() == [
        valve.threshold,
        levels.pooled.threshold,
    ]
    rare = calibration.levels(0.004)  # of 500 rows, certain are 0.6 %
    assert rare.by_class[1] == rare.pooled != rare.by_class[0]


def test_the_promise_is_kept_in_each_class_where_pooled_it_is_not() -> None:
    rng, rate = np.random.default_rng(2), 0.05
    pumps, valves = rng.normal(0, 3, 4000), rng.normal(0, 1, 4000)
    made = Calibration.of(
        np.r_[pumps, valves], rate, Promise.AVERAGE, classes={"pump": pumps, "valve": valves}
    )
    fresh, codes = rng.normal(0, 3, 20_000), np.zeros(20_000, np.int64)
    assert abs((made.p_values(fresh, codes) <= rate).mean() - rate) < 0.01
    assert (made.p_values(fresh) <= rate).mean() > 1.5 * rate


def test_classes_are_part_of_the_identity_and_of_the_state(calibration: Calibration) -> None:
    alone = Calibration.of(calibration.scores, 0.01)
    assert alone.id != calibration.id
    again = Calibration.from_state(calibration.state())
    assert again.id == calibration.id
    assert [name for name, _ in again.classes] == ["pump", "valve"]


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_scores_that_are_no_numbers_calibrate_nothing(bad: float) -> None:
    with pytest.raises(InvalidParameterError, match="finite"):
        Calibration.of(np.r_[np.arange(200.0), bad], 0.05)
    p = Calibration.of(np.arange(200.0), 0.05).p_values(np.array([np.nan, 5.0]))
    assert np.isnan(p[0])
    assert p[1] > 0.9


@pytest.fixture(scope="module")
def model(installed: Registries) -> FittedPipeline:
    frame = rows((2000, 1000, 2400, 100))
    return fit(PipelineSpec(Step("mahalanobis")), frame, registries=installed)


def test_a_fitted_model_judges_each_row_by_its_class(model: FittedPipeline) -> None:
    assert [name for name, _ in model.calibration.classes] == ["pump", "valve"]
    frame = rows((900, 0, 900, 60), seed=9)
    answer, _ = model.run(frame)
    thresholds = dict(answer.class_thresholds)
    own = [thresholds.get(frame.asset_of(i).asset_class, answer.threshold) for i in range(1860)]
    assert answer.anomalous.tolist() == (answer.scores >= own).tolist()
    assert answer.anomalous.tolist() != (answer.scores >= answer.threshold).tolist()
    by_class = model.calibration.classes_of(frame, np.arange(1860))
    by_own = model.calibration.p_values(answer.scores, by_class)
    assert answer.p_values.tolist() == by_own.tolist()
    assert answer.p_values.tolist() != model.calibration.p_values(answer.scores).tolist()
    assert [record.threshold for record in answer.explanations] == np.array(own)[
        answer.anomalous
    ].tolist()
    assert thresholds["pump"] > answer.threshold > thresholds["valve"]


def test_a_row_scores_alike_in_any_company(model: FittedPipeline) -> None:
    frame = rows((40, 0, 40, 20), seed=10)
    whole, _ = model.run(frame)
    for i in (0, 17, 99):
        alone, _ = model.run(frame.take(slice(i, i + 1)))
        assert alone.p_values[0] == whole.p_values[i]
        assert alone.anomalous[0] == whole.anomalous[i]


def test_a_cleared_row_is_judged_by_its_class(model: FittedPipeline) -> None:
    frame = Frame.of([[14.0, 0.0], [14.0, 0.0]], asset=np.array([2, 3], np.int32), assets=ASSETS)
    answer, _ = model.run(frame)
    valve, fan = answer.explanations
    place = [name for name, _ in model.calibration.classes].index("valve")
    codes = {"v1": place, "x": POOLED}
    for record in (valve, fan):
        assert record.cleared_score < record.threshold
        said = model.calibration.p_values(
            np.array([record.cleared_score]), np.array([codes[record.asset]])
        )
        assert record.cleared_p_value == said[0]
    assert valve.threshold < fan.threshold
