"""What names say, a terminal shows; what they command, it never gets."""

from __future__ import annotations

import io

import pytest
from rich.table import Table

from clarion.cli.plain_console import PlainConsole

EVIL = "\x1b[2J\x1b]0;owned\x07\x9b31mflow\u202e\r\x08"


@pytest.mark.parametrize("in_table", [False, True])
def test_names_give_no_commands_and_colours_stay(in_table: bool) -> None:
    file = io.StringIO()
    console = PlainConsole(file=file, force_terminal=True, color_system="standard", width=80)
    table = Table("signal")
    table.add_row(EVIL, style="red")
    console.print(table if in_table else EVIL, style="red", markup=False)
    printed = file.getvalue()
    assert "flow" in printed
    assert "\x1b[31m" in printed
    assert "\x1b[2J" not in printed
    assert not set("\x07\x08\x9b\r\u202e") & set(printed)
    assert "\x1b]" not in printed


def test_lines_and_letters_of_all_languages_are_shown_as_they_are() -> None:
    file = io.StringIO()
    PlainConsole(file=file, width=80).print("größe\n温度 █ é")
    assert file.getvalue() == "größe\n温度 █ é\n"
