"""What a caller may ask for: which rows, by which explainer, at what cost, how much of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest

from clarion.arrays import BoolArray, FloatArray
from clarion.detectors import DetectorTraits
from clarion.errors import (
    BudgetExceededError,
    ClarionError,
    InvalidParameterError,
    PluginNotFoundError,
    UnsupportedPairError,
)
from clarion.explainers import Label
from clarion.features import FitContext
from clarion.frames import Frame, Signal
from clarion.pipeline.answer import Answer, ExplainedRows, ExplanationPolicy, View
from clarion.pipeline.fit import fit
from clarion.pipeline.run import FittedPipeline
from clarion.pipeline.spec import PipelineSpec, Step
from clarion.plugins import load_plugins
from clarion.registry import Registries

Model = Callable[..., FittedPipeline]
Watched = Callable[..., Frame]


@pytest.fixture
def fitted(model: Model) -> FittedPipeline:
    return model("mahalanobis", Step("standardize"))


@pytest.fixture
def frame(watched: Watched) -> Frame:
    return watched(40, spikes=0.3)


def explained(answer: Answer) -> list[int]:
    rows = [int(i) for i in answer.explained]
    if answer.explanations:
        assert [record.row for record in answer.explanations] == answer.source_rows[rows].tolist()
    return rows


def test_by_default_the_anomalous_rows_are_explained(fitted: FittedPipeline, frame: Frame) -> None:
    answer, _ = fitted.run(frame)
    assert explained(answer) == np.flatnonzero(answer.anomalous).tolist()
    assert 0 < len(explained(answer)) < 40


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (ExplainedRows.NONE, []),
        (ExplainedRows.ALL, list(range(40))),
        ((), []),
        ((7, 3, 30), [7, 3, 30]),
    ],
)
def test_other_rows_are_explained_as_asked(
    fitted: FittedPipeline, frame: Frame, rows: ExplainedRows | tuple[int, ...], expected: list[int]
) -> None:
    answer, _ = fitted.run(frame, ExplanationPolicy(rows=rows))
    assert explained(answer) == expected
    assert len(answer.explanations) == len(expected)
    assert (answer.attribution is None) == (not expected)
    by_default, _ = fitted.run(frame)
    np.testing.assert_array_equal(answer.scores, by_default.scores)


def test_a_view_says_how_much_is_built(fitted: FittedPipeline, frame: Frame) -> None:
    columns, basic, full = (fitted.run(frame, ExplanationPolicy(view=view))[0] for view in View)
    assert columns.attribution is not None
    assert basic.attribution is not None
    np.testing.assert_array_equal(
        columns.attribution.contributions, basic.attribution.contributions
    )
    assert columns.explanations == ()
    assert all(record.summary and not record.cells for record in basic.explanations)
    assert all(record.cells for record in full.explanations)


def test_the_columns_and_the_records_say_the_same(fitted: FittedPipeline, frame: Frame) -> None:
    answer, _ = fitted.run(frame, ExplanationPolicy(rows=ExplainedRows.ALL))
    assert answer.attribution is not None
    assert answer.signals == ("p", "q", "r")
    for k, record in enumerate(answer.explanations):
        i = int(answer.explained[k])
        ranked = {reason.signal: reason.contribution for reason in record.signal_ranking}
        listed = zip(answer.signals, answer.attribution.contributions[k], strict=True)
        assert ranked == {name: float(value) for name, value in listed}
        assert record.score == answer.scores[i]
        assert record.p_value == answer.p_values[i]
        assert record.anomalous == answer.anomalous[i] == (record.score >= answer.threshold)
        assert (record.threshold, record.label) == (answer.threshold, answer.attribution.label)
        seen = {reason.signal: reason.value for reason in record.signal_ranking}
        assert seen == dict(zip("pqr", frame.values[record.row].tolist(), strict=True))


def test_signals_are_ranked_by_falling_strangeness_with_their_share(
    fitted: FittedPipeline, frame: Frame
) -> None:
    answer, _ = fitted.run(frame, ExplanationPolicy(rows=ExplainedRows.ALL))
    for record in answer.explanations:
        contributions = [reason.contribution for reason in record.signal_ranking]
        strange = [reason.ranking_score for reason in record.signal_ranking]
        assert strange == sorted(strange, reverse=True)
        assert min(strange) >= 0
        shares = [reason.share for reason in record.signal_ranking]
        assert sum(shares) == pytest.approx(1)
        size = sum(abs(c) for c in contributions)
        assert shares == pytest.approx([abs(c) / size for c in contributions])


def test_units_and_usual_values_are_the_models(fitted: FittedPipeline, frame: Frame) -> None:
    """Whether or not the sender repeats the units."""
    usual = fitted.background.windows.values.mean(axis=0)
    for sent in (frame, Frame.of(frame.values, frame.names)):
        record = fitted.run(sent)[0].explanations[0]
        ranked = {reason.signal: reason for reason in record.signal_ranking}
        assert [ranked[name].unit for name in "pqr"] == ["bar", "A", ""]
        assert [ranked[name].expected for name in "pqr"] == pytest.approx(usual.tolist())
        units = {"p": "bar", "q": "A", "r": ""}
        assert all(culprit.unit == units[culprit.signal] for culprit in record.culprits)


def refused(fitted: FittedPipeline, frame: Frame, **policy: object) -> ClarionError:
    with pytest.raises(ClarionError) as caught:
        fitted.run(frame, ExplanationPolicy(**policy))  # type: ignore[arg-type]
    return caught.value


def test_the_best_rung_is_told(fitted: FittedPipeline, model: Model, frame: Frame) -> None:
    assert fitted.default_explainer() == ("quadratic", Label.EXACT)
    answer, _ = fitted.run(frame)
    assert {(e.method, e.label) for e in answer.explanations} == {("quadratic", Label.EXACT)}
    assert model("ecod").default_explainer() == ("additive", Label.EXACT)


def test_an_explainer_asked_for_by_name_is_used(fitted: FittedPipeline, frame: Frame) -> None:
    asked = ExplanationPolicy(rows=(5,), explainer="permutation_shap")
    exact = fitted.run(frame, ExplanationPolicy(rows=(5,)))[0].attribution
    sampled = fitted.run(frame, asked)[0].attribution
    assert exact is not None
    assert sampled is not None
    assert (sampled.method, sampled.label) == ("permutation_shap", Label.SAMPLED)
    assert sampled.standard_error is not None
    gap = np.abs(sampled.contributions - exact.contributions)
    assert (gap <= 5 * sampled.standard_error + 0.05 * np.abs(exact.contributions).sum()).all()


def test_an_explainer_that_cannot_names_those_that_can(
    fitted: FittedPipeline, frame: Frame
) -> None:
    error = refused(fitted, frame, explainer="tree_shap")
    assert isinstance(error, UnsupportedPairError)
    assert "quadratic" in error.message
    assert "permutation_shap" in error.message
    assert isinstance(refused(fitted, frame, explainer="lime"), UnsupportedPairError)
    assert isinstance(refused(fitted, frame, cross_checks=("quadratic",)), UnsupportedPairError)
    assert isinstance(refused(fitted, frame, explainer="no_such"), PluginNotFoundError)


@dataclass(frozen=True)
class FittedOpaque:
    """Squared distance, and not a word on how it came about."""

    signals: tuple[Signal, ...]
    center: FloatArray

    def score(self, frame: Frame) -> FloatArray:
        return np.asarray(np.square(frame.numeric() - self.center).sum(axis=1))


@dataclass(frozen=True, slots=True, kw_only=True)
class Opaque:
    traits: ClassVar[DetectorTraits] = DetectorTraits()

    def fit(self, frame: Frame, labels: BoolArray | None, context: FitContext) -> FittedOpaque:
        return FittedOpaque(frame.signals, frame.numeric().mean(axis=0))


@pytest.mark.parametrize("explainer", ["", "permutation_shap"])
def test_a_budget_too_small_is_refused_or_leaves_the_scores(
    registries: Registries, normal: Frame, explainer: str
) -> None:
    registries.detectors.add("opaque", f"{__name__}:Opaque")
    fitted = fit(PipelineSpec(Step("opaque")), normal, registries=registries)
    options = {"rows": ExplainedRows.ALL, "explainer": explainer, "max_evaluations": 3}
    error = refused(fitted, normal, **options)
    assert isinstance(error, BudgetExceededError)
    assert error.field == "policy.max_evaluations"
    needed = int(error.metadata["needed"])
    assert needed > 3
    policy = ExplanationPolicy(allow_unexplained=True, **options)  # type: ignore[arg-type]
    answer, _ = fitted.run(normal, policy)
    assert len(answer.scores) == 400
    assert answer.attribution is None
    assert answer.explanations == ()
    assert len(answer.explained) == 0
    enough = ExplanationPolicy((0,), explainer, max_evaluations=needed)
    assert len(fitted.run(normal, enough)[0].explanations) == 1


@pytest.mark.parametrize(
    "asked",
    [
        {"explainer": "no_such"},
        {"explainer": "tree_shap"},
        {"cross_checks": ("no_such",)},
        {"explainer": "permutation_shap", "max_evaluations": 1},
    ],
)
def test_what_cannot_be_done_is_refused_before_the_first_anomaly(
    fitted: FittedPipeline, asked: dict[str, object]
) -> None:
    usual = Frame.of(fitted.background.windows.values[:1], ["p", "q", "r"])
    assert not fitted.run(usual)[0].anomalous.any()
    refused(fitted, usual, **asked)
    refused(fitted, usual, rows=ExplainedRows.ALL, **asked)
    nothing = ExplanationPolicy(rows=ExplainedRows.NONE, **asked)  # type: ignore[arg-type]
    assert len(fitted.run(usual, nothing)[0].scores) == 1


@pytest.mark.parametrize("evaluations", [-1, 1_000_001])
def test_a_budget_out_of_range_is_refused(evaluations: int) -> None:
    with pytest.raises(InvalidParameterError) as caught:
        ExplanationPolicy(max_evaluations=evaluations)
    assert caught.value.field == "policy.max_evaluations"


def test_a_cross_check_lies_beside_the_decomposition(fitted: FittedPipeline, frame: Frame) -> None:
    answer, _ = fitted.run(frame, ExplanationPolicy(rows=(5,), cross_checks=("lime",)))
    [record] = answer.explanations
    assert record.method == "quadratic"
    [check] = record.cross_checks
    assert check.method == "lime"
    assert check.signals == ("p", "q", "r")
    assert len(check.values) == len(check.lows) == len(check.highs) == 3
    ends = zip(check.lows, check.values, check.highs, strict=True)
    assert all(low <= value <= high for low, value, high in ends)
    assert check.fit_quality <= 1
    assert check.reliable == (check.fit_quality >= 0.5)
    assert "R²" in record.summary


def test_without_a_budget_many_signals_are_explained_all_the_same(
    rng: np.random.Generator,
) -> None:
    wide = Frame.of(rng.normal(size=(400, 90)))
    fitted = fit(PipelineSpec(Step("lof")), wide, registries=load_plugins())
    answer, _ = fitted.run(wide.take(slice(0, 2)), ExplanationPolicy(rows=(0, 1)))
    assert answer.attribution is not None
    assert answer.attribution.method == "permutation_shap"
    with pytest.raises(BudgetExceededError, match="permutation_shap"):
        fitted.run(wide.take(slice(0, 2)), ExplanationPolicy(rows=(0,), max_evaluations=2048))
