from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import explanations_ranking as bench
from clarion.plugins import load_plugins


def machine() -> bench.Machine:
    """Three signals; in rows 2 and 3 the second is sick, in row 5 the first two."""
    test = np.zeros((6, 3))
    segments = (
        (slice(2, 4), np.array([False, True, False])),
        (slice(5, 6), np.array([True, True, False])),
    )
    return bench.Machine(np.zeros((4, 3)), test, segments)


def test_a_segment_counts_by_its_largest_scores_and_each_row_by_its_own() -> None:
    scores = np.zeros((6, 3))
    scores[2] = [1.5, 0.0, 0.0]
    scores[3] = [1.4, 2.0, 0.0]  # on the mean over both rows the first signal is ahead
    scores[5] = [3.0, 1.0, 2.0]
    found = bench.judged(scores, machine())
    assert [hits.hit_100 for hits in found.by_segment] == [1.0, 0.5]
    assert [hits.hit_150 for hits in found.by_segment] == [1.0, 1.0]
    assert [hits.hit_100 for hits in found.by_row] == [0.0, 1.0, 0.5]


def test_a_gain_is_low_where_few_segments_made_it() -> None:
    worse, better = (bench.judged(s, machine()) for s in (np.zeros((6, 3)), np.eye(6, 3)))
    assert bench.gain_low(worse, worse) == 0.0
    perfect = np.zeros((6, 3))
    perfect[3, 1], perfect[5, :2] = 1.0, 1.0
    assert bench.gain_low(bench.judged(perfect, machine()), better) >= 0.0
    assert bench.gain_low(better, bench.judged(perfect, machine())) < 0.0


@pytest.mark.parametrize(("behind", "last"), [(0, 5), (1, 6)])
def test_labels_are_read_as_each_folder_writes_them(tmp_path: Path, behind: int, last: int) -> None:
    (tmp_path / "interpretation_label").mkdir()
    (tmp_path / "interpretation_label" / "m.txt").write_text("3-5:1,3\n")
    np.savez(tmp_path / "m.npz", train=np.zeros((4, 3)), test=np.zeros((9, 3)))
    [(rows, sick)] = bench.read(tmp_path / "m.npz", behind).segments
    assert rows == slice(3, last)
    assert sick.tolist() == [True, False, True]


def test_without_data_the_keys_are_left_out_with_a_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLARION_DATA", str(tmp_path))
    monkeypatch.setattr(
        bench, "corrupted", lambda systems, registries: {1: {"signal_ranking": 0.5}}
    )
    found, details = bench.measured(quick=True)
    assert found == {"corrupted_1": 0.5}
    assert str(tmp_path / "smd") in details["smd"]
    assert str(tmp_path / "smd") in bench.table(details)


def test_corrupted_sensors_are_found_and_chance_finds_few() -> None:
    rates = bench.corrupted(1, load_plugins())
    for bad, rate in rates.items():
        assert rate["signal_ranking"] > rate["zscore"] > rate["random"], bad
        assert rate["signal_ranking"] > 0.8


def test_a_recorded_machine_goes_all_the_way(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    train, test = rng.normal(size=(900, 3)), rng.normal(size=(60, 3))
    test[20:24, 2] += 15
    (tmp_path / "interpretation_label").mkdir()
    (tmp_path / "interpretation_label" / "m.txt").write_text("20-24:3\n")
    np.savez(tmp_path / "m.npz", train=train, test=test)
    found = bench.recorded([tmp_path / "m.npz"], 0, load_plugins())
    assert found["signal_ranking"].by_segment[0].hit_100 == 1.0
    assert len(found["random"].by_row) == 4
