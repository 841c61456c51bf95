"""``encode`` and ``impute`` go in exactly where needed, and what was fitted can be fitted again."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest

from clarion.arrays import BoolArray, FloatArray
from clarion.detectors import DetectorTraits
from clarion.errors import UnsupportedPairError
from clarion.explaining.background import Background
from clarion.features import FitContext
from clarion.frames import Frame, Signal, SignalKind
from clarion.parameters import parameter
from clarion.pipeline.answer import ExplainedRows, ExplanationPolicy
from clarion.pipeline.fit import fit
from clarion.pipeline.run import FittedPipeline
from clarion.pipeline.spec import PipelineSpec, Step
from clarion.registry import Registries
from clarion.state import State
from clarion.tables import from_columns

EVERY_KIND = frozenset({SignalKind.NUMERIC, SignalKind.CATEGORICAL})


@dataclass(frozen=True)
class FittedTakesAll:
    signals: tuple[Signal, ...]

    def score(self, frame: Frame) -> FloatArray:
        return np.nan_to_num(frame.values[:, 0].astype(np.float64))

    def state(self) -> State:
        return State(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class TakesAll:
    traits: ClassVar[DetectorTraits] = DetectorTraits(signal_kinds=EVERY_KIND, missing_values=True)
    depth: int = parameter(3, "Nothing.")

    def fit(self, frame: Frame, labels: BoolArray | None, context: FitContext) -> FittedTakesAll:
        return FittedTakesAll(frame.signals)


def table(*, words: bool = False, holes: bool = False, n: int = 400) -> Frame:
    rng = np.random.default_rng(3)
    columns = {"x": rng.normal(size=n), "y": rng.normal(size=n)}
    if holes:
        columns["y"][::7] = np.nan
    if words:
        columns |= {"mode": rng.choice(["idle", "run", "stop"], n)}
    return from_columns(columns)


def fitted(registries: Registries, spec: PipelineSpec, frame: Frame) -> FittedPipeline:
    return fit(spec, frame, registries=registries)


def steps(model: FittedPipeline) -> list[str]:
    assert [name for name, _ in model.chain.steps] == [s.plugin for s in model.spec.features]
    return [step.plugin for step in model.spec.features]


@pytest.mark.parametrize(
    ("words", "holes", "asked", "expected"),
    [
        (False, False, [], []),
        (True, False, [], ["encode"]),
        (False, True, [], ["impute"]),
        (True, True, [], ["encode", "impute"]),
        (True, False, ["standardize"], ["encode", "standardize"]),
        (False, True, ["standardize"], ["standardize", "impute"]),
        (False, True, ["window_statistics"], ["impute", "window_statistics"]),
        (True, True, ["encode", "impute"], ["encode", "impute"]),
        (False, False, ["impute"], ["impute"]),
    ],
)
def test_steps_go_in_exactly_where_needed(
    registries: Registries, words: bool, holes: bool, asked: list[str], expected: list[str]
) -> None:
    spec = PipelineSpec(Step("mahalanobis"), tuple(Step(name) for name in asked))
    assert steps(fitted(registries, spec, table(words=words, holes=holes))) == expected


def test_a_detector_that_takes_all_gets_all(registries: Registries) -> None:
    registries.detectors.add("takes_all", f"{__name__}:TakesAll")
    model = fitted(registries, PipelineSpec(Step("takes_all")), table(words=True, holes=True))
    assert steps(model) == []
    assert model.detector.signals == model.signals


def test_what_a_detector_takes_as_words_is_scored_stored_and_refused_an_explanation(
    registries: Registries,
) -> None:
    """Clearly, and only where one is asked for."""
    registries.detectors.add("takes_all", f"{__name__}:TakesAll")
    frame = table(words=True, holes=True)
    model = fitted(registries, PipelineSpec(Step("takes_all")), frame)
    nothing = ExplanationPolicy(ExplainedRows.NONE)
    scores = model.run(frame, nothing)[0].scores
    with pytest.raises(UnsupportedPairError, match="'mode'"):
        model.run(frame)
    allowed = model.run(frame, ExplanationPolicy(allow_unexplained=True))[0]
    assert allowed.explanations == ()
    np.testing.assert_array_equal(allowed.scores, scores)
    back = Background.from_state(model.background.state())
    assert back.id == model.background.id
    np.testing.assert_array_equal(back.rows.codes, model.background.rows.codes)


def test_the_spec_as_fitted_holds_every_parameter(registries: Registries) -> None:
    registries.detectors.add("takes_all", f"{__name__}:TakesAll")
    model = fitted(registries, PipelineSpec(Step("takes_all"), (Step("standardize"),)), table())
    assert model.spec.detector == Step("takes_all", {"depth": 3})
    assert model.spec.features == (Step("standardize", {"centered": True}),)


WINDOW = Step("window_statistics", {"window": 4, "statistics": ["mean", "max"]})


FOREST = Step("isolation_forest", {"trees": 9})


@pytest.mark.parametrize("detector", [Step("mahalanobis"), FOREST, Step("ecod"), Step("ewma")])
@pytest.mark.parametrize("features", [(), (WINDOW, Step("standardize"))])
def test_what_was_fitted_fitted_again_is_the_same_model(
    registries: Registries,
    state_bytes: Callable[[State], bytes],
    detector: Step,
    features: tuple[Step, ...],
) -> None:
    frame = table(words=True, holes=True)
    first = fitted(registries, PipelineSpec(detector, features, seed=9), frame)
    written = PipelineSpec.from_json(json.loads(json.dumps(first.spec.to_json())))
    again = fitted(registries, written, frame)
    assert again.spec == first.spec
    assert state_bytes(again.state()) == state_bytes(first.state())
    assert again.calibration.id == first.calibration.id
    other = fitted(registries, PipelineSpec(detector, features, seed=10), frame)
    assert state_bytes(other.state()) != state_bytes(first.state())
