"""Drift: both tests, when they rise and when they fall, however the stream is cut."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from clarion.errors import ArtifactCorruptError
from clarion.pipeline.drift import NOT, Drift
from clarion.pipeline.martingale import EPOCH, Martingale

RATE = 0.01


def start() -> Drift:
    return Drift(Martingale.start(999))


def test_an_alarm_stands_until_an_epoch_passes_without_one() -> None:
    rng = np.random.default_rng(0)
    quiet = rng.integers(1, 1_001, 3 * EPOCH) / 1_000
    loud = quiet.copy()
    loud[700:1_500] *= 0.2
    drift = start().follow(loud[: 2 * EPOCH - 1], 0, RATE)
    assert 700 < drift.alarm_row < 900
    assert drift.since == drift.alarm_row
    later = drift.follow(loud[2 * EPOCH - 1 : 2 * EPOCH], 2 * EPOCH - 1, RATE)
    assert later.since == NOT
    assert start().follow(quiet, 0, RATE).since == NOT


def test_any_cut_raises_it_at_the_same_row() -> None:
    rng = np.random.default_rng(1)
    p_values = rng.random(EPOCH + 4_000).clip(1e-3)
    p_values[700:900] *= 0.2
    p_values[EPOCH + 1_000 :] *= 0.5
    whole, pieces = start().follow(p_values, 0, RATE), start()
    for row in range(0, len(p_values), 371):
        pieces = pieces.follow(p_values[row : row + 371], row, RATE)
        pieces = Drift.from_state(pieces.state())
    assert pieces.alarm_row == whole.alarm_row != NOT
    assert pieces.reached == whole.reached
    assert pieces.martingale.log10 == whole.martingale.log10


def test_the_first_row_of_either_test_is_told() -> None:
    drift = replace(start(), alarm_row=40).compared(499, RATE, apart=True)
    assert drift.since == 40
    assert drift.compared(999, RATE, apart=True).apart_row == 499
    assert start().compared(499, RATE, apart=True).since == 499
    assert drift.compared(999, RATE, apart=False).apart_row == NOT


@pytest.mark.parametrize(
    ("ratio", "off"), [(0.0, True), (0.4, True), (0.6, False), (1.4, False), (1.6, True)]
)
def test_alarms_far_from_what_was_promised_are_told(ratio: float, off: bool) -> None:
    p_values = np.linspace(0.02, 1, 19_000)
    alarms = round(ratio * 285)
    p_values[np.linspace(0, 18_999, alarms).astype(int)] = 0.01
    drift = start().follow(p_values, 0, 0.015)
    assert drift.alarms == alarms
    assert drift.ratio(0.015) == pytest.approx(alarms / 285)
    told = drift.compared(18_999, 0.015, apart=False)
    assert (told.off_row == 18_999) is off
    assert (told.compared(19_499, 0.015, apart=False).off_row == 18_999) is off


def test_few_rows_prove_no_rate_off() -> None:
    drift = start().follow(np.full(500, 0.5), 0, RATE)
    assert drift.ratio(RATE) == 0.0
    assert drift.compared(499, RATE, apart=False).since == NOT


@pytest.mark.parametrize(
    "change", [{"alarms": -1}, {"alarm_row": -2}, {"apart_row": 1.5}, {"reached": 1}, {"parts": {}}]
)
def test_a_damaged_state_is_refused(change: dict[str, object]) -> None:
    state = start().state()
    with pytest.raises(ArtifactCorruptError):
        Drift.from_state(replace(state, parameters={**state.parameters, **change}))
    with pytest.raises(ArtifactCorruptError):
        Drift.from_state(replace(state, version=2))
