"""The whole harness on a plant whose truth is known."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from clarion.errors import InvalidParameterError, OperationCancelledError, PluginNotFoundError
from clarion.evaluation.explanations.injected import injected
from clarion.evaluation.explanations.judge import ROWS, judge_explanations
from clarion.evaluation.explanations.located import Blame, located
from clarion.evaluation.explanations.report import ExplanationReport
from clarion.evaluation.figures import Labelled
from clarion.frames import Frame
from clarion.pipeline.answer import ExplanationPolicy
from clarion.pipeline.fit import fit
from clarion.pipeline.run import FittedPipeline
from clarion.pipeline.spec import PipelineSpec, Step
from clarion.plugins import load_plugins

NAMES = ["flow", "level", "power", "heat", "speed"]
SICK = Blame(300, 320, ("power",))


def plant(rng: np.random.Generator, rows: int) -> Frame:
    wave = rng.normal(size=(rows, 2)) @ [[1.0, -2.0, 0.5, 1.0, 0.0], [0.0, 1.0, 1.0, 0.3, -1.0]]
    return Frame.of(wave + 0.2 * rng.normal(size=(rows, 5)), NAMES)


@pytest.fixture(scope="module")
def pipeline() -> FittedPipeline:
    train = plant(np.random.default_rng(1), 1500)
    return fit(PipelineSpec(Step("mahalanobis"), ordered=True), train, registries=load_plugins())


@pytest.fixture(scope="module")
def truth() -> Labelled:
    frame = plant(np.random.default_rng(2), 600)
    values = np.array(frame.values)
    values[SICK.first : SICK.behind, 2] += 5.0
    labels = np.zeros(600, bool)
    labels[SICK.first : SICK.behind] = True
    return Labelled(frame.with_numeric(values), labels, (), ordered=True)


@pytest.fixture(scope="module")
def report(pipeline: FittedPipeline, truth: Labelled) -> ExplanationReport:
    return judge_explanations(pipeline, truth, blames=(SICK,))


def test_exact_answers_are_found_exact(report: ExplanationReport) -> None:
    assert (report.method, report.label) == ("quadratic", "exact")
    assert report.additivity_error <= 1e-9
    assert report.enumeration_error <= 1e-9
    assert 20 <= report.rows <= ROWS
    assert report.sanity.dummy_share <= 1e-9


def test_removing_in_the_order_of_reasons_beats_a_random_order(report: ExplanationReport) -> None:
    found = {order.name: order.removal for order in report.orders}
    assert list(found) == ["contributions", "signal_ranking", "zscore", "random"]
    assert found["contributions"].deletion < found["random"].deletion
    assert found["signal_ranking"].insertion > found["random"].insertion


def test_clearing_sets_hold_when_scored_again(report: ExplanationReport) -> None:
    found = report.counterfactuals
    assert found.found_share == 1.0
    assert found.validity == 1.0
    assert 1.0 <= found.median_size <= 2.0


def test_the_blamed_signal_is_found(report: ExplanationReport) -> None:
    found = {row.name: row for row in report.located}
    assert found["signal_ranking"].by_segment.hit_100 == 1.0
    assert found["signal_ranking"].by_row.top_1 > found["random"].by_row.top_1 + 0.3
    assert (found["random"].segments, found["random"].rows) == (1, 20)


def test_injected_signals_are_found_kind_by_kind(report: ExplanationReport) -> None:
    kinds = {row.kind: row for row in report.injected}
    assert {"spike", "level", "gain", "swap"} <= set(kinds)
    level = kinds["level"]
    assert level.hits.hit_100 > level.random_hits.hit_100 + 0.3
    assert level.noticed_share > 0.6
    assert level.onset_error_rows >= 0
    assert all(row.segments > 0 for row in report.injected)


def test_the_report_is_json(report: ExplanationReport) -> None:
    values = json.loads(json.dumps(report.to_json(), allow_nan=False))
    assert values["counterfactuals"]["validity"] == 1.0


def test_the_same_rows_are_judged_the_same(
    pipeline: FittedPipeline, truth: Labelled, report: ExplanationReport
) -> None:
    again = judge_explanations(pipeline, truth, blames=(SICK,)).to_json()
    first = report.to_json()
    for timed in ("seconds_p50", "seconds_p99"):
        assert again.pop(timed) > 0
        assert first.pop(timed) > 0
    assert again == first


def test_the_explainer_asked_for_is_judged(pipeline: FittedPipeline, truth: Labelled) -> None:
    short = Labelled(truth.frame.take(slice(290, 330)), truth.labels[290:330], (), ordered=True)
    policy = ExplanationPolicy(explainer="permutation_shap", max_evaluations=256)
    found = judge_explanations(pipeline, short, policy=policy)
    assert (found.method, found.label) == ("permutation_shap", "sampled")
    assert 1e-6 < found.enumeration_error < 1.0
    with pytest.raises(PluginNotFoundError):
        judge_explanations(pipeline, short, policy=ExplanationPolicy(explainer="tarot"))


def test_rows_without_an_alarm_are_judged_by_their_highest_scores(
    pipeline: FittedPipeline,
) -> None:
    calm = plant(np.random.default_rng(4), 400)
    scores = pipeline.run(calm)[0].scores
    quiet = calm.take(np.argsort(scores)[:60])
    found = judge_explanations(pipeline, Labelled(quiet, np.zeros(60, bool), (), ordered=False))
    assert found.rows == ROWS
    assert math.isnan(found.counterfactuals.validity)
    assert any("no signals were blamed" in note for note in found.notes)


@pytest.mark.parametrize(
    ("blame", "words"),
    [
        (Blame(590, 601, ("power",)), "not within the frame's 600 rows"),
        (Blame(20, 20, ("power",)), "not within"),
        (Blame(-1, 20, ("power",)), "not within"),
        (Blame(0, 20, ("colour",)), "no signal 'colour'"),
        (Blame(0, 20, ()), "no signal is blamed"),
    ],
)
def test_blames_that_make_no_sense_are_refused(
    pipeline: FittedPipeline,
    truth: Labelled,
    blame: Blame,
    words: str,
    rng: np.random.Generator,
) -> None:
    with pytest.raises(InvalidParameterError, match=words) as caught:
        located(pipeline, truth, [SICK, blame], rng)
    assert caught.value.field.startswith("blames[1]")


def test_frames_without_a_normal_row_get_no_injections(
    pipeline: FittedPipeline, truth: Labelled, rng: np.random.Generator
) -> None:
    sick = Labelled(truth.frame, np.ones(600, bool), (), ordered=True)
    assert injected(pipeline, sick, rng) == ()


def test_work_can_be_ended(pipeline: FittedPipeline, truth: Labelled) -> None:
    told: list[float] = []

    def stop(share: float, doing: str) -> None:
        told.append(share)
        if share > 0.3:
            raise OperationCancelledError("enough")

    with pytest.raises(OperationCancelledError):
        judge_explanations(pipeline, truth, progress=stop)
    assert told == sorted(told)
