"""What would look normal does look normal: shown values, put in, clear the alarm."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import pytest
from scipy import sparse

from clarion.explaining.clearing.semi_factual import STEP
from clarion.features import ExtractorTraits, Features, FitContext, Trace
from clarion.frames import Frame, Signal
from clarion.pipeline.answer import ExplainedRows, Explanation, ExplanationPolicy, View
from clarion.pipeline.constraints import SignalConstraint
from clarion.pipeline.fit import fit
from clarion.pipeline.run import FittedPipeline
from clarion.pipeline.spec import PipelineSpec, Step
from clarion.registry import Registries
from clarion.tables import from_columns

Model = Callable[..., FittedPipeline]
Watched = Callable[..., Frame]

SCALE = Step("standardize")


def put_in(frame: Frame, record: Explanation) -> Frame:
    """Return the explained row with the values shown in place of its culprits'."""
    row = frame.take(slice(record.row, record.row + 1))
    values, codes, signals = row.values.astype(np.float64), row.codes.copy(), list(row.signals)
    numeric = [signal.name for signal in row.of_kind(numeric=True)]
    coded = [signal.name for signal in row.of_kind(numeric=False)]
    for culprit in record.culprits:
        if culprit.normal_value is not None:
            values[0, numeric.index(culprit.signal)] = culprit.normal_value
        if culprit.normal_word:
            at = row.names.index(culprit.signal)
            signals[at] = replace(signals[at], vocabulary=(culprit.normal_word,))
            codes[0, coded.index(culprit.signal)] = 0
    return replace(row, values=values, codes=codes, signals=tuple(signals))


def proves(fitted: FittedPipeline, frame: Frame, record: Explanation) -> None:
    answer, _ = fitted.run(put_in(frame, record), ExplanationPolicy(ExplainedRows.NONE))
    assert not answer.anomalous[0]
    assert answer.scores[0] == pytest.approx(record.cleared_score, rel=1e-9, abs=1e-9)


def test_normal_values_put_in_make_the_row_normal(
    model: Model, watched: Watched, row_detector: str
) -> None:
    all_prove(model(row_detector, SCALE), watched(50, spikes=0.3))


@pytest.mark.parametrize("detector", ["pca", "ecod", "isolation_forest"])
@pytest.mark.parametrize("features", [(), (SCALE, SCALE)])
def test_normal_values_are_raw_ones_whatever_stands_between(
    model: Model, watched: Watched, detector: str, features: tuple[Step, ...]
) -> None:
    all_prove(model(detector, *features), watched(50, spikes=0.3))


def all_prove(fitted: FittedPipeline, frame: Frame) -> None:
    answer, _ = fitted.run(frame)
    assert len(answer.explanations) >= 3
    for record in answer.explanations:
        assert all(culprit.normal_value is not None for culprit in record.culprits)
        seen = {reason.signal: reason.value for reason in record.signal_ranking}
        assert all(culprit.value == seen[culprit.signal] for culprit in record.culprits)
        proves(fitted, frame, record)


@pytest.mark.parametrize("huge", [1e12, -1e300, 1.7e308])
@pytest.mark.parametrize("detector", ["mahalanobis", "knn"])
def test_the_normal_value_of_a_huge_reading_is_not_lost_in_its_size(
    model: Model, watched: Watched, detector: str, huge: float
) -> None:
    fitted, frame = model(detector, SCALE), watched(1)
    values = frame.values.copy()
    values[0, 1] = huge
    spoilt = frame.with_numeric(values)
    [record] = fitted.run(spoilt)[0].explanations
    assert [culprit.signal for culprit in record.culprits] == ["q"]
    proves(fitted, spoilt, record)


def test_a_constant_signal_that_moves_should_be_what_it_always_was(
    registries: Registries, watched: Watched
) -> None:
    values = watched(400).values.copy()
    values[:, 2] = 7.5
    spec = PipelineSpec(Step("mahalanobis"), (SCALE,))
    fitted = fit(spec, Frame.of(values, ["p", "q", "r"]), registries=registries)
    values[0, 2] = 8.5
    moved = Frame.of(values[:1], ["p", "q", "r"])
    [record] = fitted.run(moved)[0].explanations
    [culprit] = record.culprits
    assert culprit.signal == "r"
    assert culprit.normal_value == pytest.approx(7.5)
    proves(fitted, moved, record)


def mixed(n: int = 400) -> Frame:
    rng = np.random.default_rng(5)
    columns = {"x": rng.normal(size=n), "y": rng.normal(size=n)}
    columns["y"][::5] = np.nan
    columns["mode"] = rng.choice(["idle", "run", "stop"], n, p=[0.7, 0.29, 0.01])
    return from_columns(columns)


@pytest.mark.parametrize("detector", ["mahalanobis", "ecod", "knn", "isolation_forest"])
def test_words_and_holes_shown_as_normal_are_normal(registries: Registries, detector: str) -> None:
    """Where every culprit has a value or a word to show; else it only 'had behaved as usual'."""
    fitted = fit(PipelineSpec(Step(detector), (), 0.05), mixed(), registries=registries)
    asked = from_columns(
        {
            "x": np.array([9.0, 0.0, 0.1, -8.0, 0.0]),
            "y": np.array([0.0, np.nan, 12.0, np.nan, 0.5]),
            "mode": np.array(["idle", "stop", "run", "stop", "never seen"]),
        }
    )
    proven = 0
    for record in fitted.run(asked)[0].explanations:
        shown = [c.normal_value is not None or c.normal_word for c in record.culprits]
        if record.culprits and all(shown):
            proves(fitted, asked, record)
            proven += 1
    assert proven


WINDOW = Step("window_statistics", {"window": 3, "statistics": ["mean", "sd"]})


@pytest.mark.parametrize("detector", ["ewma", "cusum", "ar", "var", "mahalanobis", "knn"])
def test_where_the_past_speaks_too_all_that_has_to_change_is_told(
    model: Model, watched: Watched, detector: str
) -> None:
    """One reading put right would not clear a window or a memory: none is promised to."""
    features = (WINDOW,) if detector in {"mahalanobis", "knn"} else ()
    frame = replace(watched(60, spikes=0.2), assets=(), asset=None)
    fitted = model(detector, *features)
    answer, _ = fitted.run(frame, ExplanationPolicy(view=View.FULL))
    spans = []
    for record in answer.explanations:
        assert record.culprits
        assert all(c.normal_value is None and not c.normal_word for c in record.culprits)
        spans += [culprit.span_rows for culprit in record.culprits]
        if min(culprit.span_rows for culprit in record.culprits) > 0:
            [edited, *_] = scores_at(fitted, with_paths(frame, record), record.row)
            assert edited == pytest.approx(record.cleared_score, rel=1e-9, abs=1e-9)
            assert edited < answer.threshold
    remembers = detector in {"ewma", "cusum"}
    assert set(spans) == {0} if remembers else min(spans) > 0
    said = " ".join(record.summary for record in answer.explanations)
    assert ("had behaved as usual" in said) == remembers
    assert ("had averaged" in said) != remembers


def with_paths(frame: Frame, record: Explanation) -> Frame:
    """Return the frame with what would look normal in each row of the culprits' spans."""
    values = frame.values.astype(np.float64)
    for culprit in record.culprits:
        rows = slice(record.row - culprit.span_rows + 1, record.row + 1)
        values[rows, frame.names.index(culprit.signal)] = culprit.normal_path
        assert np.mean(culprit.normal_path) == pytest.approx(culprit.span_normal_value)
    return frame.with_numeric(values)


def scores_at(fitted: FittedPipeline, frame: Frame, *rows: int) -> list[float]:
    answer, _ = fitted.run(frame, ExplanationPolicy(ExplainedRows.NONE))
    place = {int(row): i for i, row in enumerate(answer.source_rows)}
    return [float(answer.scores[place[row]]) for row in rows]


@pytest.mark.parametrize("detector", ["mahalanobis", "ecod", "knn", "isolation_forest"])
def test_the_semi_factual_is_anomalous_and_its_next_step_is_not(
    model: Model, watched: Watched, detector: str
) -> None:
    fitted, frame = model(detector, SCALE), watched(60, spikes=0.3)
    answer, _ = fitted.run(frame)
    assert len(answer.explanations) >= 3
    for record in answer.explanations:
        still, after = frame.values.copy(), frame.values.copy()
        for culprit in record.culprits:
            seen, usual, at = culprit.value, culprit.normal_value, culprit.still_anomalous_value
            assert seen is not None
            assert usual is not None
            assert at is not None
            column = frame.names.index(culprit.signal)
            still[record.row, column] = at
            after[record.row, column] = at + STEP * (usual - seen)
        [score] = scores_at(fitted, frame.with_numeric(still), record.row)
        assert score == pytest.approx(record.semi_factual_score, rel=1e-9)
        assert score >= answer.threshold
        [next_one] = scores_at(fitted, frame.with_numeric(after), record.row)
        assert next_one < answer.threshold


def test_changes_are_told_in_sd_of_the_background(model: Model, watched: Watched) -> None:
    fitted = model("mahalanobis", SCALE)
    spread = fitted.background.last.values.std(axis=0)
    for record in fitted.run(watched(60, spikes=0.3))[0].explanations:
        for culprit in record.culprits:
            assert culprit.normal_value is not None
            assert culprit.value is not None
            change = (culprit.normal_value - culprit.value) / spread["pqr".index(culprit.signal)]
            assert culprit.change_deviations == pytest.approx(change)


def test_a_cleared_row_is_more_plausible_than_the_anomaly(model: Model, watched: Watched) -> None:
    fitted = model("mahalanobis", SCALE)
    plausibility = fitted.clearing.free.plausibility
    rows = fitted.chain.transform(watched(60, spikes=0.3)).frame.numeric()
    answer, _ = fitted.run(watched(60, spikes=0.3))
    cleared = [record.plausibility for record in answer.explanations]
    seen = [plausibility.p_value(rows[i]) for i in answer.explained]
    assert all(p is not None and 0 < p <= 1 for p in cleared)
    assert np.mean([p or 0.0 for p in cleared]) > 2 * np.mean([p or 0.0 for p in seen])
    assert plausibility.p_value(rows[0] + 1e6) == 1 / 33
    five = min(plausibility.p_value(row) or 0.0 for row in fitted.background.rows.numeric())
    assert five > 1 / 33


@pytest.mark.parametrize("detector", ["mahalanobis", "ecod", "knn", "isolation_forest", "var"])
def test_constraints_are_kept_and_still_proven(
    model: Model, watched: Watched, detector: str
) -> None:
    constraints = (
        SignalConstraint("p", integer=True, minimum=8),
        SignalConstraint("q", immutable=True),
        SignalConstraint("r", maximum=300.5),
    )
    fitted = model(detector)
    frame = replace(watched(80, spikes=0.3), assets=(), asset=None)
    policy = ExplanationPolicy(view=View.FULL, constraints=constraints)
    proven = 0
    for record in fitted.run(frame, policy)[0].explanations:
        for culprit in record.culprits:
            path = np.array(culprit.normal_path)
            assert culprit.signal != "q"
            if culprit.signal == "p":
                assert (path == np.rint(path)).all()
                assert path.min() >= 8
            else:
                assert path.max() <= 300.5
        if record.culprits:
            [score] = scores_at(fitted, with_paths(frame, record), record.row)
            assert score == pytest.approx(record.cleared_score, rel=1e-9, abs=1e-9)
            assert score < record.threshold
            proven += 1
    assert proven >= 3


def test_the_same_row_has_the_same_counterfactual_in_any_batch(
    model: Model, watched: Watched
) -> None:
    frame = replace(watched(60, spikes=0.3), assets=(), asset=None)
    for detector in ("mahalanobis", "isolation_forest", "knn"):
        fitted = model(detector, WINDOW)
        whole = {record.row: record for record in fitted.run(frame)[0].explanations}
        for row in list(whole)[:4]:
            part = frame.take(slice(row - 2, row + 1))
            [again] = fitted.run(part, ExplanationPolicy((2,)))[0].explanations
            for name in ("culprits", "cleared_score", "semi_factual_score", "plausibility"):
                assert getattr(again, name) == getattr(whole[row], name)


@dataclass(frozen=True)
class FittedMade:
    """Features that follow their signals in a bent line, or two at a time."""

    inputs: tuple[Signal, ...]
    how: str
    history: int = 0

    @property
    def signals(self) -> tuple[Signal, ...]:
        return tuple(Signal(f"f{j}") for j in range(len(self.inputs)))

    @property
    def reads(self) -> dict[str, tuple[str, ...]]:
        names = [signal.name for signal in self.inputs]
        after = [*names[1:], names[0]]
        both = self.how == "sums"
        return {f"f{j}": (name, after[j]) if both else (name,) for j, name in enumerate(names)}

    def transform(self, frame: Frame) -> Features:
        values = frame.numeric()
        made = np.cbrt(values) if self.how == "bent" else values + np.roll(values, -1, axis=1)
        rows, d = values.shape
        return Features(
            frame.with_numeric(made, self.signals), np.arange(rows), Nowhere(rows * d, d)
        )


@dataclass(frozen=True)
class Nowhere:
    cells: int
    features: int

    def rows(self, index: int) -> Trace:
        empty: sparse.csr_array[Any] = sparse.csr_array((self.features, self.cells))
        return Trace(empty, np.zeros(self.features, np.bool_))


@dataclass(frozen=True, slots=True, kw_only=True)
class Bent:
    traits: ClassVar[ExtractorTraits] = ExtractorTraits()

    def fit(self, frame: Frame, context: FitContext) -> FittedMade:
        return FittedMade(frame.signals, "bent")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sums:
    traits: ClassVar[ExtractorTraits] = ExtractorTraits()

    def fit(self, frame: Frame, context: FitContext) -> FittedMade:
        return FittedMade(frame.signals, "sums")


@pytest.mark.parametrize(
    ("made", "detector"),
    [
        ("Bent", "mahalanobis"),
        ("Bent", "knn"),
        ("Sums", "mahalanobis"),
        ("Sums", "knn"),
    ],
)
def test_what_no_line_leads_back_is_taken_from_a_normal_row(
    registries: Registries, watched: Watched, made: str, detector: str
) -> None:
    registries.features.add(made, f"{__name__}:{made}")
    fitted = fit(PipelineSpec(Step(detector), (Step(made),)), watched(400), registries=registries)
    frame = watched(60, spikes=0.4)
    records = fitted.run(frame)[0].explanations
    assert records
    for record in records:
        assert record.culprits
        assert all(culprit.normal_value is not None for culprit in record.culprits)
        proves(fitted, frame, record)
