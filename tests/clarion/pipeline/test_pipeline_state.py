from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from clarion.errors import ArtifactCorruptError, ClarionError, PluginNotFoundError
from clarion.frames import Frame
from clarion.pipeline.answer import Answer, ExplanationPolicy, View
from clarion.pipeline.calibrate import Calibration
from clarion.pipeline.fit import fit
from clarion.pipeline.run import FittedPipeline
from clarion.pipeline.spec import PipelineSpec, Step
from clarion.registry import Registries
from clarion.state import State
from clarion.tables import from_columns

Model = Callable[..., FittedPipeline]
Watched = Callable[..., Frame]
Told = Callable[[Answer, Frame], dict[str, str]]

SCALE = Step("standardize")
WINDOW = Step("window_statistics", {"window": 3})


def restored(model: FittedPipeline, registries: Registries) -> FittedPipeline:
    calibration = Calibration.from_state(model.calibration.state())
    back = FittedPipeline.from_state(model.state(), calibration, registries)
    return replace(back, digest=model.digest)


def test_a_model_comes_back_as_it_was(
    model: Model,
    registries: Registries,
    watched: Watched,
    told: Told,
    state_bytes: Callable[[State], bytes],
    any_detector: str,
) -> None:
    before, frame = model(any_detector, SCALE), watched(90, spikes=0.02)
    after = restored(before, registries)
    assert state_bytes(after.state()) == state_bytes(before.state())
    assert (after.spec, after.signals) == (before.spec, before.signals)
    assert (after.fitted_rows, after.history) == (before.fitted_rows, before.history)
    assert (after.background.id, after.calibration.id) == (
        before.background.id,
        before.calibration.id,
    )
    policy = ExplanationPolicy()
    assert told(after.run(frame, policy)[0], frame) == told(before.run(frame, policy)[0], frame)


def test_windows_come_back_too(
    model: Model, registries: Registries, watched: Watched, told: Told
) -> None:
    before, frame = model("ewma", WINDOW, SCALE), watched(60, spikes=0.05)
    policy, after = ExplanationPolicy(view=View.FULL), restored(before, registries)
    assert told(after.run(frame, policy)[0], frame) == told(before.run(frame, policy)[0], frame)


def test_words_and_holes_come_back_too(
    registries: Registries, state_bytes: Callable[[State], bytes]
) -> None:
    rng = np.random.default_rng(0)
    columns: dict[str, Any] = {"x": rng.normal(size=400), "mode": rng.choice(["a", "b"], 400)}
    columns["x"][::9] = np.nan
    before = fit(PipelineSpec(Step("knn")), from_columns(columns), registries=registries)
    after = restored(before, registries)
    assert state_bytes(after.state()) == state_bytes(before.state())
    odd = from_columns({"x": np.array([np.nan, 40.0]), "mode": np.array(["b", "never seen"])})
    one, other = (m.run(odd)[0] for m in (before, after))
    assert repr(one.explanations) == repr(other.explanations)
    np.testing.assert_array_equal(one.scores, other.scores)


def broken(state: State, **changes: Any) -> State:
    return replace(state, parameters={**state.parameters, **changes})


def without(state: State, name: str) -> State:
    arrays = {key: array for key, array in state.arrays.items() if not key.startswith(name)}
    return replace(state, arrays=arrays)


@pytest.mark.parametrize(
    "harm",
    [
        lambda state: replace(state, version=99),
        lambda state: replace(state, parameters={}),
        lambda state: broken(state, spec={}),
        lambda state: broken(state, spec={"detector": "mahalanobis", "seed": -1}),
        lambda state: broken(state, spec="mahalanobis"),
        lambda state: broken(state, signals=[{"name": "p"}]),
        lambda state: broken(state, signals=3),
        lambda state: broken(state, fitted_rows="many"),
        lambda state: broken(state, parts={}),
        lambda state: broken(state, parts={"detector": 1}),
        lambda state: without(state, "detector/"),
        lambda state: without(state, "step0/"),
        lambda state: without(state, "background/"),
        lambda state: without(state, "background/values"),
        lambda state: replace(
            state, arrays={**state.arrays, "background/rows": state.arrays["background/rows"][:3]}
        ),
    ],
)
def test_a_state_that_is_not_whole_is_refused(
    model: Model, registries: Registries, harm: Callable[[State], State]
) -> None:
    whole = model("mahalanobis", SCALE)
    with pytest.raises(ArtifactCorruptError):
        FittedPipeline.from_state(harm(whole.state()), whole.calibration, registries)


def test_a_calibration_that_is_not_whole_is_refused(model: Model) -> None:
    state = model("mahalanobis").calibration.state()
    for harmed in (
        replace(state, version=1),
        replace(state, arrays={}),
        replace(state, parameters={}),
        replace(state, parameters={**state.parameters, "default_rate": "one"}),
        replace(state, parameters={**state.parameters, "promise": "perhaps"}),
        replace(state, parameters={**state.parameters, "classes": ["pump"]}),
        replace(state, parameters={**state.parameters, "classes": [1]}),
        replace(state, parameters={**state.parameters, "step_seconds": -1.0}),
        replace(state, arrays={"scores": np.array([1.0, np.nan])}),
        replace(state, arrays={"scores": np.ones((2, 2))}),
        replace(state, arrays={"scores": np.empty(0)}),
    ):
        with pytest.raises(ArtifactCorruptError):
            Calibration.from_state(harmed)


def test_a_plugin_that_is_not_loaded_is_named(model: Model) -> None:
    whole, none = model("mahalanobis", SCALE), Registries()
    with pytest.raises(ClarionError) as caught:
        FittedPipeline.from_state(whole.state(), whole.calibration, none)
    assert isinstance(caught.value, PluginNotFoundError)
    assert caught.value.metadata["plugin"] == "standardize"
