from __future__ import annotations

import logging
import sys
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from clarion.errors import LimitExceededError, MissingExtraError, OperationCancelledError
from clarion.features import FitContext
from clarion.parameters import schema
from clarion_detectors.training import Trained, require_training_memory

ROWS = np.arange(200)


def test_without_torch_the_cure_is_named(
    context: FitContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'clarion\[deep\]'"):
        Trained().train({}, slope_error, {}, (ROWS, ROWS), context)


def test_every_option_has_a_meaning() -> None:
    described = schema(Trained)["properties"]
    assert described["epochs"]["x-unit"] == "passes"
    assert described["learning_rate"]["exclusiveMinimum"] == 0.0


def test_rows_are_split_in_two(rng: np.random.Generator) -> None:
    options = Trained(held_back=0.2)
    last = options.split(10, None)
    assert [part.tolist() for part in last] == [[0, 1, 2, 3, 4, 5, 6, 7], [8, 9]]
    learned, held = options.split(50, rng)
    assert sorted([*learned, *held]) == list(range(50))
    assert len(held) == 10
    assert held.tolist() != list(range(40, 50))
    assert [len(part) for part in Trained().split(2, rng)] == [1, 1]


def test_a_network_too_large_is_refused_with_the_estimate() -> None:
    require_training_memory(10_000, 500, 1_000_000, 64)
    with pytest.raises(LimitExceededError, match=r"1000000000000 weights needs about .* GiB") as e:
        require_training_memory(10**12, 1, 1, 1)
    assert int(e.value.metadata["needed_bytes"]) >= 48 * 10**12


def slope_error(weights: Mapping[str, Any], data: Mapping[str, Any], rows: Any) -> Any:
    return (data["x"][rows] * weights["slope"] - data["y"][rows]).square().mean()


def line(rng: np.random.Generator) -> dict[str, np.ndarray]:
    x = rng.normal(size=200)
    return {"x": x, "y": 3 * x}


START = {"slope": np.zeros(1)}


@pytest.mark.usefixtures("deep")
def test_it_finds_the_slope(rng: np.random.Generator, context: FitContext) -> None:
    told: list[tuple[float, str]] = []
    context = replace(context, progress=lambda share, doing: told.append((share, doing)))
    options = Trained(learning_rate=0.03, weight_decay=0.0, epochs=200)
    rows = options.split(200, context.rng)
    got = options.train(START, slope_error, line(rng), rows, context)
    np.testing.assert_allclose(got["slope"], [3.0], atol=1e-3)
    assert got["slope"].dtype == np.float64
    shares = [share for share, _ in told]
    assert shares == sorted(shares)
    assert len(shares) < 200, "it did not stop early"
    assert "held-back loss" in told[-1][1]


@pytest.mark.usefixtures("deep")
def test_the_weights_before_the_worse_ones_are_kept(
    rng: np.random.Generator, context: FitContext
) -> None:
    """Learning rows that contradict those held back: the first weights are the best."""
    data = line(rng)
    data["y"][:100] *= -1
    options = Trained(patience=3, learning_rate=0.1)
    best = options.train(START, slope_error, data, (ROWS[:100], ROWS[100:]), context)
    assert best["slope"].tolist() == [0.0]
    good = options.train(START, slope_error, data, (ROWS[100:], ROWS[100:]), context)
    assert good["slope"] > 2


@pytest.mark.usefixtures("deep")
def test_a_diverging_network_stops_with_its_last_good_weights(
    rng: np.random.Generator, context: FitContext, caplog: pytest.LogCaptureFixture
) -> None:
    passes: list[str] = []
    context = replace(context, progress=lambda share, doing: passes.append(doing))

    def explodes(weights: Mapping[str, Any], data: Mapping[str, Any], rows: Any) -> Any:
        loss = slope_error(weights, data, rows)
        return loss / (weights["slope"] < 1.0)  # infinite from there on

    options = Trained(learning_rate=0.05, batch_rows=100)
    with caplog.at_level(logging.WARNING):
        got = options.train(START, explodes, line(rng), (ROWS, ROWS), context)
    assert 0.5 < got["slope"][0] < 1.0
    assert len(passes) < 20
    assert "diverged" in caplog.text


@pytest.mark.usefixtures("deep")
def test_a_fit_can_be_cancelled(rng: np.random.Generator, context: FitContext) -> None:
    asked: list[int] = []

    def cancelled() -> bool:
        asked.append(1)
        return len(asked) > 5

    context = replace(context, cancelled=cancelled)
    with pytest.raises(OperationCancelledError):
        Trained().train(START, slope_error, line(rng), (ROWS, ROWS), context)
    assert len(asked) == 6


@pytest.mark.usefixtures("deep")
def test_it_leaves_torchs_threads_as_they_were(
    rng: np.random.Generator, context: FitContext
) -> None:
    import torch

    before = torch.get_num_threads()
    Trained(epochs=1).train(START, slope_error, line(rng), (ROWS, ROWS), context)
    assert torch.get_num_threads() == before
