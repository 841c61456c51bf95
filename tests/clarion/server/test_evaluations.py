"""What is asked of an evaluation and what it found, between messages and values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from clarion.errors import InvalidFrameError, InvalidParameterError, TooFewRowsError
from clarion.evaluation.figures import Labelled
from clarion.evaluation.protocols import judge_fitted
from clarion.frames import Frame, Signal, SignalKind
from clarion.pipeline.fit import fit
from clarion.pipeline.spec import PipelineSpec, Step
from clarion.plugins import load_plugins
from clarion.server.convert.evaluations import Trial, trial_from_proto
from clarion.server.convert.frames import FrameLimits
from clarion.server.convert.operations import operation_to_proto
from clarion.server.convert.reports import report_to_proto
from clarion.server.evaluations import evaluation
from clarion.server.loaded import Loaded
from clarion.store.artifacts import VersionRef
from clarion.store.database import open_database
from clarion.store.operations import OperationKind, OperationLog
from clarion_api.v1 import evaluation_pb2, frame_pb2, models_pb2

REF = VersionRef("default", "pump", 3, "ab" * 32, "c1")


def loaded(frame: Frame, detector: str, **spec: Any) -> Loaded:
    step = PipelineSpec(Step(detector), false_alarm_rate=0.05, **spec)
    return Loaded(REF, fit(step, frame, registries=load_plugins()), 0.0, 0.0)


@pytest.fixture(scope="module")
def model() -> Loaded:
    rows = np.random.default_rng(1).normal(size=(300, 2))
    return loaded(Frame.of(rows, ["flow", "heat"]), "zscore")


def request(rows: int = 8, **changes: Any) -> models_pb2.EvaluateModelRequest:
    labels = np.arange(rows) % 4 == 0
    values = np.random.default_rng(2).normal(size=(rows, 2)) + 5.0 * labels[:, None]
    given: dict[str, Any] = {
        "model": "models/pump",
        "labels": labels.astype("u1").tobytes(),
        "frame": frame_pb2.Frame(
            matrix=frame_pb2.Matrix(
                signal_names=["heat", "flow"],
                element_type=frame_pb2.ELEMENT_TYPE_FLOAT64,
                values=values.astype("<f8").tobytes(),
            )
        ),
    }
    return models_pb2.EvaluateModelRequest(**(given | changes))


def trial(model: Loaded, **changes: Any) -> Trial:
    return trial_from_proto(request(**changes), model, FrameLimits())


def test_a_request_becomes_labelled_rows_in_the_models_order(model: Loaded) -> None:
    names = frame_pb2.Words(vocabulary=["leak"], codes=np.array([0, -1] * 4, "<i4").tobytes())
    asked = trial(model, names=names)
    assert asked.truth.frame.names == ("flow", "heat")
    np.testing.assert_array_equal(np.flatnonzero(asked.truth.labels), [0, 4])
    assert asked.truth.names == ("leak", "") * 4
    assert not asked.truth.ordered
    assert asked.false_alarm_rate == 0.05
    assert trial(model, false_alarm_rate=0.2).false_alarm_rate == 0.2


def test_rows_are_in_order_if_told_timed_or_fitted_so(model: Loaded) -> None:
    assert trial(model, ordered=True).truth.ordered
    timed = request().frame
    timed.event_times = np.arange(8, dtype="<i8").tobytes()
    assert trial(model, frame=timed).truth.ordered
    rows = np.random.default_rng(1).normal(size=(300, 2))
    assert trial(loaded(Frame.of(rows, ["flow", "heat"]), "zscore", ordered=True)).truth.ordered


@pytest.mark.parametrize("count", [1, 255])
def test_labels_of_one_kind_are_refused_whichever_it_is(model: Loaded, count: int) -> None:
    for word, label in (("normal", b"\0"), ("anomalous", b"\1")):
        with pytest.raises(InvalidParameterError, match=f"all {count} labels say {word}") as caught:
            trial(model, rows=count, labels=label * count)
        assert caught.value.field == "labels"


def test_a_name_too_long_for_a_table_is_refused(model: Loaded) -> None:
    names = frame_pb2.Words(vocabulary=["x" * 257], codes=bytes(32))
    with pytest.raises(InvalidParameterError, match="of up to 257 letters"):
        trial(model, names=names)
    names = frame_pb2.Words(vocabulary=["x"], codes=np.full(8, -2, "<i4").tobytes())
    with pytest.raises(InvalidFrameError, match=r"code -2; it must be in \[-1, 0\]"):
        trial(model, names=names)


def reported(model: Loaded, truth: Labelled, **options: Any) -> evaluation_pb2.EvaluationReport:
    background = model.pipeline.background.last
    return report_to_proto(judge_fitted(model.pipeline, background, truth, **options), model)


def test_a_report_says_what_was_judged_and_by_what(model: Loaded) -> None:
    report = reported(model, trial(model, rows=40).truth)
    calibration = model.pipeline.calibration
    assert report.model_version == "models/pump/versions/3"
    assert (report.model_digest, report.calibration_id) == (REF.digest, calibration.id)
    assert report.threshold == calibration.threshold(0.05)
    assert (report.row_count, report.anomalous_row_count) == (40, 10)
    # The model is a zscore too, and keeps its own row.
    names = [(row.name, row.baseline) for row in report.figures]
    assert names == [
        ("zscore", False),
        ("always_alarm", True),
        ("random", True),
        ("zscore", True),
    ]


def test_what_is_not_defined_is_not_set(model: Loaded) -> None:
    rows = Frame.of(np.zeros((6, 2)), ["flow", "heat"])
    quiet = reported(model, Labelled(rows, np.arange(6) == 2))
    row = quiet.figures[0]
    assert (row.true_positive_count, row.false_positive_count) == (0, 0)
    assert not row.HasField("precision")  # there was no alarm
    assert not row.HasField("vus_pr")  # and there is no order
    assert (row.HasField("recall"), row.recall) == (True, 0.0)
    assert (row.HasField("f1"), row.f1) == (True, 0.0)
    assert (quiet.reliability.HasField("kept"), quiet.reliability.kept) == (True, True)
    assert quiet.reliability.realised_rate == 0.0


def test_without_a_normal_row_that_has_a_score_nothing_is_said_of_the_promise() -> None:
    rows = np.random.default_rng(1).normal(size=(400, 2))
    spec = PipelineSpec(
        Step("zscore"), (Step("window_statistics", {"window": 9}),), false_alarm_rate=0.05
    )
    pipeline = fit(spec, Frame.of(rows, ["flow", "heat"]), registries=load_plugins())
    late = Labelled(Frame.of(rows[:12], ["flow", "heat"]), np.arange(12) >= 8, ordered=True)
    told = reported(Loaded(REF, pipeline, 0.0, 0.0), late).reliability
    assert (told.promised_rate, told.normal_row_count) == (0.05, 0)
    for name in ("realised_rate", "realised_low", "realised_high", "ratio", "kept"):
        assert not told.HasField(name)
    assert not told.curve.promised_rates
    assert not told.rates.first_rows
    assert list(told.drift.first_rows) == [8, 9, 10, 11]


def test_words_have_no_zscore_but_the_other_baselines() -> None:
    rng = np.random.default_rng(3)
    signal = Signal("state", SignalKind.CATEGORICAL, vocabulary=("idle", "on", "burst"))

    def frame(codes: Any) -> Frame:
        return Frame((signal,), np.empty((len(codes), 0)), np.asarray(codes, np.int32)[:, None])

    spec = PipelineSpec(Step("zscore"), (Step("encode"),), false_alarm_rate=0.05)
    pipeline = fit(spec, frame(rng.integers(0, 2, 300)), registries=load_plugins())
    judged = Labelled(frame([0, 1, 2, 0]), np.array([False, False, True, False]))
    report = reported(Loaded(REF, pipeline, 0.0, 0.0), judged)
    assert [row.name for row in report.figures] == ["zscore", "always_alarm", "random"]


class Notes:
    """A job whose notes are kept, and that is cancelled after so many checks."""

    def __init__(self, checks: int = 1000) -> None:
        self.told: list[float] = []
        self.checks = checks

    def note(self, progress: float, stage: str) -> None:
        self.told.append(progress)

    def check_cancelled(self) -> None:
        self.checks -= 1
        if self.checks < 0:
            raise InterruptedError


def test_the_work_notes_its_progress_and_stops_when_told(model: Loaded) -> None:
    work: Callable[[Any], bytes] = evaluation(trial(model, rows=3000))
    job = Notes()
    assert b"EvaluationReport" in work(job)
    assert job.told == sorted(job.told)
    assert len(job.told) == 3 + 4  # three batches, four rows of the table
    with pytest.raises(InterruptedError):
        work(Notes(checks=2))


def test_rows_of_which_none_has_its_history_are_an_error() -> None:
    rows = np.random.default_rng(1).normal(size=(400, 2))
    spec = PipelineSpec(
        Step("zscore"), (Step("window_statistics", {"window": 9}),), false_alarm_rate=0.05
    )
    pipeline = fit(spec, Frame.of(rows, ["flow", "heat"]), registries=load_plugins())
    short = Loaded(REF, pipeline, 0.0, 0.0)
    with pytest.raises(TooFewRowsError, match="none of the 8 rows") as caught:
        evaluation(trial(short))(Notes())  # type: ignore[arg-type]  # what it uses of a job
    assert caught.value.metadata["needed"] == "9"


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (OperationKind.FIT, models_pb2.FitModelMetadata),
        (OperationKind.EVALUATION, models_pb2.EvaluateModelMetadata),
    ],
)
def test_an_operation_carries_the_metadata_of_its_kind(
    kind: OperationKind, message: type[Any], tmp_path: Any
) -> None:
    log = OperationLog(open_database(f"sqlite:///{tmp_path / 'a.db'}"))
    operation, _ = log.create("default", "pump", kind=kind)
    told = message()
    assert operation_to_proto(operation).metadata.Unpack(told)
    assert (told.model, told.stage) == ("models/pump", "waiting")
