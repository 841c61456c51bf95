from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from clarion.arrays import Int64Array
from clarion.features import (
    ExtractorTraits,
    Features,
    FitContext,
    FittedExtractor,
    row_wise,
    unit_weights,
)
from clarion.frames import Asset, Frame, Signal
from clarion.pipeline.answer import ExplanationPolicy
from clarion.pipeline.fit import fit
from clarion.pipeline.memory import Memory, follow_runs
from clarion.pipeline.run import FittedPipeline
from clarion.pipeline.spec import PipelineSpec, Step
from clarion.registry import Registries
from clarion.tables import from_columns

Model = Callable[..., FittedPipeline]
Watched = Callable[..., Frame]

WINDOW = Step("window_statistics", {"window": 5, "statistics": ["mean"]})


def of_asset(name: str, values: list[list[float]], time: Int64Array | None = None) -> Frame:
    index = np.zeros(len(values), np.int32)
    return Frame.of(values, ["p", "q", "r"], assets=(Asset(name),), asset=index, time=time)


def quiet(n: int = 1) -> list[list[float]]:
    return [[10.0, -2.0, 300.0]] * n


def loud(n: int = 1) -> list[list[float]]:
    return [[10.0, 900.0, 300.0]] * n


def test_only_the_rows_that_windows_need_are_kept(model: Model) -> None:
    fitted, memory = model("mahalanobis", WINDOW), Memory()
    for _ in range(9):
        _, memory = fitted.run(of_asset("m", quiet()), memory=memory)
    tail = memory.assets["m"].tail
    assert tail is not None
    assert len(tail) == fitted.history == 4


def test_a_stream_forgets_the_asset_unseen_for_longest_and_counts_it(model: Model) -> None:
    fitted, memory = model("mahalanobis", WINDOW), Memory(most=3)
    for name in ["a", "b", "c", "a", "d"]:
        _, memory = fitted.run(of_asset(name, quiet()), memory=memory)
    assert list(memory.assets) == ["c", "a", "d"]
    assert memory.forgotten == 1
    _, memory = fitted.run(of_asset("b", quiet()), memory=memory)
    assert memory.forgotten == 2


def test_a_frame_of_more_assets_than_are_kept_is_scored_whole(model: Model) -> None:
    frame = Frame.of(
        quiet(8),
        ["p", "q", "r"],
        assets=tuple(Asset(f"m{i}") for i in range(8)),
        asset=np.arange(8, dtype=np.int32),
    )
    answer, memory = model("mahalanobis").run(frame, memory=Memory(most=3))
    assert len(answer.scores) == 8
    assert list(memory.assets) == ["m5", "m6", "m7"]
    assert memory.forgotten == 5


def test_what_is_kept_of_an_asset_does_not_grow_with_the_names_and_words_of_others(
    registries: Registries,
) -> None:
    rng = np.random.default_rng(0)
    columns = {"x": rng.normal(size=300), "mode": rng.choice(["on", "off"], 300)}
    spec = PipelineSpec(Step("mahalanobis"), (Step("encode"), WINDOW), 0.1)
    fitted, memory = fit(spec, from_columns(columns), registries=registries), Memory()
    for i in range(30):
        words = {"x": np.zeros(50), "mode": np.array([f"new {i} {j}" for j in range(50)])}
        names = np.array(["here"] + [f"m{i} {j}" for j in range(49)])
        frame = from_columns(words | {"asset": names}, asset="asset")
        _, memory = fitted.run(frame, memory=memory)
    tail = memory.assets["here"].tail
    assert tail is not None
    assert [asset.name for asset in tail.assets] == ["here"]
    assert len(tail.signals[1].vocabulary) == len(tail) == 4


def in_order(fitted: FittedPipeline) -> FittedPipeline:
    """Return the model as if it was fitted on rows in time order."""
    return replace(fitted, spec=replace(fitted.spec, ordered=True))


def test_rows_without_an_order_have_no_runs(model: Model) -> None:
    frame = of_asset("a", loud(3), time=np.arange(3) * 10**9)
    answer, memory = model("mahalanobis").run(frame)
    assert [(e.run_count, e.since) for e in answer.explanations] == [(0, None)] * 3
    assert memory.assets["a"].run.count == 0


def test_runs_are_counted_for_each_asset_over_frames(model: Model) -> None:
    fitted = in_order(model("mahalanobis", ordered=True))
    script = [("a", 1), ("a", 1), ("b", 1), ("a", 0), ("a", 1), ("b", 1), ("a", 1), ("b", 0)]
    memory, seen = Memory(), []
    for second, (name, bad) in enumerate(script):
        at = np.array([second * 10**9])
        frame = of_asset(name, loud() if bad else quiet(), time=at)
        answer, memory = fitted.run(frame, memory=memory)
        seen += [(e.asset, e.run_count, e.since) for e in answer.explanations]
    s = 10**9
    assert seen == [
        ("a", 1, 0),
        ("a", 2, 0),
        ("b", 1, 2 * s),
        ("a", 1, 4 * s),
        ("b", 2, 2 * s),
        ("a", 2, 4 * s),
    ]
    assert memory.assets["a"].run.count == 2
    assert memory.assets["b"].run.count == 0


def test_without_times_a_run_is_counted_all_the_same(model: Model) -> None:
    answer, _ = in_order(model("mahalanobis", ordered=True)).run(of_asset("a", loud(3)))
    assert [(e.run_count, e.since) for e in answer.explanations] == [
        (1, None),
        (2, None),
        (3, None),
    ]


def test_a_normal_row_ends_the_run_and_stands_in_none(model: Model) -> None:
    policy = ExplanationPolicy(rows=(0, 1, 2))
    frame = of_asset("a", loud() + quiet() + loud(), time=np.arange(3) * 10**9)
    answer, _ = in_order(model("mahalanobis", ordered=True)).run(frame, policy)
    assert [(e.run_count, e.since) for e in answer.explanations] == [
        (1, 0),
        (0, None),
        (1, 2 * 10**9),
    ]


def test_rows_without_an_asset_are_one_nameless_asset(model: Model) -> None:
    """Also where a list of assets came along that no row points to."""
    fitted = in_order(model("mahalanobis", ordered=True))
    plain = Frame.of(loud(), ["p", "q", "r"])
    for frame in (plain, replace(plain, assets=(Asset("a"),))):
        _, memory = fitted.run(frame)
        answer, _ = fitted.run(frame, memory=memory)
        assert [(e.asset, e.run_count) for e in answer.explanations] == [("", 2)]


@dataclass(frozen=True)
class FittedPositive:
    """Drops every row whose first signal is not positive."""

    signals: tuple[Signal, ...]
    history: int = 0

    @property
    def reads(self) -> dict[str, tuple[str, ...]]:
        return {signal.name: (signal.name,) for signal in self.signals}

    def transform(self, frame: Frame) -> Features:
        kept: Int64Array = np.flatnonzero(frame.numeric()[:, 0] > 0)
        features = row_wise(frame, unit_weights(len(self.signals)))
        return Features(frame.take(kept), kept, features.lineage)


@dataclass(frozen=True, slots=True, kw_only=True)
class Positive:
    traits: ClassVar[ExtractorTraits] = ExtractorTraits()

    def fit(self, frame: Frame, context: FitContext) -> FittedExtractor:
        fitted: FittedExtractor = FittedPositive(frame.signals)  # type: ignore[assignment]
        return fitted


def test_a_frame_without_one_scored_row_of_an_asset_leaves_its_detector_memory(
    registries: Registries, watched: Watched
) -> None:
    registries.features.add("positive", f"{__name__}:Positive")
    spec = PipelineSpec(Step("ewma"), (Step("positive"),), 0.1)
    fitted = fit(spec, watched(300), registries=registries)
    rows = quiet(4) + [[-1.0, 0.0, 0.0]] * 2 + quiet(2)
    whole, _ = fitted.run(of_asset("m", rows))
    memory, scores = Memory(), list[float]()
    for row in rows:
        answer, memory = fitted.run(of_asset("m", [row]), memory=memory)
        scores += answer.scores.tolist()
    assert scores == whole.scores.tolist()


@given(
    st.lists(st.tuples(st.integers(0, 2), st.booleans()), min_size=1, max_size=25),
    st.lists(st.integers(1, 24), max_size=4),
    st.booleans(),
)
def test_runs_are_those_of_counting_by_hand(
    rows: list[tuple[int, bool]], cuts: list[int], timed: bool
) -> None:
    """Each row in turn: one more than its asset's last, or none; in frames cut anywhere."""
    expected, running = list[tuple[int, int | None]](), dict[int, tuple[int, int | None]]()
    for second, (asset, bad) in enumerate(rows):
        count, since = running.get(asset, (0, None))
        began = since if count else (second if timed else None)
        running[asset] = (count + 1, began) if bad else (0, None)
        expected.append(running[asset])
    memory, seen = Memory(), list[tuple[int, int | None]]()
    edges = sorted({0, len(rows), *(cut for cut in cuts if cut < len(rows))})
    for start, stop in itertools.pairwise(edges):
        piece = rows[start:stop]
        frame = Frame.of(
            np.zeros((len(piece), 1)),
            assets=tuple(Asset(f"m{i}") for i in range(3)),
            asset=np.array([asset for asset, _ in piece], np.int32),
            time=np.arange(start, stop) if timed else None,
        )
        verdicts = np.array([bad for _, bad in piece])
        runs, last = follow_runs(memory, frame, np.arange(len(piece)), verdicts)
        seen += [(runs.of(i).count, runs.of(i).since) for i in range(len(piece))]
        memory = memory.after(frame, 0, {}, last, {})
    assert seen == expected


def test_rows_without_an_order_are_in_no_run(model: Model) -> None:
    frame = of_asset("a", loud(3), time=np.arange(3) * 10**9)
    answer, _ = model("mahalanobis").run(frame)
    assert [(e.run_count, e.since) for e in answer.explanations] == [(0, None)] * 3
