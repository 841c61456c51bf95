from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

HOW = ("--time", "when", "--drop", "fault")


def test_signals_stand_by_what_they_add(cli: Any, pump: str, today: Path) -> None:
    ran = cli("overview", pump, today, *HOW, "--periods", 3)
    assert ran.code == 0, ran.err
    assert "60 rows, by quadratic (exact)" in ran.out
    assert "mean |contribution|" in ran.out
    assert "together" in ran.out


def test_pictures_and_pages_are_written(cli: Any, pump: str, today: Path, tmp_path: Path) -> None:
    svg, png, page, told = (tmp_path / f"all.{kind}" for kind in ("svg", "png", "html", "json"))
    ran = cli(
        "overview", pump, today, *HOW, "--picture", svg, "--report", page, "--json", told
    )  # fmt: skip
    assert ran.code == 0, ran.err
    assert svg.read_text().startswith("<svg")
    assert svg.read_text().count("<circle") == 60 * 3
    assert "Signals that act together" in page.read_text()
    assert json.loads(told.read_text())["row_count"] == 60
    assert cli("overview", pump, today, *HOW, "--picture", png).code == 0
    assert png.read_bytes().startswith(b"\x89PNG")


def test_one_row_is_drawn_too(cli: Any, pump: str, today: Path, tmp_path: Path) -> None:
    waterfall, cells = tmp_path / "why.svg", tmp_path / "cells.png"
    ran = cli(
        "explain", pump, today, *HOW, "--row", 40, "--picture", waterfall,
        "--cells", "--heat-map", cells,
    )  # fmt: skip
    assert ran.code == 0, ran.err
    assert "base value" in waterfall.read_text()
    assert cells.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("command", "options", "code", "words"),
    [
        ("overview", ("--periods", 0), 2, "periods"),
        ("overview", ("--periods", 101), 2, "periods"),
        (
            "overview",
            ("--picture", "all.gif"),
            1,
            "INVALID_PARAMETER: a picture is written as .svg",
        ),
        ("overview", ("--explainer", "tarot"), 1, "PLUGIN_NOT_FOUND"),
        ("explain", ("--row", 4, "--heat-map", "a.svg"), 2, "--cells"),
        ("explain", ("--row", 4, "--picture", "a.bmp"), 1, "INVALID_PARAMETER"),
    ],
)
def test_what_cannot_be_drawn_is_refused(
    cli: Any,
    pump: str,
    today: Path,
    command: str,
    options: tuple[object, ...],
    code: int,
    words: str,
) -> None:
    ran = cli(command, pump, today, *HOW, *options)
    assert ran.code == code
    assert words in ran.err
