"""Same request, same bytes: a row is told the same in whatever batch it comes (DESIGN 1, 9)."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

from clarion.frames import Asset, Frame
from clarion.pipeline.answer import Answer, ExplainedRows, ExplanationPolicy, View
from clarion.pipeline.run import FittedPipeline
from clarion.pipeline.spec import Step

Model = Callable[..., FittedPipeline]
Watched = Callable[..., Frame]
Told = Callable[[Answer, Frame], dict[str, str]]

ROWS = (0, 1, 17, 500, 998, 999)


def policy(rows: tuple[int, ...] | ExplainedRows, **options: object) -> ExplanationPolicy:
    return ExplanationPolicy(rows, view=View.FULL, **options)  # type: ignore[arg-type]


def strangers(frame: Frame) -> Frame:
    """Return the rows, each of an asset of its own: how many anomalous rows came before is out."""
    assets = tuple(Asset(f"a{i}") for i in range(len(frame)))
    return replace(frame, assets=assets, asset=np.arange(len(frame), dtype=np.int32))


@pytest.fixture
def row_model(row_detector: str, model: Model) -> FittedPipeline:
    return model(row_detector, Step("standardize"))


def test_a_row_alone_is_told_as_among_a_thousand(
    row_model: FittedPipeline, watched: Watched, told: Told
) -> None:
    frame = strangers(watched(1000, spikes=0.5))
    among = told(row_model.run(frame, policy(ROWS))[0], frame)
    for row in ROWS:
        alone = frame.take(slice(row, row + 1))
        [(name, said)] = told(row_model.run(alone, policy((0,)))[0], alone).items()
        assert said == among[name]


def test_the_order_of_rows_and_of_signals_does_not_matter(
    row_model: FittedPipeline, watched: Watched, told: Told, rng: np.random.Generator
) -> None:
    frame = strangers(watched(40, spikes=0.5))
    sent = told(row_model.run(frame, policy(tuple(range(0, 40, 4))))[0], frame)
    order = rng.permutation(40)
    turned = frame.take(order).aligned_to(["r", "p", "q"])
    asked = tuple(int(i) for i in np.flatnonzero(order % 4 == 0))
    assert told(row_model.run(turned, policy(asked))[0], turned) == sent


def test_single_precision_is_told_as_the_doubles_it_stands_for(
    row_model: FittedPipeline, watched: Watched, told: Told
) -> None:
    frame = watched(30, spikes=0.5)
    single = replace(frame, values=frame.values.astype(np.float32))
    double = replace(frame, values=single.values.astype(np.float64))
    one, other = (told(row_model.run(f, policy((2, 3)))[0], f) for f in (single, double))
    assert one == other


@pytest.mark.parametrize("name", ["permutation_shap", "lime"])
def test_what_is_drawn_at_random_is_drawn_by_the_row(
    model: Model, watched: Watched, told: Told, name: str
) -> None:
    fitted, frame = model("knn", Step("standardize")), strangers(watched(50, spikes=0.5))
    checks = (name,) if name == "lime" else ()
    asked = policy((7, 49), explainer="" if checks else name, cross_checks=checks)
    among = told(fitted.run(frame, asked)[0], frame)
    alone = frame.take(slice(49, 50))
    again = told(fitted.run(alone, replace(asked, rows=(0,)))[0], alone)
    assert again["r49"] == among["r49"]


def test_asking_twice_gives_the_same(
    row_model: FittedPipeline, watched: Watched, told: Told
) -> None:
    frame = watched(60, spikes=0.5)
    first, second = (told(row_model.run(frame, policy(ROWS[:3]))[0], frame) for _ in range(2))
    assert first == second


def test_threads_are_told_the_same(
    model: Model, watched: Watched, told: Told, row_detector: str
) -> None:
    """Eight at once on a model that nobody has asked yet: what it keeps is made by whoever comes."""
    fitted, frame = model(row_detector, Step("standardize")), watched(20, spikes=0.5)
    expected = told(fitted.run(frame, policy(ROWS[:3]))[0], frame)
    fresh = replace(fitted)
    with ThreadPoolExecutor(8) as pool:
        answers = pool.map(lambda _: fresh.run(frame, policy(ROWS[:3]))[0], range(8))
        assert all(told(answer, frame) == expected for answer in answers)
