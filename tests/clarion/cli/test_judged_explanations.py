from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

HOW = ("--time", "when", "--label", "fault")


def test_explanations_are_judged_and_printed(
    cli: Any, pump: str, today: Path, tmp_path: Path
) -> None:
    blames, page, told = (tmp_path / name for name in ("blames.txt", "page.html", "told.json"))
    blames.write_text("40-40:heat\n\n40-40:2\n")
    ran = cli(
        "evaluate", pump, today, *HOW, "--explanations", "--blames", blames, "--report", page
    )  # fmt: skip
    assert ran.code == 0, ran.err
    for words in ("error by enumeration", "deletion AUC", "HitRate@100", "signal_ranking"):
        assert words in ran.out
    assert "How far to trust the explanations" in page.read_text()
    assert cli("evaluate", pump, today, *HOW, "--explanations", "--json", told).code == 0
    found = json.loads(told.read_text())["explanations"]
    assert found["enumeration_error"] <= 1e-9
    assert found["located"] == []


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("40:heat", "blames.txt:1: '40:heat' is not of the form first-last:signal,signal"),
        ("40-40:colour", "blames.txt:1: 'colour' is neither a signal of the model nor a number"),
        ("40-40:4", "'4' is neither a signal of the model nor a number from 1 to 3"),
        ("40-99:heat", "not within the frame's 60 rows"),
    ],
)
def test_blames_that_make_no_sense_are_refused(
    cli: Any, pump: str, today: Path, tmp_path: Path, line: str, words: str
) -> None:
    blames = tmp_path / "blames.txt"
    blames.write_text(line + "\n")
    ran = cli("evaluate", pump, today, *HOW, "--explanations", "--blames", blames)
    assert ran.code == 1
    assert words in ran.err


def test_how_to_judge_without_judging_is_wrong_usage(cli: Any, pump: str, today: Path) -> None:
    ran = cli("evaluate", pump, today, *HOW, "--explainer", "lime")
    assert ran.code == 2
    assert "--explanations" in ran.err
