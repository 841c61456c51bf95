"""Where work runs, by what it is estimated to take and by how it went so far."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from clarion.errors import LimitExceededError, ModelNotFoundError, OperationCancelledError
from clarion.explaining.cache import AttributionCache
from clarion.explaining.players import PlayerChoice, SignalGroup
from clarion.frames import Frame
from clarion.pipeline.answer import ExplainedRows, ExplanationPolicy, View
from clarion.pipeline.fit import fit
from clarion.pipeline.run import FittedPipeline
from clarion.pipeline.spec import PipelineSpec, Step
from clarion.plugins import load_plugins
from clarion.registry import Registries
from clarion.server.interceptors.calls import Call, current_call
from clarion.server.loaded import Loaded, _key
from clarion.server.scoring import Scoring
from clarion.server.task import Done, Reply, Task, perform
from clarion.store.artifacts import ModelStore, VersionRef
from clarion_api.v1.detection_pb2 import ScoreResponse

ALL = ExplanationPolicy(rows=ExplainedRows.ALL)


@pytest.fixture(scope="module")
def pipeline() -> FittedPipeline:
    values = np.random.default_rng(7).normal(size=(400, 3))
    fitted = fit(PipelineSpec(Step("zscore")), Frame.of(values), registries=load_plugins())
    fitted.run(Frame.of(values[:2]), ALL)  # compiles what later runs would wait for
    return fitted


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as pool:
        yield pool


@pytest.fixture
def call() -> Iterator[Call]:
    call = Call("/clarion.v1.DetectionService/Score", "peer", "id")
    token = current_call.set(call)
    yield call
    current_call.reset(token)


class FakeProcesses:
    """Performs here, and counts."""

    def __init__(self, pipeline: FittedPipeline) -> None:
        self.pipeline = pipeline
        self.performed = 0
        self.deleted = False

    async def perform(self, ref: VersionRef, plugin: str, task: Task) -> Done:
        if self.deleted:
            raise ModelNotFoundError("it was deleted", model=ref.model)
        self.performed += 1
        return perform(self.pipeline, ref.name, task)


@pytest.fixture
def processes(pipeline: FittedPipeline) -> FakeProcesses:
    return FakeProcesses(pipeline)


@pytest.fixture
def scoring(threads: ThreadPoolExecutor, processes: Any) -> Scoring:
    return Scoring(threads, processes, max_waiting=2)


def loaded(
    pipeline: FittedPipeline, *, cost: float, score: float = 1e-6, steady: bool = False
) -> Loaded:
    """Return a model whose explanations take ``cost`` seconds a row, its scores ``score``."""
    made = Loaded(VersionRef("default", "pump", 1, "d", "c"), pipeline, score, 0.0)
    for policy in (ExplanationPolicy(), ALL):
        made._costs[_key(policy)] = cost
    for _ in range(8 * steady):
        made.pace.note(0.0)
    return made


def task(spikes: int = 0, policy: ExplanationPolicy | None = None, rows: int = 10) -> Task:
    values = np.zeros((rows, 3))
    values[:spikes] = 9.0
    return Task(Reply.SCORE, Frame.of(values), policy or ExplanationPolicy())


async def test_short_work_earns_the_event_loop_and_loses_it(
    scoring: Scoring, pipeline: FittedPipeline, call: Call
) -> None:
    model = loaded(pipeline, cost=1e-6)
    where = []
    for _ in range(9):
        await scoring.perform(model, task())
        where.append(call.where)
    assert where == ["thread"] * 8 + ["inline"]
    model.pace.note(1.0)
    await scoring.perform(model, task())
    assert call.where == "thread"


async def test_long_scoring_never_runs_on_the_event_loop(
    scoring: Scoring, pipeline: FittedPipeline, call: Call
) -> None:
    model = loaded(pipeline, cost=0.0, score=0.002, steady=True)
    await scoring.perform(model, task())
    assert call.where == "thread"


@pytest.mark.parametrize(
    ("cost", "rows", "where"),
    [(1e-5, 10, "inline"), (1e-4, 40, "thread"), (1e-3, 10, "process"), (1.0, 1, "process")],
)
async def test_the_estimate_of_an_explanation_decides(
    scoring: Scoring, pipeline: FittedPipeline, call: Call, cost: float, rows: int, where: str
) -> None:
    model = loaded(pipeline, cost=cost, steady=True)
    await scoring.perform(model, task(policy=ALL, rows=rows))
    assert call.where == where


@pytest.mark.parametrize(
    ("spikes", "where", "runs"), [(0, "inline", 1), (2, "inline", 2), (9, "process", 1)]
)
async def test_only_alarms_that_take_long_to_explain_go_to_a_process(
    scoring: Scoring,
    processes: FakeProcesses,
    pipeline: FittedPipeline,
    call: Call,
    monkeypatch: pytest.MonkeyPatch,
    spikes: int,
    where: str,
    runs: int,
) -> None:
    here: list[Task] = []

    def counted(pipeline: FittedPipeline, version: str, task: Task, *more: Any) -> Done:
        here.append(task)
        return perform(pipeline, version, task)

    monkeypatch.setattr("clarion.server.scoring.perform", counted)
    model = loaded(pipeline, cost=0.0004 if spikes < 9 else 0.001, steady=True)
    asked = task(spikes, rows=20)
    done = await scoring.perform(model, asked)
    assert call.where == where
    assert done.reply == perform(pipeline, model.ref.name, asked).reply
    assert len(ScoreResponse.FromString(done.reply).explanations) == spikes
    assert processes.performed == (where == "process")
    assert len(here) == runs


async def test_a_model_deleted_meanwhile_is_explained_here(
    scoring: Scoring, processes: FakeProcesses, pipeline: FittedPipeline, call: Call
) -> None:
    processes.deleted = True
    asked = task(policy=ALL)
    done = await scoring.perform(loaded(pipeline, cost=1.0), asked)
    assert call.where == "thread"
    assert done.reply == perform(pipeline, "models/pump/versions/1", asked).reply


async def test_a_slot_is_kept_until_the_work_ends_even_if_nobody_waits(
    scoring: Scoring, threads: ThreadPoolExecutor, pipeline: FittedPipeline, call: Call
) -> None:
    model = loaded(pipeline, cost=0.0)
    block = threading.Event()
    threads.submit(block.wait, 20)
    waiting = [asyncio.create_task(scoring.perform(model, task())) for _ in range(2)]
    await asyncio.sleep(0.01)
    with pytest.raises(LimitExceededError):
        await asyncio.wait_for(scoring.perform(model, task()), 5)
    waiting[0].cancel()
    await asyncio.sleep(0.01)
    third = asyncio.create_task(scoring.perform(model, task()))
    await asyncio.sleep(0.01)
    assert not third.done(), "what had not begun was dropped, and its slot is free"
    block.set()
    await third
    await waiting[1]
    await asyncio.sleep(0.01)
    assert scoring._waiting == 0


async def test_a_cost_is_measured_once_and_bounded(
    scoring: Scoring, pipeline: FittedPipeline, call: Call, tmp_path: Path
) -> None:
    ref = ModelStore(tmp_path).save("default", "pump", pipeline)
    model = Loaded(ref, pipeline, 0.0, 0.0)
    bounded = ExplanationPolicy(rows=ExplainedRows.ALL, max_evaluations=2048)
    assert model.known_cost(bounded) is None
    await scoring.perform(model, task(policy=bounded))
    known = model.known_cost(bounded)
    assert known is not None
    assert known > 0
    assert model.known_cost(ExplanationPolicy(max_evaluations=2000)) == known
    costs = dict(model._costs)
    nonsense = PlayerChoice(groups=(SignalGroup("g", ("no such signal",)),))
    assert model.measured_cost(ExplanationPolicy(players=nonsense)) == 0
    assert model._costs == costs
    for i in range(70):
        named = PlayerChoice(groups=(SignalGroup(f"g{i}", ("x0",)),))
        model.measured_cost(ExplanationPolicy(players=named))
    assert len(model._costs) == 64


async def test_more_explaining_than_a_call_has_time_for_is_not_begun(
    scoring: Scoring, pipeline: FittedPipeline, call: Call
) -> None:
    call.deadline_seconds = 3.0
    with pytest.raises(LimitExceededError, match="explain fewer rows at a time"):
        await scoring.perform(loaded(pipeline, cost=100.0), task(policy=ALL))
    call.deadline_seconds = None
    with pytest.raises(LimitExceededError, match="this call may take 120 s"):
        await scoring.perform(loaded(pipeline, cost=100.0), task(policy=ALL))


async def test_a_strangers_detector_never_runs_on_the_event_loop(
    scoring: Scoring, pipeline: FittedPipeline, call: Call
) -> None:
    model = loaded(pipeline, cost=0.0)
    assert model.own
    stranger = Registries()
    stranger.detectors.distribution = "strange-detectors"
    stranger.detectors.add(pipeline.plugin, "somewhere:Else")
    foreign = replace(model, pipeline=replace(pipeline, registries=stranger))
    for _ in range(12):
        await scoring.perform(foreign, task(policy=ExplanationPolicy(rows=ExplainedRows.NONE)))
        assert call.where == "thread"


async def test_a_caller_who_goes_frees_the_thread_that_explains(
    scoring: Scoring, pipeline: FittedPipeline, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, left = threading.Event(), threading.Event()

    def endless(pipeline: FittedPipeline, version: str, task: Task, cancelled: Any) -> Done:
        begun.set()
        while not cancelled():
            left.wait(0.01)
        left.set()
        raise OperationCancelledError("nobody waits")

    monkeypatch.setattr("clarion.server.scoring.perform", endless)
    asked = asyncio.create_task(scoring.perform(loaded(pipeline, cost=1e-4), task(rows=40)))
    await asyncio.to_thread(begun.wait, 10)
    asked.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asked
    assert await asyncio.to_thread(left.wait, 10)
    await asyncio.sleep(0.05)
    assert scoring._waiting == 0


async def test_rows_explained_before_are_told_behind_the_reply(
    scoring: Scoring, pipeline: FittedPipeline, call: Call
) -> None:
    cache = AttributionCache(2**20)
    known = loaded(replace(pipeline, digest="d", cache=cache), cost=1e-5)
    policy = replace(ALL, explainer="permutation_shap")
    known._costs[_key(policy)] = 1e-5
    first = await scoring.perform(known, task(policy=policy))
    assert "clarion-cached-rows" not in dict(call.trailer())
    second = await scoring.perform(known, task(policy=policy))
    assert second.reply == first.reply
    assert dict(call.trailer())["clarion-cached-rows"] == "10"


def test_what_a_policy_costs_depends_on_its_players_and_its_view() -> None:
    pump = PlayerChoice(groups=(SignalGroup("pump", ("x0", "x1")),))
    keys = [
        _key(policy) for policy in (ALL, replace(ALL, players=pump), replace(ALL, view=View.FULL))
    ]
    assert len(set(keys)) == 3
    assert _key(replace(ALL, view=View.COLUMNS)) == keys[0]
