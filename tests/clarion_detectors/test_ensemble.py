from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from clarion.detectors import LinkedSum
from clarion.errors import (
    ArtifactCorruptError,
    InvalidParameterError,
    PluginNotFoundError,
    TooFewRowsError,
)
from clarion.features import FitContext
from clarion.frames import Asset, Frame, SignalKind
from clarion.parameters import schema
from clarion.plugins import load_plugins
from clarion.state import State
from clarion.testing import DetectorCase, detector_checks
from clarion.testing.data import normal
from clarion_detectors.conformal_link import ConformalLink
from clarion_detectors.ensemble import Ensemble, FittedEnsemble
from clarion_detectors.isolation_forest import IsolationForest
from clarion_detectors.knn import Knn
from clarion_detectors.mahalanobis import Mahalanobis

FOREST: dict[str, Any] = {"plugin": "isolation_forest", "parameters": {"trees": 10}}


def plant(rng: np.random.Generator, rows: int = 200) -> Frame:
    return Frame.of(
        rng.normal(size=(rows, 3)) * [1, 20, 0.1],
        asset=(np.arange(rows) % 2).astype(np.int32),
        assets=(Asset("a"), Asset("b")),
    )


def test_the_score_is_the_mean_of_the_members_surprise(
    rng: np.random.Generator, context: FitContext
) -> None:
    frame, held_out, given = plant(rng), plant(rng, 90), plant(rng, 40)
    context = replace(context, held_out=held_out)
    members = ({"plugin": "mahalanobis", "parameters": {"shrinkage": 0.5}}, FOREST)
    fitted = Ensemble(members=members).fit(frame, None, context)
    twin = replace(context, rng=np.random.default_rng(11))
    expected = np.zeros(40)
    for plugin in (Mahalanobis(shrinkage=0.5), IsolationForest(trees=10)):
        member = plugin.fit(frame, None, twin)
        expected += ConformalLink.of(member.score(held_out))(member.score(given)) / 2
    np.testing.assert_allclose(fitted.score(given), expected, rtol=1e-12)
    assert isinstance(fitted, LinkedSum)


@pytest.mark.parametrize("calibrate_on", ["last", "random"])
def test_without_held_out_rows_it_keeps_some_of_each_asset_apart(
    rng: np.random.Generator, context: FitContext, calibrate_on: str
) -> None:
    frame = plant(rng)
    seen: list[Frame] = []

    class Spy(Mahalanobis):
        def fit(self, frame: Frame, labels: Any, context: FitContext) -> Any:
            seen.append(frame)
            return Mahalanobis.fit(self, frame, labels, context)

    context.registries.detectors._loaded["mahalanobis"] = Spy
    ensemble = Ensemble(
        members=({"plugin": "mahalanobis"},), calibration_share=0.3, calibrate_on=calibrate_on
    )
    fitted = ensemble.fit(frame, None, context)
    assert len(seen[0]) == 140
    assert np.bincount(seen[0].asset_index()).tolist() == [70, 70]
    assert (seen[0].values == frame.values[:140]).all() == (calibrate_on == "last")
    rest = np.flatnonzero(~np.isin(frame.values[:, 0], seen[0].values[:, 0]))
    scores = fitted.members()[0].score(frame.take(rest))
    np.testing.assert_array_equal(fitted.links[0].knots, np.sort(scores))


def test_a_member_that_cannot_be_one_is_named(
    rng: np.random.Generator, context: FitContext
) -> None:
    frame = plant(rng)
    for member, field in (
        ({"plugin": "ewma"}, "parameters.members[1].plugin"),
        ({"plugin": "knn", "parameters": {"neighbours": 0}}, ".members[1].parameters.neighbours"),
    ):
        with pytest.raises(InvalidParameterError) as caught:
            Ensemble(members=(FOREST, member)).fit(frame, None, context)
        assert caught.value.field.endswith(field)
    with pytest.raises(PluginNotFoundError, match="'knnn'"):
        Ensemble(members=({"plugin": "knnn"},)).fit(frame, None, context)


@pytest.mark.parametrize(
    "members",
    [
        (),
        ({},),
        ({"plugin": 3},),
        ({"plugin": "knn", "k": 3},),
        ({"plugin": "knn", "parameters": []},),
        ({"plugin": "knn", "signals": "x0"},),
        ({"plugin": "knn", "signals": [0]},),
        ({"plugin": "knn", "signals": ["*"] * 65},),
    ],
)
def test_what_is_no_list_of_members_is_refused(members: tuple[dict[str, Any], ...]) -> None:
    with pytest.raises(InvalidParameterError, match="member") as caught:
        Ensemble(members=members)
    assert caught.value.field.startswith("parameters.members")


def test_too_few_rows_to_calibrate_on_are_refused(
    rng: np.random.Generator, context: FitContext
) -> None:
    with pytest.raises(TooFewRowsError, match="at least 20 rows, and there are 18"):
        Ensemble().fit(plant(rng, 72), None, context)
    with pytest.raises(TooFewRowsError, match="at least 20 rows, and there are 19"):
        Ensemble().fit(plant(rng), None, replace(context, held_out=plant(rng, 19)))


def test_an_anomaly_of_either_kind_stands_out(
    rng: np.random.Generator, context: FitContext
) -> None:
    first = rng.normal(size=2000)
    frame = Frame.of(np.column_stack([first, first + 0.1 * rng.normal(size=2000)]))
    fitted = Ensemble().fit(frame, None, context)
    normal = fitted.score(frame)
    apart, far = fitted.score(Frame.of([[1.0, -1.0], [8.0, 8.0]]))
    assert min(apart, far) > normal.max()


def test_huge_values_stay_finite(rng: np.random.Generator, context: FitContext) -> None:
    fitted = Ensemble(members=({"plugin": "mahalanobis"}, {"plugin": "knn"}, FOREST)).fit(
        plant(rng), None, context
    )
    assert np.isfinite(fitted.score(Frame.of([[1.7e308, -1.7e308, 0.0]]))).all()


def test_the_state_gives_the_same_bits_back(rng: np.random.Generator, context: FitContext) -> None:
    inner = {"plugin": "ensemble", "parameters": {"members": [{"plugin": "ecod"}]}}
    fitted = Ensemble(members=(FOREST, inner)).fit(plant(rng, 400), None, context)
    given = plant(rng, 30)
    state = fitted.state()
    again = FittedEnsemble.from_state(state)
    assert again.score(given).tobytes() == fitted.score(given).tobytes()
    assert again.plugins == ("isolation_forest", "ensemble")


def test_a_state_names_plugins_and_nothing_else(
    rng: np.random.Generator, context: FitContext
) -> None:
    state = Ensemble(members=(FOREST,)).fit(plant(rng), None, context).state()

    def restored(plugins: list[str]) -> FittedEnsemble:
        own = {**state.parameters["ensemble"]["parameters"], "plugins": plugins}
        ensemble = {**state.parameters["ensemble"], "parameters": own}
        return FittedEnsemble.from_state(
            State(1, {**state.parameters, "ensemble": ensemble}, state.arrays)
        )

    assert restored(["isolation_forest"]).plugins == ("isolation_forest",)
    with pytest.raises(PluginNotFoundError, match="os:system"):
        restored(["os:system"])
    with pytest.raises(ArtifactCorruptError, match="member1"):
        restored(["isolation_forest", "knn"])


def test_members_are_described_for_programs() -> None:
    described = schema(Ensemble)["properties"]["members"]
    assert described["items"] == {"type": "object"}
    assert [member["plugin"] for member in described["default"]] == ["mahalanobis", "knn"]


LAST: dict[str, Any] = {"plugin": "knn", "signals": ["*2"]}


def test_members_read_the_signals_they_name(rng: np.random.Generator, context: FitContext) -> None:
    frame, held_out, given = plant(rng), plant(rng, 90), plant(rng, 40)
    context = replace(context, held_out=held_out)
    fitted = Ensemble(members=(FOREST, LAST)).fit(frame, None, context)
    assert [[s.name for s in m.signals] for m in fitted.members()] == [["x0", "x1", "x2"], ["x2"]]
    alone = Knn().fit(Frame.of(frame.values[:, 2:], ["x2"]), None, context)
    link = ConformalLink.of(alone.score(Frame.of(held_out.values[:, 2:], ["x2"])))
    expected = link(alone.score(Frame.of(given.values[:, 2:], ["x2"]))) / 2
    first = fitted.linked(0, fitted.members()[0].score(given))
    np.testing.assert_allclose(fitted.score(given), first + expected, rtol=1e-12)


def test_an_ensemble_over_parts_keeps_every_law() -> None:
    names = normal({SignalKind.NUMERIC}, 1, seed=1).names
    members = ({"plugin": "mahalanobis"}, {"plugin": "knn", "signals": [names[1]]})
    case = DetectorCase(Ensemble(members=members), load_plugins())
    for check in detector_checks():
        check(case)


def test_signals_that_are_not_there_are_named(
    rng: np.random.Generator, context: FitContext
) -> None:
    with pytest.raises(InvalidParameterError, match=r"none of the 3 signals .*\*\.mean") as caught:
        Ensemble(members=(FOREST, {**LAST, "signals": ["*.mean"]})).fit(plant(rng), None, context)
    assert caught.value.field == "parameters.members[1].signals"
