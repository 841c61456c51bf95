"""A plugin that raises or breaks its contract is named, and takes nothing else with it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import pytest

from clarion.arrays import BoolArray, FloatArray
from clarion.detectors import DetectorTraits
from clarion.errors import PluginError
from clarion.explainers import Attribution, Label, Role, Scorable, Support
from clarion.features import (
    ExtractorTraits,
    Features,
    FitContext,
    Trace,
    row_wise,
    unit_weights,
)
from clarion.frames import Frame, Signal
from clarion.pipeline.answer import ExplanationPolicy, View
from clarion.pipeline.fit import fit
from clarion.pipeline.run import FittedPipeline
from clarion.pipeline.spec import PipelineSpec, Step
from clarion.registry import Registries

Fault = Callable[[Frame], object]
FAULTS: dict[str, Fault] = {}
"""What the plugins below do once the model is fitted."""


def raises(frame: Frame) -> object:
    raise RuntimeError("out of order")


@dataclass(frozen=True)
class FittedFaulty:
    signals: tuple[Signal, ...]

    def score(self, frame: Frame) -> object:
        if "score" in FAULTS and (faulty := FAULTS["score"](frame)) is not frame:
            return faulty
        return frame.numeric().sum(axis=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Faulty:
    traits: ClassVar[DetectorTraits] = DetectorTraits()

    def fit(self, frame: Frame, labels: BoolArray | None, context: FitContext) -> object:
        if "fit" in FAULTS:
            return FAULTS["fit"](frame)
        return FittedFaulty(frame.signals)


@dataclass(frozen=True)
class FaultyLineage:
    def rows(self, index: int) -> Trace:
        raise RuntimeError("no way back")


@dataclass(frozen=True)
class FittedFaultyStep:
    signals: tuple[Signal, ...]
    history: int = 0

    @property
    def reads(self) -> dict[str, tuple[str, ...]]:
        return {signal.name: (signal.name,) for signal in self.signals}

    def transform(self, frame: Frame) -> object:
        if "transform" in FAULTS:
            return FAULTS["transform"](frame)
        return row_wise(frame, unit_weights(len(self.signals)))


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultyStep:
    traits: ClassVar[ExtractorTraits] = ExtractorTraits()

    def fit(self, frame: Frame, context: FitContext) -> FittedFaultyStep:
        if "step" in FAULTS:
            FAULTS["step"](frame)
        return FittedFaultyStep(frame.signals)


@dataclass(frozen=True, slots=True, kw_only=True)
class Honest:
    """Gives every feature its value less the background's mean, scoring the background anew."""

    role: ClassVar[Role] = Role.DECOMPOSITION

    def supports(self, scorable: Scorable) -> Support:
        return Support(Label.EXACT, 0)

    def explain(
        self, scorable: Scorable, frame: Frame, *, evaluations: int, seeds: FloatArray
    ) -> Attribution:
        base = float(np.mean(scorable.score(scorable.background)))
        values = frame.numeric() - scorable.background.numeric().mean(axis=0)
        n = len(frame)
        return Attribution(values, np.full(n, base), Label.EXACT, "honest", "", np.zeros(n))


@pytest.fixture
def faulty(registries: Registries, normal: Frame) -> FittedPipeline:
    FAULTS.clear()
    registries.detectors.add("faulty", f"{__name__}:Faulty")
    registries.features.add("faulty_step", f"{__name__}:FaultyStep")
    registries.explainers.add("honest", f"{__name__}:Honest")
    return fit(SPEC, normal, registries=registries)


SPEC = PipelineSpec(Step("faulty"), (Step("faulty_step"),))
ALL = ExplanationPolicy(rows=(0,), explainer="honest", view=View.FULL)


def blamed(action: Callable[[], object], plugin: str, family: str) -> PluginError:
    with pytest.raises(PluginError) as caught:
        action()
    error = caught.value
    assert (error.metadata["plugin"], error.metadata["family"]) == (plugin, family)
    assert f"'{plugin}'" in error.message
    return error


def loud(n: int = 1) -> Frame:
    return Frame.of(np.full((n, 3), 1e4), ["p", "q", "r"])


@pytest.mark.parametrize(
    "fault",
    [
        raises,
        lambda frame: None,
        lambda frame: [0.0] * len(frame),
        lambda frame: np.zeros(len(frame) + 1),
        lambda frame: np.zeros((len(frame), 1)),
        lambda frame: np.zeros(len(frame), np.float32),
        lambda frame: np.full(len(frame), np.nan),
        lambda frame: np.full(len(frame), np.inf),
    ],
)
def test_a_detector_that_scores_wrongly_is_named(faulty: FittedPipeline, fault: Fault) -> None:
    FAULTS["score"] = fault
    blamed(lambda: faulty.run(loud(3)), "faulty", "detectors")


@pytest.mark.parametrize("fault", [raises, lambda frame: np.full(len(frame), np.nan)])
def test_a_detector_that_fails_only_while_it_is_explained_is_named(
    faulty: FittedPipeline, fault: Fault
) -> None:
    """Not the explainer, who asked it."""
    FAULTS["score"] = lambda frame: frame if len(frame) == 1 else fault(frame)
    blamed(lambda: faulty.run(loud(), ALL), "faulty", "detectors")


@pytest.mark.parametrize("fault", [raises, lambda frame: np.full(len(frame), np.nan)])
def test_a_detector_that_fails_only_on_edited_rows_is_named(
    faulty: FittedPipeline, fault: Fault
) -> None:
    def on_edited(frame: Frame) -> object:
        values = frame.numeric()
        mixed = ((values == 1e4).any(axis=1) & (values != 1e4).any(axis=1)).any()
        return fault(frame) if mixed else frame

    FAULTS["score"] = on_edited
    blamed(lambda: faulty.run(loud(), ALL), "faulty", "detectors")


def test_a_detector_that_fails_to_fit_is_named(
    faulty: FittedPipeline, registries: Registries, normal: Frame
) -> None:
    FAULTS["fit"] = raises
    error = blamed(lambda: fit(SPEC, normal, registries=registries), "faulty", "detectors")
    assert "RuntimeError" in error.message
    assert "out of order" in error.message


def short(frame: Frame) -> Features:
    whole = row_wise(frame, unit_weights(len(frame.signals)))
    return replace(whole, source_rows=whole.source_rows[:-1])


@pytest.mark.parametrize("fault", [raises, lambda frame: None, lambda frame: frame, short])
def test_an_extractor_that_transforms_wrongly_is_named(
    faulty: FittedPipeline, fault: Fault
) -> None:
    FAULTS["transform"] = fault
    blamed(lambda: faulty.run(loud(3)), "faulty_step", "features")


def test_an_extractor_that_transforms_wrongly_in_the_fit_is_named(
    faulty: FittedPipeline, registries: Registries, normal: Frame
) -> None:
    FAULTS["transform"] = short
    blamed(lambda: fit(SPEC, normal, registries=registries), "faulty_step", "features")


def test_an_extractor_that_fails_to_fit_is_named(
    faulty: FittedPipeline, registries: Registries, normal: Frame
) -> None:
    FAULTS["step"] = raises
    blamed(lambda: fit(SPEC, normal, registries=registries), "faulty_step", "features")


def test_an_extractor_that_cannot_lead_back_is_named(faulty: FittedPipeline) -> None:
    FAULTS["transform"] = lambda frame: Features(frame, np.arange(len(frame)), FaultyLineage())
    blamed(lambda: faulty.run(loud(), ALL), "faulty_step", "features")
    answer, _ = faulty.run(loud(), replace(ALL, view=View.BASIC))
    assert len(answer.explanations) == 1


def test_a_plugin_whose_own_check_of_parameters_raises_is_named(
    registries: Registries, normal: Frame
) -> None:
    registries.detectors.add("picky", f"{__name__}:Picky")
    with pytest.raises(PluginError, match="'picky'"):
        fit(PipelineSpec(Step("picky")), normal, registries=registries)


@dataclass(frozen=True, slots=True, kw_only=True)
class Picky:
    def __post_init__(self) -> None:
        raise ValueError("never right")


def test_a_plugin_that_fails_on_import_is_named(registries: Registries, normal: Frame) -> None:
    registries.detectors.add("gone", "clarion.no_such_module:Gone")
    with pytest.raises(PluginError, match="'gone'"):
        fit(PipelineSpec(Step("gone")), normal, registries=registries)
