from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest

from clarion.arrays import BoolArray
from clarion.detectors import DetectorTraits, Paradigm
from clarion.errors import (
    ClarionError,
    InvalidFrameError,
    InvalidParameterError,
    PluginNotFoundError,
    TooFewRowsError,
)
from clarion.features import FitContext
from clarion.frames import Frame, Signal, SignalKind
from clarion.pipeline.fit import fit
from clarion.pipeline.spec import PipelineSpec, Step
from clarion.registry import Registries
from clarion.tables import from_columns

MAHALANOBIS = PipelineSpec(Step("mahalanobis"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Taught:
    traits: ClassVar[DetectorTraits] = DetectorTraits(paradigm=Paradigm.SUPERVISED)

    def fit(self, frame: Frame, labels: BoolArray | None, context: FitContext) -> None:
        raise AssertionError("labels must be checked before the fit")


def refused(
    registries: Registries,
    spec: PipelineSpec,
    frame: Frame,
    labels: BoolArray | None = None,
) -> ClarionError:
    with pytest.raises(ClarionError) as caught:
        fit(spec, frame, labels, registries=registries)
    return caught.value


def test_an_empty_frame(registries: Registries) -> None:
    error = refused(registries, MAHALANOBIS, Frame.of(np.empty((0, 2))))
    assert isinstance(error, InvalidFrameError)
    assert error.field == "frame"


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (None, "needs labels"),
        (np.zeros(400, np.bool_), "all labels say normal"),
        (np.ones(400, np.bool_), "all labels say anomalous"),
        (np.zeros(399, np.bool_), "399 labels for 400 rows"),
        (np.zeros((400, 1), np.bool_), "labels"),
    ],
)
def test_labels_that_teach_nothing(
    registries: Registries, normal: Frame, labels: BoolArray | None, message: str
) -> None:
    registries.detectors.add("taught", f"{__name__}:Taught")
    error = refused(registries, PipelineSpec(Step("taught")), normal, labels)
    assert isinstance(error, InvalidParameterError)
    assert error.field == "labels"
    assert message in error.message


@pytest.mark.parametrize("ordered", [False, True])
@pytest.mark.parametrize("bad", [0, 30])
def test_too_few_normal_rows_name_what_is_needed(
    registries: Registries, normal: Frame, ordered: bool, bad: int
) -> None:
    """99 rows to calibrate and as many to learn from, of 1 % false alarms."""
    spec = PipelineSpec(Step("mahalanobis"), ordered=ordered)
    labels = np.arange(400) < bad

    def first(rows: int) -> tuple[Frame, BoolArray]:
        return normal.take(slice(0, rows + bad)), labels[: rows + bad]

    error = refused(registries, spec, *first(197))
    assert isinstance(error, TooFewRowsError)
    assert error.field == "frame"
    assert error.metadata["needed"] == "99"
    assert "198" in error.message
    assert fit(spec, *first(198), registries=registries).calibration.rows == 99


@pytest.mark.parametrize(("rows", "window"), [(300, 301), (300, 290), (300, 250)])
def test_a_window_longer_than_the_data(
    registries: Registries, normal: Frame, rows: int, window: int
) -> None:
    """Also where some rows fill a window, but none of those that are learned from."""
    steps = (Step("window_statistics", {"window": window}), Step("standardize"))
    error = refused(
        registries, PipelineSpec(Step("mahalanobis"), steps), normal.take(slice(0, rows))
    )
    assert isinstance(error, TooFewRowsError)
    assert "window" in error.message or "calibration" in error.message


def test_a_window_that_leaves_too_few_rows_to_calibrate(
    registries: Registries, normal: Frame
) -> None:
    spec = PipelineSpec(Step("mahalanobis"), (Step("window_statistics", {"window": 150}),))
    short = normal.take(slice(0, 200))
    assert isinstance(refused(registries, spec, short), TooFewRowsError)


@pytest.mark.parametrize(
    "spec",
    [
        PipelineSpec(Step("nonsense")),
        PipelineSpec(Step("mahalanobis"), (Step("standardize"), Step("nonsense"))),
    ],
)
@pytest.mark.parametrize("ordered", [False, True])
def test_an_unknown_plugin_is_named_beside_those_there_are(
    registries: Registries, normal: Frame, spec: PipelineSpec, ordered: bool
) -> None:
    asked = PipelineSpec(spec.detector, spec.features, ordered=ordered)
    error = refused(registries, asked, normal)
    assert isinstance(error, PluginNotFoundError)
    assert error.metadata["plugin"] == "nonsense"
    family = "detectors" if not spec.features else "features"
    assert all(entry.name in error.message for entry in registries.of(family))


def test_a_bad_parameter_of_the_detector_is_named_by_its_path(
    registries: Registries, normal: Frame
) -> None:
    error = refused(registries, PipelineSpec(Step("mahalanobis", {"shrinkage": 2.0})), normal)
    assert isinstance(error, InvalidParameterError)
    assert error.field == "spec.detector.parameters.shrinkage"


def words(n: int = 400) -> Frame:
    rng = np.random.default_rng(2)
    return from_columns({"x": rng.normal(size=n), "mode": rng.choice(["a", "b"], n)})


@pytest.mark.parametrize(("detector", "ordered"), [("pca", False), ("pca", True), ("ewma", False)])
@pytest.mark.parametrize("wrong", [{"centered": 3}, {"scale": 1}])
def test_a_bad_parameter_of_a_step_is_named_by_the_place_it_was_asked_for(
    registries: Registries, detector: str, ordered: bool, wrong: dict[str, object]
) -> None:
    """Also where the fit puts a step of its own in front."""
    steps = (Step("standardize"), Step("standardize", wrong))
    error = refused(registries, PipelineSpec(Step(detector), steps, ordered=ordered), words())
    assert isinstance(error, InvalidParameterError)
    assert error.field == f"spec.features[1].parameters.{next(iter(wrong))}"


def test_a_parameter_that_the_step_itself_refuses_has_its_path(
    registries: Registries, normal: Frame
) -> None:
    twice = Step("window_statistics", {"statistics": ["mean", "mean"]})
    error = refused(registries, PipelineSpec(Step("mahalanobis"), (twice,)), normal)
    assert isinstance(error, InvalidParameterError)
    assert error.field == "spec.features[0].parameters.statistics"


@pytest.mark.parametrize(
    ("member", "field"),
    [
        ({"plugin": "knn", "parameters": {"neighbours": 0}}, ".parameters.neighbours"),
        ({"plugin": "ewma"}, ".plugin"),
        ({"name": "knn"}, ""),
    ],
)
def test_a_bad_member_of_an_ensemble_has_its_path(
    registries: Registries, normal: Frame, member: dict[str, object], field: str
) -> None:
    step = Step("ensemble", {"members": [{"plugin": "mahalanobis"}, member]})
    error = refused(registries, PipelineSpec(step), normal)
    assert isinstance(error, InvalidParameterError)
    assert error.field == f"spec.detector.parameters.members[1]{field}"


def test_signals_that_no_step_takes(registries: Registries) -> None:
    signals = (Signal("x"), Signal("picture", SignalKind.IMAGE, "", ("file:a", "file:b")))
    codes = np.zeros((400, 1), np.int32)
    frame = Frame(signals, np.random.default_rng(0).normal(size=(400, 1)), codes)
    error = refused(registries, MAHALANOBIS, frame)
    assert isinstance(error, InvalidFrameError)
    assert "image" in error.message


def test_values_too_large_to_have_a_mean(registries: Registries) -> None:
    values = np.random.default_rng(0).normal(size=(400, 2))
    values[::2, 1] = 1.7e308
    error = refused(registries, MAHALANOBIS, Frame.of(values))
    assert isinstance(error, InvalidFrameError)


@pytest.mark.parametrize("columns", [[0.0], [3.0, 3.0]], ids=["one column", "constant columns"])
def test_constant_signals_are_no_error(registries: Registries, columns: list[float]) -> None:
    model = fit(MAHALANOBIS, Frame.of(np.tile(columns, (400, 1))), registries=registries)
    same, moved = Frame.of([columns]), Frame.of([[value + 9 for value in columns]])
    assert not model.run(same)[0].anomalous[0]
    assert model.run(moved)[0].anomalous[0]
