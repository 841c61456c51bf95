"""Confidence on streams: verdicts, drift and recalibration, however the rows are cut into frames."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest

from clarion.errors import ArtifactCorruptError, InvalidParameterError, UnreachableRateError
from clarion.frames import Frame
from clarion.pipeline.answer import Answer, ExplainedRows, ExplanationPolicy
from clarion.pipeline.calibrate import Calibration
from clarion.pipeline.confidence import AlarmRule, Confidence, StreamRules
from clarion.pipeline.fit import fit
from clarion.pipeline.memory import Memory
from clarion.pipeline.recalibration import Recalibration, beyond
from clarion.pipeline.rolling import WALK, Rolling
from clarion.pipeline.run import FittedPipeline
from clarion.pipeline.spec import PipelineSpec, Step
from clarion.plugins import load_plugins
from clarion.state import State

NAMES = ["p", "q", "r"]
SILENT = ExplanationPolicy(rows=ExplainedRows.NONE)
PLAIN = StreamRules()
FDR = StreamRules(AlarmRule.FDR)
PROPOSE = StreamRules(recalibration=Recalibration.PROPOSE)
AUTOMATIC = StreamRules(recalibration=Recalibration.AUTOMATIC)
BOTH = StreamRules(AlarmRule.FDR, recalibration=Recalibration.AUTOMATIC)


def rows(n: int, seed: int, *, drifts: int = 10**9, spread: float = 1.5, start: int = 0) -> Frame:
    """Rows of three signals; from row ``drifts`` on, ``q`` spreads wider."""
    rng = np.random.default_rng(seed)
    values = rng.standard_normal((n, 3))
    values[drifts:, 1] *= spread
    time = (np.arange(start, start + n, dtype=np.int64) + 1) * 10**9
    return Frame.of(values * [1, 10, 0.1] + [5, 0, -3], NAMES, time=time)


def struck(frame: Frame, bad: slice) -> Frame:
    values = frame.values.copy()
    values[bad, 2] += 1.0
    return frame.with_numeric(values.astype(np.float64))


@pytest.fixture(scope="module")
def fitted() -> FittedPipeline:
    spec = PipelineSpec(Step("mahalanobis"), (), 0.01, ordered=True)
    return replace(fit(spec, rows(8_000, 0), registries=load_plugins()), digest="d1")


def streamed(
    fitted: FittedPipeline,
    frame: Frame,
    cuts: Sequence[int],
    rules: StreamRules,
    *,
    store: bool = False,
) -> tuple[list[Answer], Memory]:
    memory, answers = Memory(), []
    for start, stop in zip([0, *cuts], [*cuts, len(frame)], strict=True):
        answer, memory = fitted.run(
            frame.take(slice(start, stop)), SILENT, memory=memory, rules=rules
        )
        answers.append(answer)
        if store:
            assert memory.confidence is not None
            state = memory.confidence.state()
            memory = replace(memory, confidence=Confidence.from_state(state))
    return answers, memory


def together(answers: Sequence[Answer]) -> dict[str, bytes]:
    """Every row's verdict, bit for bit."""
    told = {"p": b"", "anomalous": b"", "rolling": b"", "levels": b"", "frozen": b""}
    for answer in answers:
        assert answer.stream is not None
        told["p"] += answer.p_values.tobytes()
        told["anomalous"] += answer.anomalous.tobytes()
        told["rolling"] += answer.stream.rolling.tobytes()
        told["frozen"] += answer.stream.frozen.tobytes()
        if answer.stream.levels is not None:
            told["levels"] += answer.stream.levels.tobytes()
    return told


@pytest.mark.parametrize(
    "rules", [PLAIN, FDR, AUTOMATIC, BOTH], ids=["plain", "fdr", "auto", "both"]
)
def test_any_cut_gives_the_same_bytes(
    fitted: FittedPipeline, rules: StreamRules, state_bytes: Callable[[State], bytes]
) -> None:
    frame = rows(4_000, 1, drifts=700, spread=2.0)
    [whole], after = streamed(fitted, frame, [], rules)
    rng = np.random.default_rng(2)
    cuts = sorted({1, 2, 499, 500, 501, 2_000, *rng.integers(3, 4_000, 25).tolist()})
    pieces, later = streamed(fitted, frame, cuts, rules, store=True)
    assert together(pieces) == together([whole])
    assert after.confidence is not None
    assert later.confidence is not None
    assert state_bytes(later.confidence.state()) == state_bytes(after.confidence.state())
    assert whole.stream is not None
    assert pieces[-1].stream is not None
    assert pieces[-1].stream.drift == whole.stream.drift


def test_without_rules_a_frame_is_judged_row_by_row(fitted: FittedPipeline) -> None:
    frame = rows(800, 3)
    batch, memory = fitted.run(frame, SILENT)
    assert (batch.stream, memory.confidence) == (None, None)
    [answer], _ = streamed(fitted, frame, [], PLAIN)
    assert answer.p_values.tolist() == batch.p_values.tolist()
    assert answer.anomalous.tolist() == batch.anomalous.tolist()
    assert (answer.threshold, answer.false_alarm_rate) == (batch.threshold, batch.false_alarm_rate)


def test_drift_is_told_since_when_and_which_signal_moved(fitted: FittedPipeline) -> None:
    answers, _ = streamed(fitted, rows(2_500, 4, drifts=1_000), range(250, 2_500, 250), PLAIN)
    reports = [answer.stream.drift for answer in answers if answer.stream]
    assert not any(report.alarmed for report in reports[:4])
    risen = next(report for report in reports if report.since)
    assert risen.since is not None
    assert 1_000 <= risen.since.row < 1_300
    assert risen.since.time == (risen.since.row + 1) * 10**9
    assert [signal.signal for signal in risen.moved] == ["q"]
    assert risen.moved[0].spread == pytest.approx(1.5, abs=0.3)
    assert reports[-1].since == risen.since


def test_quiet_streams_tell_no_drift(fitted: FittedPipeline) -> None:
    for seed in range(5, 10):
        [answer], _ = streamed(fitted, rows(6_000, seed), [], PLAIN)
        assert answer.stream is not None
        assert answer.stream.drift.since is None
        assert answer.stream.drift.moved == ()


def test_manual_changes_nothing_and_tells_that_drift_is_confirmed(fitted: FittedPipeline) -> None:
    frame = rows(4_000, 10, drifts=500)
    [answer], _ = streamed(fitted, frame, [], PLAIN)
    assert answer.stream is not None
    assert answer.stream.drift.confirmed
    assert answer.stream.proposal is None
    assert answer.stream.adopted is None
    assert answer.anomalous.tolist() == fitted.run(frame, SILENT)[0].anomalous.tolist()


def test_propose_tells_what_would_change_and_changes_nothing(fitted: FittedPipeline) -> None:
    frame = rows(5_000, 11, drifts=500)
    [answer], _ = streamed(fitted, frame, [], PROPOSE)
    assert answer.stream is not None
    made = answer.stream.proposal
    assert made is not None
    assert answer.anomalous.tolist() == fitted.run(frame, SILENT)[0].anomalous.tolist()
    assert made.calibration_id not in ("", fitted.calibration.id)
    assert made.rows == 2_000
    assert made.excluded == answer.stream.excluded
    assert made.threshold > made.frozen_threshold == answer.threshold
    assert made.frozen_rate > made.rate > 0
    [early], _ = streamed(fitted, frame.take(slice(0, 1_200)), [], PROPOSE)
    assert early.stream is not None
    assert early.stream.proposal is None


def test_automatic_goes_on_with_the_rolling_calibration_and_says_so(fitted: FittedPipeline) -> None:
    frame = rows(9_000, 12, drifts=500, spread=1.25)
    answers, _ = streamed(fitted, frame, range(500, 9_000, 500), AUTOMATIC)
    assert answers[-1].stream is not None
    since = answers[-1].stream.adopted
    assert since is not None
    assert 1_500 <= since.row < 3_500
    frozen = fitted.run(frame, SILENT)[0]
    for number, answer in enumerate(answers):
        assert answer.stream is not None
        before = 500 * number <= since.row
        part = slice(500 * number, 500 * number + 500)
        assert answer.stream.frozen.tolist() == frozen.p_values[part].tolist()
        assert (answer.p_values.tolist() == frozen.p_values[part].tolist()) is before
        assert bool(answer.stream.spans) is not before
        if not before:
            assert answer.p_values.tolist() == answer.stream.rolling.tolist()
            assert answer.stream.spans[0].calibration_id != fitted.calibration.id
            assert answer.threshold == answer.stream.spans[0].threshold > frozen.threshold
            assert answer.anomalous.tolist() == (answer.scores >= answer.threshold).tolist()
    late = slice(4_000, 9_000)
    alarms = np.concatenate([answer.anomalous for answer in answers])
    assert alarms[late].mean() < 0.8 * frozen.anomalous[late].mean()


def test_records_tell_the_level_that_their_row_met(fitted: FittedPipeline) -> None:
    frame = struck(rows(3_500, 13, drifts=0), slice(3_400, 3_410))
    for rules in (FDR, AUTOMATIC, BOTH):
        memory = Memory()
        _, memory = fitted.run(frame.take(slice(0, 3_400)), SILENT, memory=memory, rules=rules)
        answer, _ = fitted.run(frame.take(slice(3_400, 3_500)), memory=memory, rules=rules)
        assert len(answer.explanations) >= 10
        for record in answer.explanations:
            assert record.score >= record.threshold
            assert record.cleared_score < record.threshold
            assert record.p_value == answer.p_values[record.row]
        assert answer.stream is not None
        if rules.alarm_rule is AlarmRule.FDR:
            assert answer.stream.levels is not None
            assert ((answer.p_values <= answer.stream.levels) == answer.anomalous).all()
            assert len({record.threshold for record in answer.explanations}) > 1


def test_slow_poisoning_of_an_automatic_stream_keeps_the_recall(fitted: FittedPipeline) -> None:
    """Someone walks a signal up, row by row, until just below what no quiet row reached."""
    top = fitted.calibration.scores[-2]
    walk = rows(9_000, 14)
    values = walk.values.copy()
    values[:, :2] = [5, 0]
    values[:, 2] = -3 + 0.1 * np.sqrt(np.linspace(1.0, top, 9_000))
    poisoned, memory = streamed(fitted, walk.with_numeric(values), [], AUTOMATIC)
    assert poisoned[0].stream is not None
    assert poisoned[0].stream.adopted is not None
    sick = rows(400, 15)
    strange = sick.values.copy()
    strange[:, 0] += 5.0
    kept, _ = fitted.run(sick.with_numeric(strange), SILENT, memory=memory, rules=AUTOMATIC)
    frozen, _ = fitted.run(sick.with_numeric(strange), SILENT)
    assert frozen.anomalous.mean() > 0.8
    assert kept.anomalous.sum() >= 0.9 * frozen.anomalous.sum()
    assert kept.threshold <= fitted.calibration.threshold(0.01 / WALK)


def test_rows_that_a_window_drops_are_not_judged(fitted: FittedPipeline) -> None:
    spec = PipelineSpec(
        Step("mahalanobis"), (Step("window_statistics", {"window": 4}),), 0.05, ordered=True
    )
    windowed = fit(spec, rows(600, 16), registries=load_plugins())
    answers, memory = streamed(windowed, rows(90, 17), [2, 3, 50], PLAIN)
    assert [len(answer.scores) for answer in answers] == [0, 0, 47, 40]
    assert memory.confidence is not None
    assert memory.confidence.rolling.rows == 87


def test_a_memory_of_another_calibration_is_refused(fitted: FittedPipeline) -> None:
    _, memory = streamed(fitted, rows(50, 18), [], PLAIN)
    other = fit(fitted.spec, rows(3_000, 19), registries=load_plugins())
    with pytest.raises(InvalidParameterError, match="begin the stream anew"):
        other.run(rows(5, 20), SILENT, memory=memory, rules=PLAIN)


def test_a_memory_of_another_version_or_form_is_refused(fitted: FittedPipeline) -> None:
    _, memory = streamed(fitted, rows(50, 18), [], PLAIN)
    assert memory.confidence is not None
    good = memory.confidence.state()
    for bad in (
        replace(good, version=2),
        replace(good, parameters={**good.parameters, "risen": 3}),
        replace(good, parameters={**good.parameters, "moved": [[1]]}),
        replace(good, parameters={**good.parameters, "parts": {}}),
    ):
        with pytest.raises(ArtifactCorruptError):
            Confidence.from_state(bad)


def test_a_calibration_too_small_for_fdr_says_so() -> None:
    spec = PipelineSpec(Step("mahalanobis"), (), 0.05, ordered=True)
    small = fit(spec, rows(400, 21), registries=load_plugins())
    with pytest.raises(UnreachableRateError, match="calibrate on more rows"):
        small.run(rows(5, 22), SILENT, rules=FDR)


def test_what_a_stream_remembers_is_bounded(fitted: FittedPipeline) -> None:
    def size(state: State) -> int:
        return sum(array.nbytes for array in state.arrays.values())

    sizes, memory = [], Memory()
    for seed in range(3):
        flood = struck(rows(5_000, seed), slice(0, None, 2))
        _, memory = fitted.run(flood, SILENT, memory=memory, rules=BOTH)
        assert memory.confidence is not None
        sizes.append(size(memory.confidence.state()))
    assert sizes[0] == sizes[1] == sizes[2] < 100_000
    assert memory.confidence is not None
    assert memory.confidence.tests.fallen > 0
    assert memory.confidence.rolling.excluded >= 7_500


def test_rows_beyond_their_own_class_are_learned_from_by_none() -> None:
    """A class of few rows has larger p-values: its strangest rows would pass for quiet ones."""
    rng = np.random.default_rng(23)
    held, few = rng.normal(size=5_000), rng.normal(size=600)
    calibration = Calibration.of(held, 0.01, classes={"pump": few})
    scores, classes = np.full(900, 99.0), np.tile([0, -1, 0], 300)
    p_values = calibration.p_values(scores, classes)
    assert (p_values[classes == 0] > 1 / 5_000).all()
    above = beyond(calibration, scores, classes)
    assert above.all()
    assert not beyond(calibration, np.array([few.max(), held.max()]), np.array([0, -1])).any()
    fed = Rolling(5_000).fed(p_values[:500], above[:500])
    assert (fed.excluded, len(fed.window)) == (500, 0)
    assert fed.p_values(p_values, above).tolist() == p_values.tolist()
