"""Files that say which signals were sick in which rows: ``first-last:signal,signal``, one a line."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from clarion.errors import InvalidFrameError

if TYPE_CHECKING:
    from clarion_client import Blame

_LINE = re.compile(r"(\d{1,9})-(\d{1,9}):(.+)")


def read_blames(path: Path, signals: Sequence[str], rows: int) -> tuple[Blame, ...]:
    """Return what a file blames; rows count from 0, both ends belong.

    Parameters
    ----------
    signals
        The model's; a signal is called by its name, or by its number among them, from 1.
    rows
        How many there are: a segment may end one row behind, as some publishers write it.

    Raises
    ------
    InvalidFrameError
        A line is not of this form, or names no signal; file and line are named.
    """
    from clarion_client import Blame

    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidFrameError(f"{path} cannot be read as text: {error}") from error
    blames = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        found = _LINE.fullmatch(line.strip())
        if found is None:
            raise InvalidFrameError(
                f"{path}:{number}: '{line[:60]}' is not of the form first-last:signal,signal"
            )
        first, last, words = int(found[1]), int(found[2]), found[3].split(",")
        named = tuple(_named(word.strip(), signals, f"{path}:{number}") for word in words)
        blames.append(Blame(first, last - (last == rows), named))
    return tuple(blames)


def _named(word: str, signals: Sequence[str], where: str) -> str:
    if word in signals:
        return word
    if word.isascii() and word.isdigit() and 1 <= int(word) <= len(signals):
        return signals[int(word) - 1]
    raise InvalidFrameError(
        f"{where}: '{word[:60]}' is neither a signal of the model nor a number from 1 to {len(signals)}"
    )
