"""Whether the promise was kept, in words and on the page."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

from clarion.cli.confidence_page import confidence_section
from clarion.cli.confidence_tables import facts, kept
from clarion_client import DriftTrace, RateTrace, ReliabilityCurve, ReliabilityReport

NONE = np.empty(0)
NO_ROWS = np.empty(0, np.int64)
HOURS = np.arange(0, 96, 24).astype("datetime64[h]").astype("datetime64[ns]")


def drift(*alarms: int, timed: bool = True) -> DriftTrace:
    rows = np.array(alarms, np.int64)
    return DriftTrace(
        np.arange(0, 96, 24),
        HOURS if timed else None,
        np.array([0.0, 0.5, 3.0, 1.0]),
        rows,
        rows.astype("datetime64[h]").astype("datetime64[ns]") if timed else None,
        2.0,
        20_000,
    )


REPORT = ReliabilityReport(
    promised_rate=0.01,
    expected_rate=0.005,
    allowed_rate=0.012,
    calibration_row_count=1999,
    normal_row_count=4000,
    false_alarm_count=24,
    realised_rate=0.006,
    realised_low=0.0038,
    realised_high=0.0089,
    ratio=0.6,
    kept=True,
    curve=ReliabilityCurve(
        np.array([0.001, 0.01, 0.1]),
        np.array([0.0, 0.02, 0.1]),
        np.array([0.0, 0.01, 0.09]),
        np.array([0.002, 0.03, 0.12]),
        np.array([0.0001, 0.006, 0.08]),
        np.array([0.003, 0.015, 0.12]),
    ),
    rates=RateTrace(
        np.arange(0, 96, 24),
        HOURS,
        np.full(4, 20),
        np.array([0, 0, 1, 2]),
        np.array([0.0, 0.0, 0.001, 0.012]),
        np.array([0.17, 0.17, 0.25, 0.32]),
    ),
    drift=drift(50, 70),
    normal_drift=drift(),
)


def said(report: ReliabilityReport) -> dict[str, str]:
    return dict(facts(report))


def test_the_words_say_what_was_promised_and_what_came_of_it() -> None:
    told = said(REPORT)
    assert told["promised"] == (
        "a false-alarm rate of 0.01 at most, 0.005 expected, from 1,999 calibration rows"
    )
    assert told["realised"] == "0.006 (95 % bounds 0.0038 to 0.0089): 24 of 4,000 normal rows"
    assert told["promise kept"] == "yes: 0.6 times what was promised"
    assert told["drift, all rows"] == (
        "told at row 50 (1970-01-03T02:00:00Z), and in 1 later epochs of 20,000 rows"
    )
    assert told["drift, normal rows"] == "none told; log10 of the capital reached 3"
    assert facts(None) == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"kept": False, "ratio": 3.0},
            "no: 3 times what was promised, and luck allows 0.012 at most",
        ),
        (
            {"realised_high": 0.004, "ratio": 0.2},
            "yes, with fewer false alarms than expected: 0.2 times what was promised",
        ),
        (
            {"kept": None, "ratio": None, "realised_high": None},
            "- (no row labelled normal has a score)",
        ),
    ],
)
def test_a_broken_promise_and_one_kept_too_well_are_told_apart(
    changes: dict[str, Any], words: str
) -> None:
    assert kept(replace(REPORT, **changes)) == words


def test_an_average_promise_and_rows_without_times_say_no_more_than_is_known() -> None:
    told = said(replace(REPORT, expected_rate=0.01, drift=drift(50, timed=False)))
    assert told["promised"] == "a false-alarm rate of 0.01, from 1,999 calibration rows"
    assert told["drift, all rows"] == "told at row 50"


def pictures(section: str) -> list[str]:
    found = [ElementTree.fromstring(svg) for svg in re.findall(r"<svg.*?</svg>", section)]
    return ["".join(picture[0].itertext()) for picture in found]


def test_the_section_draws_what_there_is() -> None:
    whole = confidence_section(REPORT, [])
    assert "Is the promise kept?" in whole
    assert "yes: 0.6 times what was promised" in whole
    assert pictures(whole) == [
        "Realised and promised",
        "Realised false-alarm rate along the rows",
        "Test for drift along the rows",
    ]
    nothing = DriftTrace(NO_ROWS, None, NONE, NO_ROWS, None, 2.0, 20_000)
    rates = RateTrace(NO_ROWS, None, NO_ROWS, NO_ROWS, NONE, NONE)
    loose = replace(REPORT, rates=rates, drift=nothing, normal_drift=nothing)
    assert pictures(confidence_section(loose, [])) == ["Realised and promised"]
    assert "drift, all rows" not in said(loose)
    curve = ReliabilityCurve(NONE, NONE, NONE, NONE, NONE, NONE)
    empty = replace(loose, curve=curve, realised_rate=None, ratio=None, kept=None)
    section = confidence_section(empty, [])
    assert pictures(section) == []
    assert "No row labelled normal has a score." in section


@pytest.fixture(scope="module")
def week(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return 600 hours of the pump whose heat hardly follows its flow from hour 300 on; one fault."""
    rng = np.random.default_rng(7)
    flow, noise = rng.normal(size=(2, 600))
    heat = flow + np.where(np.arange(600) < 300, 0.1, 1.0) * rng.normal(size=600)
    heat[100] += 5.0
    lines = ["when,flow,heat,noise,bad"]
    for hour in range(600):
        stamp = np.datetime64("2024-03-01T00:00:00") + np.timedelta64(hour, "h")
        lines.append(f"{stamp}Z,{flow[hour]},{heat[hour]},{noise[hour]},{int(hour == 100)}")
    path = tmp_path_factory.mktemp("data") / "week.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def test_evaluate_tells_that_a_plant_has_changed(
    cli: Any, pump: str, week: Path, tmp_path: Path
) -> None:
    page = tmp_path / "page.html"
    ran = cli("evaluate", pump, week, "--time", "when", "--label", "bad", "--report", page)
    assert ran.code == 0, ran.err
    assert re.search(r"promise kept +no: [\d.]+ times what was promised", ran.out)
    told = re.search(r"drift, normal rows +told at row (\d+) \(2024-03-\d\dT\d\d:00:00Z\)", ran.out)
    assert told is not None
    assert 300 < int(told[1]) < 350
    assert "Is the promise kept?" in page.read_text(encoding="utf-8")
    loose = cli("evaluate", pump, week, "--drop", "when", "--label", "bad")
    assert "promise kept" in loose.out
    assert "drift" not in loose.out
