from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import confidence_fleets


def machine(folder: Path, name: str, level: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    train = level + rng.normal(size=(600, 2))
    test = level + rng.normal(size=(300, 2))
    labels = np.zeros(300, np.int8)
    labels[100:110] = 1
    test[100:110] += 8.0
    np.savez(folder / f"{name}.npz", train=train, test=test, test_label=labels)


def test_machines_at_unlike_levels_gain_by_a_level_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "smd"
    folder.mkdir()
    for i, level in enumerate((0.0, 50.0, -30.0)):
        machine(folder, f"m{i}", level, seed=i)
    monkeypatch.setattr(confidence_fleets, "data_root", lambda: tmp_path)
    gains = list(confidence_fleets.suite_gains("smd"))
    assert len(gains) == 3
    assert max(gains) > 0.3


def test_no_data_gives_no_gain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(confidence_fleets, "data_root", lambda: tmp_path)
    assert list(confidence_fleets.suite_gains("asd")) == []


def test_costs_are_those_of_a_fleet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(confidence_fleets, "ASSETS", 50)
    monkeypatch.setattr(confidence_fleets, "SIGNALS", 3)
    found = confidence_fleets.costs(1)
    arrays = (2 * 51 * 3 + 3) * 8 / 2**20
    assert arrays < found["fleet_model_mib"] < arrays + 1
    assert found["fleet_rows_per_s_ratio"] > 0
    assert found["fleet_fit_seconds"] > 0
