"""The summary says what the record says: each number in it is one of the record's fields."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clarion.explainers import Label
from clarion.explaining.summary import summarise
from clarion.frames import Frame
from clarion.pipeline.answer import (
    CrossCheck,
    Culprit,
    ExplainedRows,
    Explanation,
    ExplanationPolicy,
    SignalReason,
)
from clarion.pipeline.run import FittedPipeline
from clarion.pipeline.spec import Step

Model = Callable[..., FittedPipeline]
Watched = Callable[..., Frame]

NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:e[+-]?\d+)?")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
NAMES = ("pressure", "flow", "valve", "speed")

finite = st.floats(-1e12, 1e12) | st.floats(allow_nan=False, allow_infinity=False)
maybe = st.none() | finite
times = st.none() | st.integers(-(2**62), 2**62)
words = st.sampled_from(["", "idle", "running fast"])


@st.composite
def cells(draw: st.DrawFn) -> tuple[float | None, str]:
    """A number, a word, or neither where the cell is missing."""
    value = draw(maybe)
    return value, draw(words) if value is None else ""


@st.composite
def reasons(draw: st.DrawFn, signal: str) -> SignalReason:
    value, word = draw(cells())
    unit = draw(st.sampled_from(["", "bar", "(A)²"]))
    share, strange = draw(st.floats(0, 1)), draw(st.floats(0, 1e12))
    return SignalReason(
        signal, value, word, draw(maybe), unit, draw(finite), share, draw(maybe), strange
    )


@st.composite
def culprits(draw: st.DrawFn, signal: str) -> Culprit:
    value, word = draw(cells())
    normal, normal_word = draw(cells())
    return Culprit(
        signal,
        value,
        word,
        normal,
        normal_word,
        draw(st.sampled_from(["", "bar"])),
        still_anomalous_value=draw(maybe),
        span_rows=draw(st.integers(0, 50)),
        span_normal_value=draw(maybe),
    )


@st.composite
def records(draw: st.DrawFn) -> Explanation:
    chosen = draw(st.lists(st.sampled_from(NAMES), unique=True, max_size=3))
    anomalous = draw(st.booleans())
    return Explanation(
        id="0f",
        row=draw(st.integers(0, 10**6)),
        row_id=draw(st.sampled_from(["", "batch seven"])),
        asset=draw(st.sampled_from(["", "pump"])),
        time=draw(times),
        since=draw(times),
        run_count=draw(st.integers(0, 50)) if anomalous else 0,
        anomalous=anomalous,
        score=draw(finite),
        p_value=draw(st.floats(0, 1)),
        threshold=draw(finite),
        base_value=draw(finite),
        label=draw(st.sampled_from(list(Label))),
        method="quadratic",
        signal_ranking=tuple(draw(reasons(name)) for name in NAMES),
        culprits=tuple(draw(culprits(name)) for name in chosen) if anomalous else (),
        cleared_score=draw(finite),
        cleared_p_value=draw(st.floats(0, 1)),
        cross_checks=tuple(
            CrossCheck("lime", NAMES, (1.0,) * 4, draw(st.floats(-1, 1)), "local slope")
            for _ in range(draw(st.integers(0, 2)))
        ),
        cells=(),
        summary="",
        minimum_proven=draw(st.booleans()),
        semi_factual_score=draw(maybe),
    )


def fields(record: Explanation) -> list[float]:
    """Every number that a reader can look up in the record; shares as percentages."""
    found: list[float | None] = [record.row, record.run_count, record.score, record.p_value]
    found += [record.threshold, record.cleared_score, record.cleared_p_value]
    for reason in record.signal_ranking:
        found += [reason.value, reason.expected, 100 * reason.share, reason.ranking_score]
    for culprit in record.culprits:
        found += [culprit.normal_value, culprit.still_anomalous_value]
        found += [culprit.span_rows, culprit.span_normal_value]
    found += [record.semi_factual_score, record.margin, record.false_alarms_per_week]
    found += [check.fit_quality for check in record.cross_checks]
    return [value for value in found if value is not None]


def moments(record: Explanation) -> set[str]:
    seconds = [t // 10**9 for t in (record.time, record.since) if t is not None]
    return {datetime.fromtimestamp(s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ") for s in seconds}


def is_field(text: str, known: list[float]) -> bool:
    """Whether some field, to the four digits shown, reads so."""
    return any(text == f"{value:.4g}" or float(text) == value for value in known)


def check(record: Explanation) -> None:
    said = summarise(record)
    assert set(TIME.findall(said)) <= moments(record)
    known = fields(record)
    for text in NUMBER.findall(TIME.sub("", said)):
        assert is_field(text, known), f"{text} of {said!r} is no field"


@settings(max_examples=60)
@given(records())
def test_every_number_is_a_field_of_the_record(record: Explanation) -> None:
    check(record)


@settings(max_examples=60)
@given(records())
def test_only_what_the_record_holds_is_mentioned(record: Explanation) -> None:
    said = summarise(record)
    first, _, rest = said.partition(" It would look normal if ")
    ranked = sorted(record.signal_ranking, key=lambda r: -r.contribution)
    top = [r.signal for r in ranked[:3] if r.contribution > 0]
    made, told, strange = first.partition(" Furthest from their own normal behaviour: ")
    assert [name for name in NAMES if name in made] == [name for name in NAMES if name in top]
    strangest = [r.signal for r in record.signal_ranking[:3] if r.ranking_score > 0]
    assert bool(told) == (record.anomalous and not set(strangest) <= set(top))
    assert {name for name in NAMES if name in strange} == (set(strangest) if told else set())
    named = {name for name in NAMES if name in rest}
    assert named == {culprit.signal for culprit in record.culprits}
    assert ("pump" in said) == bool(record.asset)
    assert ("anomalous" in said) == record.anomalous


@settings(max_examples=60)
@given(records())
def test_the_same_record_reads_the_same(record: Explanation) -> None:
    assert summarise(record) == summarise(replace(record, summary="something else"))


def example() -> Explanation:
    pressure = SignalReason("pressure", 7.5, "", 3.125, "bar", 40.0, 0.8, None, 9.5)
    mode = SignalReason("mode", None, "idle", None, "", 10.0, 0.2, None, 1.25)
    culprit = Culprit("pressure", 7.5, "", 3.25, "", "bar")
    return Explanation(
        id="0f",
        row=4,
        row_id="",
        asset="pump-7",
        time=1_700_000_000 * 10**9,
        since=1_699_999_940 * 10**9,
        run_count=2,
        anomalous=True,
        score=51.5,
        p_value=0.0019,
        threshold=12.25,
        base_value=1.5,
        label=Label.EXACT,
        method="quadratic",
        signal_ranking=(pressure, mode),
        culprits=(culprit,),
        cleared_score=2.5,
        cleared_p_value=0.75,
        cross_checks=(CrossCheck("lime", ("pressure", "mode"), (1.0, 0.5), 0.31, "slope"),),
        cells=(),
        summary="",
    )


def test_it_reads_as_people_speak() -> None:
    assert summarise(example()) == (
        "Asset pump-7, row 4 at 2023-11-14T22:13:20Z is anomalous, row 2 of a run since "
        "2023-11-14T22:12:20Z: score 51.5 reaches the threshold 12.25, p = 0.0019. "
        "It is made by pressure = 7.5 bar, normally 3.125 bar (80 %); mode = 'idle' (20 %) "
        "(quadratic: exact Shapley values). "
        "It would look normal if pressure were 3.25 bar (score 2.5, p = 0.75). "
        "lime: R² = 0.31, a local linear look is unreliable here."
    )


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"row_id": "r9"}, "row r9 at"),
        ({"anomalous": False, "culprits": ()}, "is normal: score"),
        ({"culprits": ()}, "No small set of signals was found whose return to normal clears it."),
        ({"signal_ranking": ()}, "No signal raised the score above its base value."),
        ({"label": Label.SAMPLED}, "sampled estimates"),
        ({"label": Label.ADDITIVE}, "not its Shapley values"),
    ],
)
def test_it_follows_the_record(change: dict[str, object], expected: str) -> None:
    changed = replace(example(), **change)  # type: ignore[arg-type]
    assert expected in summarise(changed)
    assert expected not in summarise(example())


def test_it_never_claims_more_than_the_label(model: Model, watched: Watched) -> None:
    for detector, claim in (
        ("mahalanobis", "exact Shapley values"),
        ("knn", "not its Shapley values"),
    ):
        answer, _ = model(detector).run(watched(20, spikes=0.5))
        assert all(claim in record.summary for record in answer.explanations)


@pytest.mark.parametrize("detector", ["mahalanobis", "ecod", "knn", "ewma", "isolation_forest"])
def test_real_summaries_hold_no_other_number(model: Model, watched: Watched, detector: str) -> None:
    frame = watched(40, spikes=0.3)
    policy = ExplanationPolicy(ExplainedRows.ALL)
    answer, _ = model(detector, Step("standardize")).run(frame, policy)
    assert len(answer.explanations) == 40
    for record in answer.explanations:
        assert record.summary == summarise(record)
        check(replace(record, asset="", row_id=""))


def test_a_missing_cell_is_called_missing() -> None:
    reason = replace(example().signal_ranking[0], value=None)
    assert "pressure = missing, normally" in summarise(replace(example(), signal_ranking=(reason,)))
