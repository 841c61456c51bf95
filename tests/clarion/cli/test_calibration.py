from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from clarion.cli.fit import _calibrated
from clarion.cli.pipelines import PipelineOptions
from clarion_client import Calibration
from clarion_client.models import ClassCalibration

PLAIN = Calibration(
    id="c1",
    row_count=99,
    smallest_p_value=0.01,
    false_alarm_rate=0.01,
    threshold=3.25,
    promise="average",
    smallest_false_alarm_rate=0.01,
    smallest_extrapolated_p_value=None,
    extrapolated=False,
    expected_false_alarm_rate=0.01,
    classes=(),
    step_seconds=None,
    false_alarms_per_week=None,
    false_events_per_week=None,
    event_row_count=0,
)


def words(calibration: Calibration) -> str:
    return "\n".join(f"{name}: {value}" for name, value in _calibrated(calibration))


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({}, "false-alarm rate: 0.01, promised on average over fits"),
        ({"promise": "certain"}, "0.01, promised with 95 % certainty"),
        ({"extrapolated": True}, "0.01, extrapolated"),
        ({"smallest_extrapolated_p_value": 1e-4}, "extrapolated down to: 0.0001"),
        (
            {"classes": (ClassCalibration("pump", 500, 0.002, 0.006, 4.5),)},
            "class pump: threshold 4.5, by 500 rows of its own",
        ),
        ({"false_alarms_per_week": 12.5}, "false alarms a week: 12.5 expected of one asset"),
        (
            {"false_events_per_week": 2.5, "event_row_count": 10},
            "false events a week: 2.5 expected of one asset, blocks of 10 rows",
        ),
    ],
)
def test_all_that_is_known_of_a_calibration_is_said(changed: dict[str, object], said: str) -> None:
    assert said in words(replace(PLAIN, **changed))  # type: ignore[arg-type]
    assert not changed or said not in words(PLAIN)


def test_the_options_reach_the_spec(tmp_path: Path) -> None:
    asked = PipelineOptions("ecod", promise="certain", allow_extrapolated=True).pipeline()
    assert (asked.promise, asked.allow_extrapolated) == ("certain", True)
    path = tmp_path / "spec.json"
    path.write_text(
        json.dumps({"detector": "ecod", "promise": "average", "allow_extrapolated": True})
    )
    read = PipelineOptions(spec=path).pipeline()
    assert (read.promise, read.allow_extrapolated) == ("average", True)
    assert PipelineOptions(spec=path, promise="certain").pipeline().promise == "certain"
