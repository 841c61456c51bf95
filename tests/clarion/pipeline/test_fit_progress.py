from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest

from clarion.arrays import BoolArray
from clarion.detectors import DetectorTraits, FittedDetector
from clarion.errors import OperationCancelledError
from clarion.features import ExtractorTraits, FitContext, FittedExtractor
from clarion.frames import Frame
from clarion.pipeline.fit import fit
from clarion.pipeline.spec import PipelineSpec, Step
from clarion.registry import Registries
from clarion_detectors.mahalanobis import Mahalanobis
from clarion_features.standardize import Standardize


@dataclass(frozen=True, slots=True, kw_only=True)
class Talkative:
    """Reports its own progress, and once backwards."""

    traits: ClassVar[DetectorTraits] = DetectorTraits()

    def fit(self, frame: Frame, labels: BoolArray | None, context: FitContext) -> FittedDetector:
        for share in (0.0, 0.6, 0.4, 1.0):
            context.progress(share, f"{share:.0%} of the detector")
        return Mahalanobis().fit(frame, labels, context)


@dataclass(frozen=True, slots=True, kw_only=True)
class TalkativeStep:
    traits: ClassVar[ExtractorTraits] = ExtractorTraits()

    def fit(self, frame: Frame, context: FitContext) -> FittedExtractor:
        for share in (0.0, 1.0):
            context.progress(share, "a step")
        return Standardize().fit(frame, context)


@pytest.fixture
def talkative(registries: Registries) -> PipelineSpec:
    registries.detectors.add("talkative", f"{__name__}:Talkative")
    registries.features.add("talkative", f"{__name__}:TalkativeStep")
    return PipelineSpec(Step("talkative"), (Step("talkative"), Step("talkative")))


def test_progress_never_falls_and_ends_at_one(
    registries: Registries, normal: Frame, talkative: PipelineSpec
) -> None:
    said: list[tuple[float, str]] = []
    fit(
        talkative,
        normal,
        registries=registries,
        progress=lambda share, doing: said.append((share, doing)),
    )
    shares = [share for share, _ in said]
    assert shares == sorted(shares)
    assert 0 <= shares[0] < shares[-1] == 1.0
    assert {"a step", "60% of the detector"} <= {doing for _, doing in said}
    assert all(share < 1 for share in shares[:-1])


@pytest.mark.parametrize("asked", range(1, 5))
def test_a_cancelled_fit_stops(
    registries: Registries, normal: Frame, talkative: PipelineSpec, asked: int
) -> None:
    """Whenever it is cancelled before all is done, however often it asks."""
    calls = 0

    def cancelled() -> bool:
        nonlocal calls
        calls += 1
        return calls >= asked

    with pytest.raises(OperationCancelledError):
        fit(talkative, normal, registries=registries, cancelled=cancelled)


def test_a_fit_cancelled_while_its_detector_learns_gives_no_model(
    registries: Registries, normal: Frame, talkative: PipelineSpec
) -> None:
    learning = False

    def progress(share: float, doing: str) -> None:
        nonlocal learning
        learning = learning or doing == "100% of the detector"

    with pytest.raises(OperationCancelledError):
        fit(talkative, normal, registries=registries, progress=progress, cancelled=lambda: learning)


def test_the_frame_given_is_left_as_it_was(registries: Registries, normal: Frame) -> None:
    values, labels = normal.values.copy(), np.arange(400) < 20
    before = labels.copy()
    fit(
        PipelineSpec(Step("mahalanobis"), (Step("standardize"),)),
        normal,
        labels,
        registries=registries,
    )
    np.testing.assert_array_equal(normal.values, values)
    np.testing.assert_array_equal(labels, before)


@pytest.mark.parametrize("ordered", [False, True])
def test_the_order_of_signals_changes_no_score(
    registries: Registries, normal: Frame, ordered: bool
) -> None:
    """Names decide, not places: to rounding, for the fit's sums run in another order."""
    spec = PipelineSpec(Step("mahalanobis"), (Step("standardize"),), ordered=ordered)
    turned = normal.aligned_to(["r", "p", "q"])
    one, other = (fit(spec, frame, registries=registries) for frame in (normal, turned))
    np.testing.assert_allclose(
        one.run(normal)[0].scores, other.run(normal)[0].scores, rtol=1e-9, atol=1e-9
    )
