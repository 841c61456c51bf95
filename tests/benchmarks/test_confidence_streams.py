"""What the benchmark of streams counts, on cases made by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import confidence_streams as streams
from clarion.pipeline.calibrate import Calibration

CASE = streams.Case(
    "smd",
    "m1",
    rate=0.01,
    quiet=1_000,
    strange=50,
    alarms=(10, 12),
    hits=(40, 30),
    flagged=False,
    found=40,
    kept=38,
)


@pytest.mark.parametrize(
    ("alarms", "flagged", "missed"),
    [(10, False, False), (4, False, True), (16, False, True), (4, True, False), (15, False, False)],
)
def test_a_broken_promise_is_missed_where_nobody_was_told(
    alarms: int, flagged: bool, missed: bool
) -> None:
    case = replace(CASE, alarms=(alarms, 0), flagged=flagged)
    assert case.missed is missed


def test_a_suite_adds_up_its_rows() -> None:
    other = replace(CASE, quiet=3_000, alarms=(70, 28), strange=150, hits=(60, 70))
    assert streams.suite_figures("smd", [CASE, other]) == pytest.approx(
        {
            "ordered_smd_frozen_ratio": 2.0,
            "ordered_smd_frozen_recall": 0.5,
            "ordered_smd_rolling_ratio": 1.0,
            "ordered_smd_rolling_recall": 0.5,
        }
    )


def test_the_first_flag_is_that_of_the_drift() -> None:
    rng = np.random.default_rng(0)
    calibration = Calibration.of(streams._scores(rng, 2_000), streams.RATE)
    quiet, loud = streams._scores(rng, 1_000), 2.0 * streams._scores(rng, 1_000)
    assert streams._first_flag(calibration, quiet) is None
    row = streams._first_flag(calibration, np.concatenate([quiet, loud]))
    assert row is not None
    assert 1_000 <= row < 1_200
