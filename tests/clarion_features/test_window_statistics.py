from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from clarion.errors import ArtifactCorruptError, InvalidParameterError, TooFewRowsError
from clarion.features import Features, FitContext
from clarion.frames import Asset, Frame
from clarion.kernels.windows import STATISTICS
from clarion.state import State
from clarion_features.window_statistics import FittedWindowStatistics, WindowStatistics

NAMES = ["pressure", "flow"]


def plant(rng: np.random.Generator, rows: int = 60) -> Frame:
    asset = rng.integers(0, 3, rows).astype(np.int32)
    return Frame.of(
        rng.normal([3, -100], [1, 25], (rows, 2)),
        NAMES,
        units=["bar", ""],
        asset=asset,
        assets=(Asset("a"), Asset("b"), Asset("c")),
        time=np.arange(rows),
    )


def column(features: Features, name: str) -> np.ndarray:
    values = features.frame.values
    return np.asarray(values[:, features.frame.names.index(name)])


def test_every_statistic_is_its_peers(rng: np.random.Generator, context: FitContext) -> None:
    frame = plant(rng)
    every = WindowStatistics(window=5, statistics=STATISTICS)
    features = every.fit(frame, context).transform(frame)
    table = pd.DataFrame(frame.values, columns=NAMES).groupby(frame.asset)
    for name in NAMES:
        rolling = table[name].rolling(5)
        peers = {
            "mean": rolling.mean(),
            "sd": rolling.std(ddof=0),
            "min": rolling.min(),
            "max": rolling.max(),
            "slope": rolling.apply(lambda w: np.polyfit(np.arange(5), w, 1)[0], raw=True),
            "energy": rolling.apply(lambda w: np.mean(w**2), raw=True),
            "last": rolling.apply(lambda w: w[-1], raw=True),
            "change": rolling.apply(lambda w: w[-1] - w[-2], raw=True),
        }
        assert set(peers) == set(STATISTICS)
        for statistic, peer in peers.items():
            expected = peer.droplevel(0).sort_index().dropna()
            assert features.source_rows.tolist() == expected.index.tolist()
            np.testing.assert_allclose(
                column(features, f"{name}.{statistic}"), expected, rtol=1e-9, atol=1e-9
            )
    assert features.frame.time is not None
    assert features.frame.time.tolist() == features.source_rows.tolist()


def test_features_are_named_with_units_and_say_what_they_read(
    rng: np.random.Generator, context: FitContext
) -> None:
    frame = plant(rng)
    fitted = WindowStatistics(window=2, statistics=("slope", "energy", "sd")).fit(frame, context)
    assert [(s.name, s.unit) for s in fitted.signals] == [
        ("pressure.slope", "bar/row"),
        ("pressure.energy", "(bar)²"),
        ("pressure.sd", "bar"),
        ("flow.slope", "1/row"),
        ("flow.energy", ""),
        ("flow.sd", ""),
    ]
    assert fitted.reads["flow.sd"] == ("flow",)
    assert fitted.history == 1


def test_a_row_has_the_same_bits_whatever_comes_with_it(
    rng: np.random.Generator, context: FitContext
) -> None:
    frame = plant(rng)
    fitted = WindowStatistics(window=4).fit(frame, context)
    whole = fitted.transform(frame)
    for index, row in enumerate(whole.source_rows):
        own = np.flatnonzero(frame.asset_index()[: row + 1] == frame.asset_index()[row])[-4:]
        alone = fitted.transform(frame.take(own)).frame.values
        assert alone.tobytes() == whole.frame.values[index].tobytes()


def test_linear_lineage_is_the_derivative(rng: np.random.Generator, context: FitContext) -> None:
    frame = plant(rng, 30)
    fitted = WindowStatistics(window=4, statistics=("mean", "slope")).fit(frame, context)
    given = frame.aligned_to(["flow", "pressure"])
    features = fitted.transform(given)
    trace = features.lineage.rows(7)
    assert trace.linear.all()
    weights = trace.weights.toarray()
    for cell in range(given.values.size):
        values = given.values.copy()
        values.flat[cell] += 2.0
        moved = fitted.transform(given.with_numeric(values)).frame.values[7]
        np.testing.assert_allclose(weights[:, cell], (moved - features.frame.values[7]) / 2)


def test_other_lineage_shares_out_what_a_statistic_is_made_of(context: FitContext) -> None:
    frame = Frame.of([[9.0], [1.0], [3.0], [1.0], [-5.0]], ["x"])
    fitted = WindowStatistics(window=4, statistics=("sd", "min", "max", "energy"))
    trace = fitted.fit(frame, context).transform(frame).lineage.rows(1)
    assert not trace.linear.any()
    sd, lowest, highest, energy = trace.weights.toarray().tolist()
    assert sd == [0, 1, 9, 1, 25]
    assert lowest == [0, 0, 0, 0, 1]
    assert highest == [0, 0, 1, 0, 0]
    assert energy == [0, 1, 9, 1, 25]


def test_a_constant_window_has_no_spread_and_shares_equally(context: FitContext) -> None:
    frame = Frame.of([[0.1, 0.0]] * 3, ["x", "zero"])
    features = WindowStatistics(window=3).fit(frame, context).transform(frame)
    assert features.frame.values[0].tolist() == pytest.approx([0.1, 0, 0.1, 0.1, 0, 0.01] + [0] * 6)
    assert column(features, "x.sd").item() == 0.0
    assert column(features, "x.slope").item() == 0.0
    weights = features.lineage.rows(0).weights.toarray()
    for name in ("x.sd", "x.min", "x.max", "zero.sd", "zero.energy"):
        row = weights[features.frame.names.index(name)]
        cells = row[row != 0]
        assert len(cells) == 3
        assert len(set(cells)) == 1


def test_a_large_offset_costs_no_digits(context: FitContext) -> None:
    frame = Frame.of(2.0**40 + np.arange(7.0)[:, None] / 64)
    features = WindowStatistics(window=7).fit(frame, context).transform(frame)
    assert column(features, "x0.slope").item() == 1 / 64
    assert column(features, "x0.sd").item() == 2 / 64
    away = Frame.of(np.full((7, 1), 1e15 / 3))
    features = WindowStatistics(window=7).fit(away, context).transform(away)
    assert column(features, "x0.slope").item() == column(features, "x0.sd").item() == 0


def test_each_feature_says_whether_it_is_linear(
    rng: np.random.Generator, context: FitContext
) -> None:
    frame = plant(rng)
    features = WindowStatistics(window=3).fit(frame, context).transform(frame)
    linear = features.lineage.rows(0).linear
    assert [n for n, yes in zip(features.frame.names, linear, strict=True) if yes] == [
        "pressure.mean",
        "pressure.slope",
        "flow.mean",
        "flow.slope",
    ]


def test_huge_values_stay_finite(context: FitContext) -> None:
    frame = Frame.of([[1.7e308], [-1.7e308], [1.7e308]])
    features = WindowStatistics(window=3).fit(frame, context).transform(frame)
    assert np.isfinite(features.frame.values).all()


def test_a_window_longer_than_the_data_is_refused(
    rng: np.random.Generator, context: FitContext
) -> None:
    frame = plant(rng, 9)
    longest = int(np.bincount(frame.asset_index()).max())
    with pytest.raises(TooFewRowsError, match=f"window of {longest + 1} rows .* has {longest}"):
        WindowStatistics(window=longest + 1).fit(frame, context)
    WindowStatistics(window=longest).fit(frame, context)


def test_rows_without_a_full_window_are_dropped(
    rng: np.random.Generator, context: FitContext
) -> None:
    fitted = WindowStatistics(window=5).fit(plant(rng), context)
    few = fitted.transform(plant(rng).take(slice(0, 3)))
    assert few.frame.values.shape == (0, 12)


@pytest.mark.parametrize("statistics", [(), ("mean", "mean")])
def test_statistics_are_a_set(statistics: tuple[str, ...]) -> None:
    with pytest.raises(InvalidParameterError, match="none twice"):
        WindowStatistics(statistics=statistics)


def test_a_damaged_state_is_refused(rng: np.random.Generator, context: FitContext) -> None:
    state = WindowStatistics(window=3).fit(plant(rng), context).state()
    assert FittedWindowStatistics.from_state(state).window == 3
    for damage in ({"window": 1}, {"statistics": ["median"]}, {"window": "3"}):
        with pytest.raises(ArtifactCorruptError):
            FittedWindowStatistics.from_state(State(1, {**state.parameters, **damage}))
