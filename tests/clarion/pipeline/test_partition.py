from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from clarion.arrays import FloatArray, Int64Array
from clarion.errors import ArtifactCorruptError, InvalidParameterError
from clarion.frames import Asset, Frame
from clarion.inputs import robust_scale
from clarion.pipeline.answer import Answer, ExplainedRows, ExplanationPolicy, View
from clarion.pipeline.constraints import SignalConstraint
from clarion.pipeline.fit import fit
from clarion.pipeline.groups import Groups, PartitionBy
from clarion.pipeline.memory import Memory
from clarion.pipeline.partition import Partition
from clarion.pipeline.run import FittedPipeline
from clarion.pipeline.shrinkage import shrunk
from clarion.pipeline.spec import PipelineSpec, Step
from clarion.plugins import load_plugins
from clarion.state import State

CENTERS = np.array([[0.0, 50.0], [1000.0, -3.0], [-7.0, 0.5]])
SCALES = np.array([[1.0, 5.0], [30.0, 0.1], [0.01, 2.0]])
ALL = ExplanationPolicy(rows=ExplainedRows.ALL)


def fleet(counts: list[int], seed: int = 5, spike: float = 0.0) -> Frame:
    """Rows of three assets of two classes that differ by far, in turns; the last row has a spike."""
    rng = np.random.default_rng(seed)
    index = rng.permutation(np.repeat(np.arange(3, dtype=np.int32), counts))
    values = CENTERS[index] + SCALES[index] * rng.normal(size=(len(index), 2))
    values[-1, 0] += spike * SCALES[index[-1], 0]
    return Frame.of(
        values,
        ["p", "q"],
        units=["bar", ""],
        time=np.arange(len(index)) * 10**9,
        assets=(Asset("m0", "pump"), Asset("m1", "fan"), Asset("m2", "fan")),
        asset=index,
        row_ids=tuple(f"r{i}" for i in range(len(index))),
    )


def rows_of(frame: Frame, asset: int) -> Int64Array:
    assert frame.asset is not None
    return np.flatnonzero(frame.asset == asset)


def moved(frame: Frame, row: int, column: int, scales: float) -> Frame:
    """Return ``frame`` with a cell so many of its asset's scales off."""
    values = frame.values.copy()
    assert frame.asset is not None
    values[row, column] += scales * SCALES[frame.asset[row], column]
    return replace(frame, values=values)


@cache
def fleet_model(detector: str, by: str = "asset", window: bool = False) -> FittedPipeline:
    window_step = Step("window_statistics", {"window": 3, "statistics": ["mean"]})
    spec = PipelineSpec(
        Step(detector),
        (window_step,) if window else (),
        false_alarm_rate=0.05,
        background_rows=32,
        partition_by=by,
    )
    return replace(fit(spec, fleet([300, 300, 300]), registries=load_plugins()), digest="d1")


def brute(frame: Frame) -> tuple[FloatArray, FloatArray]:
    """Center and scale of each asset, one asset at a time."""
    found = [robust_scale(frame.numeric()[rows_of(frame, asset)]) for asset in range(3)]
    return np.array([c for c, _ in found]), np.array([s for _, s in found])


def test_large_groups_have_the_levels_that_each_has_alone() -> None:
    frame = fleet([4000, 3000, 2000])
    partition, (center, scale) = Partition.learn(frame, PartitionBy.ASSET), brute(frame)
    assert partition.groups.names == ("m0", "m1", "m2")
    assert np.abs((partition.center[:3] - center) / scale).max() < 0.01
    np.testing.assert_allclose(partition.scale[:3], scale, rtol=0.01)


@pytest.mark.parametrize("detector", ["zscore", "robust_zscore"])
def test_scores_are_those_of_models_fitted_asset_by_asset(detector: str) -> None:
    frame, fresh = fleet([1500, 1500, 1500]), fleet([40, 40, 40], seed=6)
    spec = PipelineSpec(Step(detector), false_alarm_rate=0.05, partition_by="asset")
    together = fit(spec, frame, registries=load_plugins()).run(fresh)[0].scores
    for asset in range(3):
        alone = fit(
            replace(spec, partition_by="none"),
            frame.take(rows_of(frame, asset)),
            registries=load_plugins(),
        )
        rows = rows_of(fresh, asset)
        wanted = alone.run(fresh.take(rows))[0].scores
        np.testing.assert_allclose(together[rows], wanted, rtol=0.1, atol=0.1)


def test_what_pooling_hides_is_found_and_explained_at_the_asset_s_own_level() -> None:
    frame = fleet([60, 60, 60], seed=9)
    row = int(rows_of(frame, 2)[7])
    frame = moved(frame, row, 0, 12.0)
    answer, _ = fleet_model("mahalanobis").run(frame)
    pooled, _ = fleet_model("mahalanobis", "none").run(frame)
    assert answer.anomalous[row]
    assert not pooled.anomalous[row]
    record = next(r for r in answer.explanations if r.row == row)
    blamed = record.signal_ranking[0]
    assert (blamed.signal, blamed.value) == ("p", float(frame.values[row, 0]))
    assert blamed.expected == pytest.approx(-7.0, abs=0.01)
    (culprit,) = record.culprits
    assert culprit.value == blamed.value
    assert culprit.normal_value == pytest.approx(-7.0, abs=0.05)
    assert culprit.still_anomalous_value is not None
    assert blamed.value is not None
    assert -7.0 < culprit.still_anomalous_value <= blamed.value
    assert f"p were {culprit.normal_value:.4g} bar" in record.summary


def test_a_cleared_row_sent_again_is_no_alarm() -> None:
    fitted, frame = fleet_model("isolation_forest"), fleet([60, 60, 60], seed=9)
    row = int(rows_of(frame, 1)[7])
    frame = moved(frame, row, 0, 30.0)
    record = next(r for r in fitted.run(frame)[0].explanations if r.row == row)
    values, names = frame.values.copy(), list(frame.names)
    for culprit in record.culprits:
        assert culprit.normal_value is not None
        values[row, names.index(culprit.signal)] = culprit.normal_value
    again = fitted.run(replace(frame, values=values))[0]
    assert not again.anomalous[row]
    assert again.scores[row] == pytest.approx(record.cleared_score)


def test_contributions_add_up_and_are_those_of_the_own_deviation() -> None:
    fitted = fleet_model("zscore")
    frame = fleet([30, 30, 30], seed=8)
    attribution = fitted.run(frame, ALL)[0].attribution
    assert attribution is not None
    assert np.abs(attribution.additivity_error).max() < 1e-9


def test_cells_of_windows_tell_the_values_sent() -> None:
    fitted, frame = fleet_model("mahalanobis", window=True), fleet([30, 30, 30], seed=8)
    policy = replace(ALL, view=View.FULL)
    for record in fitted.run(frame, policy)[0].explanations[:20]:
        rows = rows_of(frame, int(record.asset[1:]))
        at = int(np.searchsorted(rows, record.row))
        for cell in record.cells:
            column = frame.names.index(cell.signal)
            assert cell.value == frame.values[rows[at - cell.lag], column]


def test_the_less_a_group_was_seen_the_more_it_is_taken_for_the_others() -> None:
    rng = np.random.default_rng(1)
    true = rng.normal(0, 1, 200)
    index = np.repeat(np.arange(200, dtype=np.int32), [2, *[50] * 198, 400])
    values = true[index][:, None] + rng.normal(0, 3, (len(index), 1))
    frame = Frame.of(values, assets=tuple(Asset(f"{i:03}") for i in range(200)), asset=index)
    partition = Partition.learn(frame, PartitionBy.ASSET)
    means = np.array([values[index == i].mean() for i in range(200)])
    middle = partition.center[-1, 0]
    share = (partition.center[:-1, 0] - middle) / (means - middle)
    # Variance 9 within, 1 between: K is about 9 rows.
    assert share[0] == pytest.approx(2 / (2 + 9), abs=0.06)
    assert share[1] == pytest.approx(50 / (50 + 9), abs=0.06)
    assert share[199] == pytest.approx(400 / (400 + 9), abs=0.02)
    own, shrunken = np.abs(means - true), np.abs(partition.center[:-1, 0] - true)
    assert shrunken.mean() < own.mean()
    assert partition.scale[-1, 0] == pytest.approx(np.sqrt(9 + 1), rel=0.1)
    assert partition.scale[199, 0] == pytest.approx(3, rel=0.1)


def test_groups_that_do_not_differ_are_all_the_same() -> None:
    found = shrunk(np.array([1.0, 1.1, 0.9]), np.array([0.4, 0.4, 0.4]))
    assert found.between == 0
    assert found.values == pytest.approx([1.0, 1.0, 1.0])


def test_few_rows_do_not_make_a_quiet_asset() -> None:
    rng = np.random.default_rng(2)
    index = np.repeat(np.arange(101, dtype=np.int32), [*[100] * 100, 2])
    values = rng.normal(size=(len(index), 1))
    values[-2:, 0] = 0.3, 0.3001
    frame = Frame.of(values, assets=tuple(Asset(str(i)) for i in range(101)), asset=index)
    partition = Partition.learn(frame, PartitionBy.ASSET)
    last = partition.groups.names.index("100")
    assert partition.scale[last, 0] == pytest.approx(1, rel=0.15)


def test_a_center_that_is_little_known_widens_the_scale() -> None:
    rng = np.random.default_rng(3)
    index = np.repeat(np.arange(300, dtype=np.int32), [1, *[40] * 299])
    values = 10 * rng.normal(size=300)[index] + rng.normal(size=len(index))
    frame = Frame.of(
        values[:, None], assets=tuple(Asset(f"{i:03}") for i in range(300)), asset=index
    )
    scale = Partition.learn(frame, PartitionBy.ASSET).scale[:, 0]
    # The next row of a group seen once is off by its own deviation, and by that of the row seen.
    assert scale[0] == pytest.approx(np.sqrt(2), rel=0.05)
    assert np.median(scale) == pytest.approx(1, rel=0.05)


def test_a_signal_that_never_moved_in_an_asset_is_taken_to_move_as_in_the_others() -> None:
    frame = fleet([300, 300, 300])
    values = np.column_stack([frame.values[:, 0] * 0 + 4.0, frame.values[:, 1]])
    values[rows_of(frame, 0), 0] += np.random.default_rng(3).normal(0, 2, 300)
    partition = Partition.learn(replace(frame, values=values), PartitionBy.ASSET)
    assert partition.scale[:3, 0] == pytest.approx([2, 2, 2], rel=0.1)
    assert partition.center[1, 0] == pytest.approx(4, abs=0.2)


def test_unseen_assets_are_taken_at_the_pooled_level() -> None:
    fitted = fleet_model("zscore")
    frame = fleet([4, 4, 4])
    strangers = replace(frame, assets=tuple(Asset(f"new{i}") for i in range(3)))
    nameless = replace(frame, assets=(), asset=None)
    scores = fitted.run(strangers)[0].scores
    assert fitted.partition is not None
    center, scale, unit = (getattr(fitted.partition, name) for name in ("center", "scale", "unit"))
    typical = center[0] + scale[0] / unit * ((frame.values - center[-1]) / scale[-1] * unit)
    as_first = replace(frame, values=typical, asset=np.zeros(12, np.int32))
    np.testing.assert_allclose(scores, fitted.run(as_first)[0].scores, rtol=1e-9)
    np.testing.assert_array_equal(scores, fitted.run(nameless)[0].scores)


def test_classes_share_a_level() -> None:
    partition = fleet_model("zscore", "asset_class").partition
    assert partition is not None
    assert partition.groups.names == ("fan", "pump")
    frame = fleet([4, 4, 4])
    assert frame.asset is not None
    wanted = np.array([1, 0, 0])[frame.asset]
    np.testing.assert_array_equal(partition.groups.codes(frame), wanted)


@pytest.mark.parametrize("window", [False, True])
def test_any_cut_gives_the_same_bits(
    told: Callable[[Answer, Frame], dict[str, str]], window: bool
) -> None:
    fitted, frame = fleet_model("mahalanobis", window=window), fleet([20, 20, 20], seed=4, spike=40)
    whole = told(fitted.run(frame, ALL, memory=Memory())[0], frame)
    memory, pieces = Memory(), dict[str, str]()
    for start in range(0, 60, 7):
        piece = frame.take(slice(start, start + 7))
        answer, memory = fitted.run(piece, ALL, memory=memory)
        pieces |= told(answer, piece)
    assert pieces == whole


def test_a_partition_is_stored_and_read() -> None:
    fitted, frame = fleet_model("mahalanobis"), fleet([20, 20, 20], seed=4)
    again = FittedPipeline.from_state(fitted.state(), fitted.calibration, load_plugins())
    assert again.run(frame)[0].scores.tolist() == fitted.run(frame)[0].scores.tolist()
    assert again.spec.partition_by == "asset"


@pytest.mark.parametrize(
    ("name", "change"),
    [("scale", lambda a: -a), ("unit", lambda a: a * 0), ("center", lambda a: a[1:])],
)
def test_a_damaged_partition_is_refused(name: str, change: Callable[..., FloatArray]) -> None:
    state = Partition.learn(fleet([9, 9, 9]), PartitionBy.ASSET).state()
    bad = State(1, state.parameters, {**state.arrays, name: change(state.arrays[name])})
    with pytest.raises(ArtifactCorruptError):
        Partition.from_state(bad, 2)


def test_constant_missing_and_huge_signals_have_finite_levels() -> None:
    frame = fleet([40, 40, 40])
    values = np.column_stack([frame.values, np.full(120, 3.3), np.full(120, np.nan)])
    values[0, 0], values[1, 1], values[2, 0] = 1e308, -1e308, np.nan
    wide = Frame.of(values, assets=frame.assets, asset=frame.asset)
    partition = Partition.learn(wide, PartitionBy.ASSET)
    assert np.isfinite(partition.center).all()
    assert (partition.scale > 0).all()
    levelled = partition.level(wide)
    assert np.array_equal(np.isnan(levelled.values), np.isnan(values))
    np.testing.assert_allclose(levelled.values[:, 2], 3.3)
    again = Partition.from_state(partition.state(), 4)
    np.testing.assert_array_equal(again.level(wide).values, levelled.values)


def test_groups_are_looked_up_by_name_not_by_place() -> None:
    groups = Groups.of(fleet([9, 9, 9]), PartitionBy.ASSET)
    other = Frame.of(
        np.zeros((3, 1)),
        assets=(Asset("m2"), Asset("x"), Asset("m0")),
        asset=np.array([2, 1, 0], np.int32),
    )
    assert groups.codes(other).tolist() == [0, 3, 2]


@pytest.mark.parametrize(("by", "says"), [("asset", "an asset;"), ("asset_class", "with a class")])
def test_rows_without_groups_cannot_be_partitioned(by: str, says: str) -> None:
    frame = fleet([100, 100, 100])
    bare = replace(
        frame, assets=tuple(Asset("" if by == "asset" else a.name) for a in frame.assets)
    )
    spec = PipelineSpec(Step("zscore"), false_alarm_rate=0.05, partition_by=by)
    for rows in (bare, replace(frame, assets=(), asset=None)):
        with pytest.raises(InvalidParameterError, match=says) as raised:
            fit(spec, rows, registries=load_plugins())
        assert raised.value.field == "spec.partition_by"


def test_an_unknown_partition_is_named() -> None:
    with pytest.raises(InvalidParameterError, match="not 'site'") as raised:
        PipelineSpec(Step("zscore"), partition_by="site")
    assert raised.value.field == "spec.partition_by"
    with pytest.raises(InvalidParameterError):
        PipelineSpec.from_json({"detector": "zscore", "partition_by": 3})


def test_ranges_of_one_asset_are_refused_but_not_that_a_signal_is_immutable() -> None:
    fitted, frame = fleet_model("zscore"), fleet([9, 9, 9], spike=50)
    ranged = ExplanationPolicy(constraints=(SignalConstraint("p", minimum=0.0),))
    with pytest.raises(InvalidParameterError, match="'p'") as raised:
        fitted.run(frame, ranged)
    assert raised.value.field == "policy.constraints[0]"
    fixed = ExplanationPolicy(constraints=(SignalConstraint("p", immutable=True),))
    assert all(
        culprit.signal != "p"
        for record in fitted.run(frame, fixed)[0].explanations
        for culprit in record.culprits
    )
