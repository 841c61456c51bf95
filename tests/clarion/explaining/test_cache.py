"""Attributions kept: the same bytes for less work, within a bound, and never those of another question."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from clarion.errors import OperationCancelledError
from clarion.explainers import Attribution, Label
from clarion.explaining.cache import AttributionCache, joined, row_keys, taken
from clarion.explaining.players import PlayerChoice, SignalGroup
from clarion.frames import Asset, Frame
from clarion.pipeline.answer import Answer, ExplainedRows, ExplanationPolicy
from clarion.pipeline.run import FittedPipeline
from clarion.pipeline.spec import Step

Model = Callable[..., FittedPipeline]
Watched = Callable[..., Frame]

ALL = ExplanationPolicy(rows=ExplainedRows.ALL)
MEBIBYTE = 2**20


@dataclass(frozen=True)
class Counting:
    """A detector, with the rows that it scored."""

    detector: Any
    rows: list[int]

    @property
    def signals(self) -> Any:
        return self.detector.signals

    def score(self, frame: Frame) -> Any:
        self.rows.append(len(frame))
        return self.detector.score(frame)

    def state(self) -> Any:
        return self.detector.state()

    @classmethod
    def from_state(cls, state: Any) -> Any:
        raise NotImplementedError


@pytest.fixture
def counted(model: Model) -> tuple[FittedPipeline, list[int]]:
    fitted, rows = model("lof", Step("standardize")), list[int]()
    cache = AttributionCache(MEBIBYTE)
    return replace(fitted, detector=Counting(fitted.detector, rows), cache=cache), rows


def run(fitted: FittedPipeline, frame: Frame, policy: ExplanationPolicy = ALL) -> Answer:
    return fitted.run(frame, policy)[0]


def spent(rows: list[int]) -> int:
    total = sum(rows)
    rows.clear()
    return total


def same(one: Answer, other: Answer) -> bool:
    first, second = one.attribution, other.attribution
    assert first is not None
    assert second is not None
    assert first.standard_error is not None
    assert second.standard_error is not None
    return (
        first.contributions.tobytes() == second.contributions.tobytes()
        and first.standard_error.tobytes() == second.standard_error.tobytes()
        and first.base_value.tobytes() == second.base_value.tobytes()
        and one.explanations == other.explanations
    )


def test_asking_twice_costs_once_and_says_the_same(
    counted: tuple[FittedPipeline, list[int]], watched: Watched
) -> None:
    fitted, rows = counted
    frame = watched(12)
    first = run(fitted, frame)
    paid = spent(rows)
    again = run(fitted, frame)
    assert spent(rows) < paid / 50
    assert (first.hits.cached, again.hits.cached, again.hits.rows) == (0, 12, 12)
    assert same(first, again)
    assert same(first, run(replace(fitted, cache=None), frame))


def test_rows_known_and_unknown_come_in_their_order(
    counted: tuple[FittedPipeline, list[int]], watched: Watched
) -> None:
    fitted, _ = counted
    frame = watched(12)
    run(fitted, frame.take(np.array([2, 7, 8])))
    mixed = run(fitted, frame)
    assert mixed.hits.cached == 3
    assert same(mixed, run(replace(fitted, cache=None), frame))


@pytest.mark.parametrize(
    "other",
    [
        replace(ALL, max_evaluations=300),
        replace(ALL, players=PlayerChoice(groups=(SignalGroup("pump", ("p", "q")),))),
    ],
)
def test_another_policy_is_another_question(
    counted: tuple[FittedPipeline, list[int]], watched: Watched, other: ExplanationPolicy
) -> None:
    fitted, rows = counted
    run(fitted, watched(6))
    spent(rows)
    answer = run(fitted, watched(6), other)
    assert answer.hits.cached == 0
    assert spent(rows) > 6 * 16
    assert run(fitted, watched(6), other).hits.cached == 6


def test_other_cells_assets_and_times_are_other_rows() -> None:
    frame = Frame.of(
        [[1.0, 2.0]], time=np.array([5]), assets=(Asset("a"),), asset=np.zeros(1, np.int32)
    )
    others = [
        frame.with_numeric(np.array([[1.0, 2.5]])),
        replace(frame, assets=(Asset("b"),)),
        replace(frame, time=np.array([6])),
        replace(frame, time=None),
        replace(frame, assets=(), asset=None),
    ]
    assert len({row_keys(each)[0] for each in (frame, *others)}) == 6
    assert row_keys(frame) == row_keys(frame.with_numeric(np.array([[1.0, 2.0]])))


@pytest.mark.parametrize(("slow", "cached"), [(1e-3, 0), (0.0, 40)])
def test_what_scores_nothing_is_kept_only_if_slow(
    model: Model, watched: Watched, monkeypatch: pytest.MonkeyPatch, slow: float, cached: int
) -> None:
    """And the first time, which prepares what all rows need, does not count."""
    monkeypatch.setattr("clarion.explaining.blocks._SLOW_SECONDS", slow)
    cache = AttributionCache(MEBIBYTE)
    fitted = replace(model("mahalanobis", Step("standardize")), cache=cache)
    hits = [run(fitted, watched(40)).hits.cached for _ in range(4)]
    assert hits == [0, 0, 0, cached]


def test_a_model_without_an_identity_keeps_nothing(
    counted: tuple[FittedPipeline, list[int]], watched: Watched
) -> None:
    nameless = replace(counted[0], digest="")
    run(nameless, watched(3))
    assert run(nameless, watched(3)).hits.cached == 0


def attribution(n: int, k: int = 4, label: Label = Label.SAMPLED) -> Attribution:
    values = np.arange(n * k, dtype=np.float64).reshape(n, k)
    return Attribution(values, values[:, 0], label, "m", "v", values[:, 1], values + 1)


def test_the_bound_holds_and_the_least_recently_used_goes_first() -> None:
    one = attribution(1)
    size = 1024 + 8 * (4 + 1 + 1 + 4)
    cache = AttributionCache(3 * size)
    for key in "abc":
        cache.put(key, one)
    assert cache.get("a") is one
    cache.put("d", one)
    assert cache.size == 3 * size
    assert [cache.get(key) is not None for key in "abcd"] == [True, False, True, True]
    cache.put("d", one)
    assert cache.size == 3 * size
    cache.put("huge", attribution(1, 1000))
    assert cache.get("huge") is None
    assert cache.size == 3 * size
    nothing = AttributionCache(0)
    nothing.put("a", one)
    assert nothing.get("a") is None


def test_rows_taken_apart_and_joined_are_the_whole() -> None:
    whole = attribution(3)
    parts = [taken(whole, row) for row in range(3)]
    assert parts[1].contributions.base is None, "a row must not keep its batch alive"
    again = joined(parts)
    assert again.contributions.tobytes() == whole.contributions.tobytes()
    assert again.standard_error is not None
    assert whole.standard_error is not None
    assert again.standard_error.tobytes() == whole.standard_error.tobytes()
    assert again.fit_quality is None
    trusted = attribution(1, label=Label.EXACT)
    assert joined([trusted, parts[0]]).label is Label.SAMPLED


def test_nobody_waiting_ends_the_work_between_two_blocks(
    counted: tuple[FittedPipeline, list[int]], watched: Watched
) -> None:
    """2,048 evaluations a row make blocks of 8 rows."""
    fitted, rows = counted
    frame = watched(24)
    run(fitted, frame)
    whole = spent(rows)
    asked = list[int]()

    def gone() -> bool:
        asked.append(1)
        return len(asked) > 1

    with pytest.raises(OperationCancelledError):
        replace(fitted, cache=None).run(frame, ALL, cancelled=gone)
    assert len(asked) == 2
    assert 24 < spent(rows) < whole / 2
    answer, _ = replace(fitted, cache=None).run(frame, ALL, cancelled=lambda: False)
    assert same(answer, run(fitted, frame))
