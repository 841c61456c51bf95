"""What would look normal does look normal: shown values, put in, clear the alarm."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import pytest
from scipy import sparse

from clarion.features import ExtractorTraits, Features, FitContext, Trace
from clarion.frames import Frame, Signal
from clarion.pipeline.answer import ExplainedRows, Explanation, ExplanationPolicy
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
    assert answer.p_values[0] > answer.false_alarm_rate
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


@pytest.mark.parametrize("detector", ["ewma", "cusum", "ar", "mahalanobis"])
def test_no_value_is_shown_where_the_past_speaks_too(
    model: Model, watched: Watched, detector: str
) -> None:
    """One reading put right would not clear a window or a memory: none is promised to."""
    window = Step("window_statistics", {"window": 3, "statistics": ["mean"]})
    features = (window,) if detector == "mahalanobis" else ()
    frame = replace(watched(60, spikes=0.2), assets=(), asset=None)
    answer, _ = model(detector, *features).run(frame)
    culprits = [culprit for record in answer.explanations for culprit in record.culprits]
    assert culprits
    assert all(c.normal_value is None and not c.normal_word for c in culprits)
    assert any("had behaved as usual" in record.summary for record in answer.explanations)


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
