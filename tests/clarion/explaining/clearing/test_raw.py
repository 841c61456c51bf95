"""Proofs in raw rows: of every sequence detector, and of streams whose past is gone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from clarion.arrays import FloatArray
from clarion.explaining.clearing.semi_factual import STEP, farthest_anomalous
from clarion.frames import Frame
from clarion.pipeline.answer import ExplainedRows, Explanation, ExplanationPolicy, View
from clarion.pipeline.fit import fit
from clarion.pipeline.run import FittedPipeline
from clarion.pipeline.spec import PipelineSpec, Step
from clarion.plugins import load_plugins

Model = Callable[..., FittedPipeline]
Watched = Callable[..., Frame]

_DETECTORS = load_plugins().detectors
SEQUENCES = [
    entry.name
    for entry in _DETECTORS
    if entry.distribution == "clarion" and _DETECTORS.get(entry.name).traits.kind == "sequence"
]
ROWS = 6
"""Alarms explained of each detector."""


@pytest.mark.parametrize("detector", SEQUENCES)
def test_culprits_of_a_memory_clear_the_alarm(
    model: Model, watched: Watched, detector: str
) -> None:
    fitted = model(detector)
    spikes = 0.02 if detector == "spectral_residual" else 0.15  # to it, one of many is no surprise
    frame = replace(watched(120, spikes=spikes), assets=(), asset=None)
    scored, _ = fitted.run(frame, ExplanationPolicy(ExplainedRows.NONE))
    alarms = scored.source_rows[scored.anomalous][:ROWS].tolist()
    assert alarms
    answer, _ = fitted.run(frame, ExplanationPolicy(tuple(alarms), view=View.FULL))
    for record in answer.explanations:
        if not record.culprits:
            continue
        assert record.cleared_score < record.threshold <= record.score
        assert record.semi_factual_score is not None
        assert record.semi_factual_score >= record.threshold
        if all(culprit.span_rows for culprit in record.culprits):
            assert put_in(fitted, frame, record) == pytest.approx(record.cleared_score, rel=1e-9)
    assert any(record.culprits for record in answer.explanations)


def put_in(fitted: FittedPipeline, frame: Frame, record: Explanation) -> float:
    values = frame.values.astype(np.float64)
    for culprit in record.culprits:
        rows = slice(record.row - culprit.span_rows + 1, record.row + 1)
        values[rows, frame.names.index(culprit.signal)] = culprit.normal_path
    answer, _ = fitted.run(frame.with_numeric(values), ExplanationPolicy(ExplainedRows.NONE))
    return float(answer.scores[list(answer.source_rows).index(record.row)])


def test_where_the_past_is_gone_no_values_are_promised(model: Model, watched: Watched) -> None:
    """The lags of the second frame's first rows lie in the first one, whose rows are not kept."""
    fitted, frame = model("var"), replace(watched(60, spikes=0.3), assets=(), asset=None)
    _, memory = fitted.run(frame.take(slice(0, 30)))
    answer, _ = fitted.run(frame.take(slice(30, 60)), memory=memory)
    lags = fitted.detector.window.lags  # type: ignore[attr-defined]  # of this detector
    early = [r for r in answer.explanations if r.row < lags and r.culprits]
    late = [r for r in answer.explanations if r.row >= lags and r.culprits]
    assert early
    assert late
    assert all(culprit.span_rows == 0 for record in early for culprit in record.culprits)
    assert all(culprit.span_rows > 0 for record in late for culprit in record.culprits)


def test_a_window_reaches_back_over_the_frames_of_a_stream(model: Model, watched: Watched) -> None:
    window = Step("window_statistics", {"window": 3, "statistics": ["mean", "sd"]})
    fitted, frame = model("knn", window), replace(watched(60, spikes=0.3), assets=(), asset=None)
    whole = {record.row: record for record in fitted.run(frame)[0].explanations}
    _, memory = fitted.run(frame.take(slice(0, 30)))
    answer, _ = fitted.run(frame.take(slice(30, 60)), memory=memory)
    assert answer.explanations
    for record in answer.explanations:
        assert record.culprits == whole[record.row + 30].culprits


@pytest.mark.parametrize("crossing", [0.0004, 0.3, 0.77777, 0.99999])
def test_the_farthest_anomalous_point_is_found_to_a_step(crossing: float) -> None:
    asked = []

    def scores(shares: FloatArray) -> FloatArray:
        asked.extend(shares.tolist())
        return np.where(shares <= crossing, 2.0 - shares, 0.5)

    share, score = farthest_anomalous(scores, 1.0, 2.0)
    assert share <= crossing < share + STEP
    assert score == 2.0 - share
    assert len(asked) <= 64
    assert all(0 < point < 1 for point in asked)


def test_the_last_of_several_anomalous_stretches_counts() -> None:
    share, _ = farthest_anomalous(
        lambda shares: np.where((shares < 0.2) | (np.abs(shares - 0.6) < 0.1), 2.0, 0.0), 1.0, 2.0
    )
    assert share == pytest.approx(0.7, abs=STEP)


@pytest.mark.parametrize("detector", ["mahalanobis", "pca", "ensemble"])
def test_a_window_moves_to_where_the_other_signals_let_one_expect_it(detector: str) -> None:
    """Two signals follow one load, a third is noise: one of the two leaves it, at a load never seen.

    No normal row has that load, so that copied paths would have to replace the other one too.
    """
    rng = np.random.default_rng(8)

    def rows(load: FloatArray) -> FloatArray:
        noise = rng.normal(size=(len(load), 3))
        return np.column_stack([load, -load, 0 * load]) + [0.05, 0.05, 1.0] * noise

    load = np.cumsum(rng.normal(size=1500)) / 10
    window = Step("window_statistics", {"window": 5, "statistics": ["mean", "sd", "slope"]})
    spec = PipelineSpec(Step(detector), (window,), 0.02, ordered=True)
    fitted = fit(spec, Frame.of(rows(load)), registries=load_plugins())
    seen = rows(np.linspace(0, 0.2, 5) + load.max() + 0.2)
    seen[2:, 0] += [1.0, 2.5, 2.0]
    answer, _ = fitted.run(Frame.of(seen), ExplanationPolicy(view=View.FULL))
    [record] = answer.explanations
    [culprit] = record.culprits
    assert culprit.signal == "x0"
    assert put_in(fitted, Frame.of(seen), record) == pytest.approx(record.cleared_score, rel=1e-9)
    assert culprit.span_normal_value == pytest.approx(load.max() + 0.3, abs=0.3)
