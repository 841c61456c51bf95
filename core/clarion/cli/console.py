"""What people see: tables, bars, and lines of numbers."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress
    from rich.table import Table
    from rich.text import Text

    from clarion_client import Choice, Explanation

_EIGHTHS = " ▏▎▍▌▋▊▉█"


@cache
def out() -> Console:
    """Return the console of answers (standard output); a file or a pipe gets lines of 120 letters."""
    from clarion.cli.plain_console import PlainConsole

    return PlainConsole(highlight=False, width=None if sys.stdout.isatty() else 120)


@cache
def err() -> Console:
    """Return the console of notes, progress and errors (standard error)."""
    from clarion.cli.plain_console import PlainConsole

    return PlainConsole(stderr=True, highlight=False, soft_wrap=True)


def note(words: str) -> None:
    """Say something beside the answer."""
    err().print(words, style="dim", markup=False)


def progress() -> Progress:
    """Return a progress bar on standard error, if that is a terminal; it vanishes when done."""
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    shown = (
        "[progress.description]{task.description}",
        "[progress.percentage]{task.percentage:>3.0f} %",
    )
    columns = (TextColumn(shown[0]), BarColumn(), TextColumn(shown[1]), TimeElapsedColumn())
    return Progress(*columns, console=err(), transient=True, disable=not err().is_terminal)


def table(*heads: str, right: Sequence[str] = (), title: str = "") -> Table:
    """Return an empty table; the columns named by ``right`` stand to the right."""
    from rich import box
    from rich.table import Table

    made = Table(box=box.SIMPLE_HEAD, title=title or None, title_justify="left", pad_edge=False)
    for head in heads:
        made.add_column(head, justify="right" if head in right else "left", no_wrap=head in right)
    return made


def facts(pairs: Sequence[tuple[str, Any]]) -> None:
    """Print names and values, one pair a line."""
    width = max(len(name) for name, _ in pairs)
    for name, value in pairs:
        out().print(f"{name:<{width}}  {value}", markup=False, soft_wrap=True)


def bar(value: float, largest: float, width: int = 16) -> Text:
    """Return a bar of ``|value| / largest`` of ``width`` letters: red pushed up, blue down."""
    from rich.text import Text

    eighths = round(abs(value) / largest * width * 8) if largest > 0 else 0
    eighths = max(eighths, 1) if value else 0
    blocks = "█" * (eighths // 8) + (_EIGHTHS[eighths % 8] if eighths % 8 else "")
    return Text(blocks, style="red" if value > 0 else "blue")


def number(value: float | None, unit: str = "") -> str:
    """Return a number in a few digits with its unit; nothing for None."""
    if value is None:
        return ""
    return f"{value:.5g}{' ' + unit if unit else ''}"


def brief(value: Any) -> str:
    """Return a parameter as JSON; whole numbers, which travel as floats, without a point."""
    whole = isinstance(value, float) and value.is_integer()
    return json.dumps(int(value) if whole else value)


def moment(value: np.datetime64 | None) -> str:
    """Return a time, UTC, to the second, or to the minute where it is a whole one."""
    if value is None:
        return ""
    return str(value.astype("datetime64[s]")).replace("T", " ").removesuffix(":00")


def ranking(explanation: Explanation, limit: int = 10) -> Table:
    """Return the signals of one explanation, the strangest first, with what they added, as bars.

    Other players, if these were asked for, come by what they added.
    """
    if explanation.player_ranking:
        return _player_ranking(explanation, limit)
    made = table(
        "signal", "strange by", "value", "expected", "contribution", "", "share",
        right=("strange by", "value", "expected", "contribution", "share"),
    )  # fmt: skip
    shown = explanation.signal_ranking[:limit]
    largest = max((abs(reason.contribution) for reason in shown), default=0.0)
    for reason in shown:
        made.add_row(
            reason.signal,
            f"{reason.ranking_score:.1f} sd",
            reason.word or number(reason.value, reason.unit),
            number(reason.expected, reason.unit),
            f"{reason.contribution:+.4g}",
            bar(reason.contribution, largest),
            f"{reason.share:.1%}",
        )
    return made


def _player_ranking(explanation: Explanation, limit: int) -> Table:
    made = table("player", "contribution", "", "share", right=("contribution", "share"))
    shown = explanation.player_ranking[:limit]
    largest = max((abs(reason.contribution) for reason in shown), default=0.0)
    for reason in shown:
        made.add_row(
            reason.player.name,
            f"{reason.contribution:+.4g}",
            bar(reason.contribution, largest),
            f"{reason.share:.1%}",
        )
    return made


def reasons(explanation: Explanation | None, most: int = 3) -> Text:
    """Return what added most to one row's score in one line, each with a bar of its share."""
    from rich.text import Text

    line = Text()
    if explanation is None:
        return line
    ranked = sorted(explanation.signal_ranking, key=lambda reason: -reason.contribution)
    for reason in ranked[:most]:
        line.append_text(
            bar(reason.contribution, abs(reason.contribution) / max(reason.share, 1e-9), 8)
        )
        line.append(f" {reason.signal} {reason.word or number(reason.value, reason.unit)}  ")
    return line


def cross_checks(explanation: Explanation) -> Table:
    """Return the contributions beside each cross-check, with its R² and its intervals."""
    checks = explanation.cross_checks
    heads = [
        f"{c.method} (R² {c.fit_quality:.2f}{'' if c.reliable else ', unreliable'})" for c in checks
    ]
    made = table(
        "signal", explanation.method, "", *(h for head in heads for h in (head, "95 %", ""))
    )
    ranked = [(r.signal, r.contribution) for r in explanation.signal_ranking]
    ranked += [(r.player.name, r.contribution) for r in explanation.player_ranking]
    largest = max((abs(contribution) for _, contribution in ranked), default=0.0)
    tops = [max((abs(v) for v in check.values), default=0.0) for check in checks]
    for name, contribution in ranked[:15]:
        cells: list[Any] = [name, f"{contribution:+.4g}", bar(contribution, largest)]
        for check, top in zip(checks, tops, strict=True):
            j = check.signals.index(name)
            ends = f"{check.lows[j]:+.3g} to {check.highs[j]:+.3g}" if check.lows else ""
            cells += [f"{check.values[j]:+.4g}", ends, bar(check.values[j], top)]
        made.add_row(*cells)
    return made


def candidates(choice: Choice) -> Table:
    """Return the recipes that `auto` chose among, with how they did on injected anomalies."""
    made = table("recipe", "average precision", "gain (95 %)", "", right=("average precision",))
    for candidate in choice.candidates:
        ends = [end for end in (candidate.gain_low, candidate.gain_high) if end is not None]
        gain = " to ".join(f"{end:+.3f}" for end in ends if math.isfinite(end))
        roles = {choice.chosen_recipe: "taken", choice.default_recipe: "the default"}
        told = candidate.note or roles.get(candidate.recipe, "")
        made.add_row(candidate.recipe, number(candidate.average_precision), gain, told)
    return made
