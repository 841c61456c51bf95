"""The lead of the suite: what parts give is written, what they do not is told with a reason."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import common
import confidence


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Run the suite with parts that are given, and return its exit status and its file."""
    monkeypatch.setattr(common, "REPOSITORY", tmp_path)

    def run(parts: dict[str, Any], *arguments: str) -> tuple[int, Any]:
        for name in confidence.PARTS:
            # None in sys.modules makes an import fail as an absent module does.
            monkeypatch.setitem(sys.modules, f"confidence_{name}", parts.get(name))
        code = confidence.main(list(arguments))
        made = tmp_path / "build" / "bench" / "confidence.json"
        return code, json.loads(made.read_text()) if made.exists() else None

    return run


def part(**figures: float) -> SimpleNamespace:
    return SimpleNamespace(figures=lambda quick: figures)


def all_of(name: str) -> SimpleNamespace:
    return part(**dict.fromkeys(confidence.PARTS[name], 1.0))


def test_all_keys_of_all_parts_are_written(written: Any) -> None:
    code, result = written({name: all_of(name) for name in confidence.PARTS})
    assert code == 0
    assert set(result["figures"]) == {key for keys in confidence.PARTS.values() for key in keys}
    assert result["details"]["left_out"] == {}
    assert set(result["details"]["seconds"]) == set(confidence.PARTS)


def test_a_part_that_is_not_there_is_told_and_the_others_run(
    written: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    code, result = written({"streams": all_of("streams"), "fleets": all_of("fleets")})
    assert code == 1
    assert result["figures"]["fdr_0_1"] == 1.0
    left_out = result["details"]["left_out"]
    assert set(left_out) == set(confidence.PARTS["calibration"])
    assert all(
        "cannot be loaded" in why and "confidence_calibration" in why for why in left_out.values()
    )
    assert "rank_rule_violations" in capsys.readouterr().err


def test_a_figure_without_data_is_left_out_and_ordered_ones_are_the_parts_own(written: Any) -> None:
    code, result = written({"streams": part(ordered_smd_frozen_ratio=2.0, fdr_1=0.1)}, "streams")
    assert code == 0
    assert result["figures"] == {"ordered_smd_frozen_ratio": 2.0, "fdr_1": 0.1}
    assert result["details"]["left_out"]["fdr_5"] == "its data is not there"
    assert "fleet_memory_mib" not in result["details"]["left_out"]


def test_an_unknown_part_is_refused(written: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert written({}, "weather") == (2, None)
    assert "no part 'weather'; there are: calibration, streams, fleets" in capsys.readouterr().err
