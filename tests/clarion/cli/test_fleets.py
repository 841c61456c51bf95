"""One model for a fleet, from the command to the stored version and back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest


@pytest.fixture(scope="module")
def two_pumps(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a CSV of two pumps of which one runs a thousand times higher, in its last row 12 sd off."""
    rng = np.random.default_rng(4)
    lines = ["when,pump,flow"]
    for row in range(600):
        high = row % 2
        flow = (1000.0 if high else 0.0) + rng.normal() + (12.0 if row == 599 else 0.0)
        stamp = np.datetime64("2024-01-01T00:00:00") + np.timedelta64(row, "m")
        lines.append(f"{stamp}Z,p{high},{flow}")
    path = tmp_path_factory.mktemp("fleet") / "pumps.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def test_a_fleet_is_fitted_stored_shown_and_scored(cli: Any, two_pumps: Path) -> None:
    read = (two_pumps, "--time", "when", "--asset", "pump")
    asked = ("--detector", "zscore", "--rate", "0.05", "--partition-by", "asset")
    shown = cli("fit", "fleet", *read, *asked)
    assert shown.code == 0, shown.err
    assert "2 assets, each at its own level" in shown.out
    version = json.loads(cli("models", "show", "fleet", "--json", "-").out)
    assert (version["spec"]["partition_by"], version["group_count"]) == ("asset", 2)
    scored = json.loads(cli("score", "fleet", *read, "--explain", "--json", "-").out)
    record = next(r for r in scored["explanations"] if r["row"] == 599)
    assert abs(record["culprits"][0]["normal_value"] - 1000) < 4


def test_a_spec_of_a_file_may_say_so_too(cli: Any, two_pumps: Path, tmp_path: Path) -> None:
    spec = tmp_path / "spec.json"
    spec.write_text(json.dumps({"detector": "zscore", "partition_by": "asset"}))
    read = (two_pumps, "--time", "when", "--asset", "pump", "--json", "-")
    ran = cli("fit", "fleet-spec", *read, "--spec", spec)
    assert json.loads(ran.out)["group_count"] == 2


def test_what_cannot_be_partitioned_is_said(cli: Any, two_pumps: Path) -> None:
    asked = ("--detector", "zscore", "--partition-by")
    ran = cli("fit", "vain", two_pumps, "--time", "when", "--drop", "pump", *asked, "asset")
    assert ran.code != 0
    assert "no row has an asset" in ran.err
    ran = cli("fit", "vain", two_pumps, "--time", "when", "--asset", "pump", *asked, "site")
    assert ran.code != 0
    assert "'site'" in ran.err
