"""A console that shows what callers and files name, and never obeys it."""

from __future__ import annotations

import re
from collections.abc import Iterable

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

_COMMANDS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""Letters that a terminal obeys (escape sequences begin with one), or that turn what follows around."""


class PlainConsole(Console):
    """Leaves out each letter of a text that is a command to the terminal; its own colours stay."""

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """Yield the segments of ``renderable``, of such letters only those that rich put in."""
        for segment in super().render(renderable, options):
            if segment.control:
                yield segment
            else:
                yield Segment(_COMMANDS.sub("", segment.text), segment.style)
