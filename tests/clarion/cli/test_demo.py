"""The demo: its data, its server, its numbers and its page."""

from __future__ import annotations

import importlib.util
import json
import re
import socket
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

from clarion.cli.demo import data, process, report, shuttle, water
from clarion.errors import MissingExtraError
from clarion_client import Client

KEYS = {
    "rows",
    "rows_per_second",
    "roc_auc",
    "pr_auc",
    "anomalies",
    "explained",
    "exact_share",
    "max_additivity_error",
    "promised_false_alarm_rate",
    "realised_false_alarm_rate",
}


@pytest.fixture(scope="module")
def telemetry() -> data.Shuttle:
    return data.shuttle()


def fifth(whole: data.Shuttle) -> data.Shuttle:
    """Return every fifth row: enough to fit and to judge."""
    first, rest = (np.arange(0, len(frame), 5) for frame in (whole.first, whole.rest))
    return data.Shuttle(
        whole.first.take(first),
        whole.first_labels[first],
        whole.rest.take(rest),
        whole.truth[rest],
    )


def test_the_data_are_those_that_river_documents(telemetry: data.Shuttle) -> None:
    assert len(telemetry.first) + len(telemetry.rest) == 49_097
    assert len(telemetry.first) == 49_097 // 4
    assert int(telemetry.first_labels.sum() + telemetry.truth.sum()) == 3_511
    assert len(telemetry.rest.signals) == 9
    flow = data.water_flow()
    assert len(flow) == 1_268
    assert flow.time is not None
    assert (np.diff(flow.time) > 0).all()
    quiet = data.between(flow, *water.QUIET)
    assert 90 < float(quiet.numeric().min()) < float(quiet.numeric().max()) < 110


def test_without_river_the_cure_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"pip install 'clarion\[stream\]'"):
        data.shuttle()


def test_a_server_that_cannot_start_is_said_with_its_last_words(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        monkeypatch.setattr(process, "_free_port", lambda: port)
        with pytest.raises(process.ServerFailedError, match=rf"{port}"), process.server():
            pytest.fail("it must not start")


def test_the_numbers_and_the_page_are_true(address: str, telemetry: data.Shuttle) -> None:
    rows = fifth(telemetry)
    told: list[str] = []
    with Client.connect(address, timeout_s=60.0) as client:
        found = shuttle.run(client, rows, lambda words, share: told.append(words))
        flow = water.run(client, data.water_flow())
    numbers = found.numbers()
    assert set(numbers) == KEYS
    assert numbers["rows"] == len(rows.rest)
    assert numbers["roc_auc"] >= 0.99
    assert numbers["anomalies"] == numbers["explained"] == int(found.scored.anomalous.sum())
    assert numbers["exact_share"] == 1.0
    assert 0 <= numbers["max_additivity_error"] <= 1e-9
    normal = found.scored.scores[~found.truth] >= found.scored.threshold
    assert numbers["realised_false_alarm_rate"] == pytest.approx(normal.mean())
    assert "streaming the rest" in told
    ranked = [explanation.score for explanation in found.examples]
    assert ranked == sorted(ranked, reverse=True)
    assert all(e.run_count <= 1 and e.cross_checks for e in found.examples)
    _check_events(flow)
    _check_page(report.report(found, flow), found)


def _check_events(found: water.WaterResult) -> None:
    """River's documentation: three low moments and one small peak after the first two of them."""
    long = [event for event in found.events if event.hours > 2]
    assert len(long) == 4
    low = [event.lowest < 30 for event in long]
    assert low == [True, True, False, True]
    assert long[2].highest == found.flow.max()
    assert sum(event.hours for event in found.events) == int(found.scored.anomalous.sum())
    for event in long:
        at = [np.datetime64(int(t), "ns") for t in found.stamps[found.scored.anomalous]]
        assert event.first in at
        assert event.first <= event.peak.event_time <= event.last  # type: ignore[operator]  # has times


def _check_page(page: str, found: shuttle.ShuttleResult) -> None:
    for example in found.examples:
        assert f"Row {example.row} is anomalous" in page
    pictures = re.findall(r"<svg.*?</svg>", page, re.DOTALL)
    assert len(pictures) >= 3 + 2 * len(found.examples) + 2 + 4
    for picture in pictures:
        ElementTree.fromstring(picture)
    assert not re.findall(r"https?://(?!www\.w3\.org/2000/svg)", page)


@pytest.mark.slow
def test_the_demo_keeps_its_promises(offline: Any, tmp_path: Path) -> None:
    target, page = tmp_path / "demo.json", tmp_path / "demo.html"
    ran = offline("demo", "--headless", "--json", target, "--report", page)
    assert ran.code == 0, ran.err
    assert f"report: {page}" in ran.out
    numbers = json.loads(target.read_text())
    assert set(numbers) == KEYS
    assert numbers["rows"] == 49_097 - 49_097 // 4
    assert numbers["roc_auc"] >= 0.99
    assert numbers["explained"] == numbers["anomalies"] > 2_600
    assert numbers["exact_share"] == 1.0
    assert numbers["max_additivity_error"] <= 1e-9
    assert page.stat().st_size > 50_000
