"""Which rows a fit shows to whom. The first signal is the row's own number, and the score."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
import pytest

from clarion.arrays import BoolArray, FloatArray
from clarion.detectors import DetectorTraits, Paradigm
from clarion.features import ExtractorTraits, Features, FitContext, row_wise, unit_weights
from clarion.frames import Asset, Frame, Signal
from clarion.pipeline.fit import fit
from clarion.pipeline.run import FittedPipeline
from clarion.pipeline.spec import PipelineSpec, Step
from clarion.registry import Registries
from clarion.state import State


@dataclass
class Seen:
    """What the plugins below were shown."""

    by_detector: list[int] = field(default_factory=list)
    scored: list[list[int]] = field(default_factory=list)
    by_extractor: list[int] = field(default_factory=list)
    labels: BoolArray | None = None


SEEN = Seen()


@dataclass(frozen=True)
class FittedSpy:
    signals: tuple[Signal, ...]

    def score(self, frame: Frame) -> FloatArray:
        SEEN.scored.append(numbers(frame))
        return frame.numeric()[:, 0].copy()

    def state(self) -> State:
        return State(1)

    @classmethod
    def from_state(cls, state: State) -> FittedSpy:
        raise NotImplementedError


@dataclass(frozen=True, slots=True, kw_only=True)
class Spy:
    traits: ClassVar[DetectorTraits] = DetectorTraits()
    fitted: ClassVar[type[FittedSpy]] = FittedSpy

    def fit(self, frame: Frame, labels: BoolArray | None, context: FitContext) -> FittedSpy:
        SEEN.by_detector, SEEN.labels = numbers(frame), labels
        return FittedSpy(frame.signals)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ordered(Spy):
    traits: ClassVar[DetectorTraits] = DetectorTraits(ordered=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Taught(Spy):
    traits: ClassVar[DetectorTraits] = DetectorTraits(paradigm=Paradigm.SUPERVISED)


@dataclass(frozen=True, slots=True, kw_only=True)
class HalfTaught(Spy):
    traits: ClassVar[DetectorTraits] = DetectorTraits(paradigm=Paradigm.SEMI_SUPERVISED)


@dataclass(frozen=True)
class FittedSame:
    signals: tuple[Signal, ...]
    history: int = 0

    @property
    def reads(self) -> dict[str, tuple[str, ...]]:
        return {signal.name: (signal.name,) for signal in self.signals}

    def transform(self, frame: Frame) -> Features:
        return row_wise(frame, unit_weights(len(self.signals)))

    def state(self) -> State:
        return State(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Same:
    traits: ClassVar[ExtractorTraits] = ExtractorTraits()
    fitted: ClassVar[type[FittedSame]] = FittedSame

    def fit(self, frame: Frame, context: FitContext) -> FittedSame:
        SEEN.by_extractor = numbers(frame)
        return FittedSame(frame.signals)


def numbers(frame: Frame) -> list[int]:
    return [int(value) for value in frame.numeric()[:, 0]]


@pytest.fixture(autouse=True)
def spies(registries: Registries) -> Registries:
    global SEEN  # noqa: PLW0603 - plugins are built by name, so they share nothing else
    SEEN = Seen()
    for plugin in (Spy, Ordered, Taught, HalfTaught):
        registries.detectors.add(plugin.__name__, f"{__name__}:{plugin.__name__}")
    registries.features.add("Same", f"{__name__}:Same")
    return registries


def rows(n: int = 300, assets: int = 1, seed: int = 5) -> Frame:
    """Return ``n`` numbered rows in order, of randomly interleaved assets."""
    rng = np.random.default_rng(seed)
    values = np.column_stack([np.arange(n), rng.normal(size=n)])
    index = rng.integers(0, assets, n).astype(np.int32)
    return Frame.of(values, asset=index, assets=tuple(Asset(f"m{i}") for i in range(assets)))


def fitted(
    registries: Registries, detector: str, frame: Frame, *, rate: float = 0.05, **options: object
) -> FittedPipeline:
    labels = options.pop("labels", None)
    spec = PipelineSpec(Step(detector), (Step("Same"),), rate, **options)  # type: ignore[arg-type]
    return fit(spec, frame, labels, registries=registries)  # type: ignore[arg-type]


def calibrating(model: FittedPipeline) -> list[int]:
    return [int(score) for score in model.calibration.scores]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("ordered", [False, True])
def test_rows_that_calibrate_are_seen_by_no_fit(
    registries: Registries, seed: int, ordered: bool
) -> None:
    model = fitted(registries, "Spy", rows(assets=3), seed=seed, ordered=ordered)
    assert SEEN.by_extractor == SEEN.by_detector
    assert not set(SEEN.by_detector) & set(calibrating(model))
    assert sorted(SEEN.by_detector + calibrating(model)) == list(range(300))
    assert model.fitted_rows == len(SEEN.by_detector)


@pytest.mark.parametrize("ordered", [False, True])
def test_an_ensemble_keeps_rows_apart_inside_its_own_share(
    registries: Registries, ordered: bool
) -> None:
    """Fit, members' calibration, final calibration: three sets, and together all rows."""
    step = Step("ensemble", {"members": [{"plugin": "Spy"}]})
    spec = PipelineSpec(step, (Step("Same"),), 0.05, ordered)
    model = fit(spec, rows(assets=2), known(), registries=registries)
    learned, calibrated_members = SEEN.by_detector, SEEN.scored[0]
    final = set(range(300)) - set(SEEN.by_extractor) - set(np.flatnonzero(known()).tolist())
    assert len(final) == model.calibration.rows
    assert not set(learned) & set(calibrated_members)
    assert sorted(learned + calibrated_members) == SEEN.by_extractor
    assert len(learned) > len(calibrated_members) >= 20


def test_rows_without_order_calibrate_by_a_draw_of_the_seed(registries: Registries) -> None:
    draws = [calibrating(fitted(registries, "Spy", rows(), seed=s)) for s in (0, 0, 1)]
    assert draws[0] == draws[1] != draws[2]
    assert min(draws[0]) < 75  # not the last quarter
    assert len(draws[0]) == 75


@pytest.mark.parametrize(("detector", "ordered"), [("Spy", True), ("Ordered", False)])
def test_ordered_rows_calibrate_on_the_last_of_each_asset(
    registries: Registries, detector: str, ordered: bool
) -> None:
    frame = rows(assets=3)
    model = fitted(registries, detector, frame, ordered=ordered)
    assert model.spec.ordered
    held = set(calibrating(model))
    for asset in range(3):
        of_asset = np.flatnonzero(frame.asset_index() == asset).tolist()
        here = [row for row in of_asset if row in held]
        assert here == of_asset[-len(here) :]
        assert len(here) == pytest.approx(len(of_asset) / 4, abs=1)


def known(n: int = 300) -> BoolArray:
    return np.random.default_rng(8).uniform(size=n) < 0.2


@pytest.mark.parametrize("ordered", [False, True])
def test_known_anomalies_reach_neither_an_unsupervised_fit_nor_the_calibration(
    registries: Registries, ordered: bool
) -> None:
    bad = set(np.flatnonzero(known()).tolist())
    model = fitted(registries, "Spy", rows(assets=2), ordered=ordered, labels=known())
    assert SEEN.labels is None
    assert sorted(SEEN.by_detector + calibrating(model)) == sorted(set(range(300)) - bad)
    assert SEEN.by_extractor == SEEN.by_detector


@pytest.mark.parametrize("detector", ["Taught", "HalfTaught"])
def test_a_taught_detector_sees_known_anomalies_with_their_labels(
    registries: Registries, detector: str
) -> None:
    bad = set(np.flatnonzero(known()).tolist())
    model = fitted(registries, detector, rows(), labels=known())
    assert SEEN.labels is not None
    assert [n in bad for n in SEEN.by_detector] == SEEN.labels.tolist()
    assert bad < set(SEEN.by_detector)
    assert not bad & set(SEEN.by_extractor)
    assert not (bad | set(SEEN.by_detector)) & set(calibrating(model))


def test_a_half_taught_detector_does_without_labels(registries: Registries) -> None:
    fitted(registries, "HalfTaught", rows())
    assert SEEN.labels is None


@pytest.mark.parametrize("ordered", [False, True])
def test_the_background_is_normal_and_raises_no_alarm(
    registries: Registries, ordered: bool
) -> None:
    model = fitted(registries, "Spy", rows(), rate=0.3, ordered=ordered, labels=known())
    drawn = numbers(model.background.rows)
    assert len(set(drawn)) == 128
    assert not set(drawn) & set(np.flatnonzero(known()).tolist())
    assert max(drawn) < model.calibration.threshold(0.3)


def test_the_background_is_as_large_as_asked_or_all_there_is(registries: Registries) -> None:
    assert len(fitted(registries, "Spy", rows(), background_rows=7).background) == 7
    few = fitted(registries, "Spy", rows(60), background_rows=1000)
    quiet = np.arange(60) < few.calibration.threshold(0.05)
    assert numbers(few.background.rows) == np.flatnonzero(quiet).tolist()
