"""Scalable pictures written by hand: a canvas of lines, bars, dots and texts.

Colours are CSS variables (``--ink``, ``--up`` ...) that the page defines for light and for dark.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape

from clarion.arrays import FloatArray
from clarion.evaluation.axes import Axis

_NO_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
"""Letters that no XML may hold, escaped or not (XML 1.0, section 2.2)."""


@dataclass(slots=True)
class Canvas:
    """A picture of ``width`` x ``height`` pixels; ``title`` is what a screen reader says."""

    width: float
    height: float
    title: str
    parts: list[str] = field(default_factory=list)

    def line(self, x1: float, y1: float, x2: float, y2: float, style: str) -> None:
        """Draw one straight line; ``style`` is a CSS class."""
        self.parts.append(
            f'<line class="{style}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'
        )

    def path(self, x: FloatArray, y: FloatArray, style: str) -> None:
        """Draw a line through points."""
        points = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x, y, strict=True))
        self.parts.append(f'<polyline class="{style}" points="{points}"/>')

    def area(self, x: FloatArray, low: FloatArray, high: FloatArray, style: str) -> None:
        """Fill what lies between two lines through the same places."""
        around = [*zip(x, low, strict=True), *zip(x[::-1], high[::-1], strict=True)]
        points = " ".join(f"{a:.1f},{b:.1f}" for a, b in around)
        self.parts.append(f'<polygon class="{style}" points="{points}"/>')

    def bar(self, x: float, y: float, width: float, height: float, style: str) -> None:
        """Draw a rectangle; a negative width goes to the left."""
        left = x + min(width, 0.0)
        self.parts.append(
            f'<rect class="{style}" x="{left:.1f}" y="{y:.1f}" width="{abs(width):.1f}" '
            f'height="{height:.1f}" rx="1.5"/>'
        )

    def cell(
        self, x: float, y: float, width: float, height: float, style: str, share: float
    ) -> None:
        """Draw a rectangle that is as opaque as ``share`` of 1."""
        self.parts.append(
            f'<rect class="{style}" x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" '
            f'height="{height:.1f}" fill-opacity="{share:.3f}"/>'
        )

    def dot(self, x: float, y: float, radius: float, colour: str) -> None:
        """Draw one dot in a colour of its own, ``#rrggbb``."""
        self.parts.append(
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:.1f}" fill="{colour}" '
            'fill-opacity="0.75"/>'
        )

    def dots(self, x: FloatArray, y: FloatArray, radius: float, style: str) -> None:
        """Draw a dot at each point."""
        self.parts.extend(
            f'<circle class="{style}" cx="{a:.1f}" cy="{b:.1f}" r="{radius:.1f}"/>'
            for a, b in zip(x, y, strict=True)
        )

    def text(self, x: float, y: float, words: str, style: str = "", anchor: str = "start") -> None:
        """Write words, their ``anchor`` (start, middle, end) at ``x``."""
        self.parts.append(
            f'<text class="{style}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">'
            f"{_shown(words)}</text>"
        )

    def grid(self, x: Axis, y: Axis) -> None:
        """Draw the ticks of both axes, and a line along each."""
        for value, words in y.ticks:
            self.line(x.start, y.pixel(value), x.end, y.pixel(value), "grid")
            self.text(x.start - 6, y.pixel(value) + 3.5, words, "tick", "end")
        for value, words in x.ticks:
            self.line(x.pixel(value), y.start, x.pixel(value), y.start + 4, "axis")
            self.text(x.pixel(value), y.start + 16, words, "tick", "middle")
        self.line(x.start, y.start, x.end, y.start, "axis")

    def svg(self) -> str:
        """Return the picture."""
        body = "".join(self.parts)
        return (
            f'<svg viewBox="0 0 {self.width:g} {self.height:g}" role="img" '
            f'xmlns="http://www.w3.org/2000/svg"><title>{_shown(self.title)}</title>{body}</svg>'
        )


def _shown(words: str) -> str:
    """Return words as XML shows them; what it cannot hold is left out."""
    return escape(_NO_XML.sub("", words))


def shortened(words: str, length: int) -> str:
    """Return words cut to ``length`` letters."""
    return words if len(words) <= length else words[: length - 1] + "…"


def legend(canvas: Canvas, x: float, y: float, entries: Sequence[tuple[str, str]]) -> None:
    """Write (style, words) entries in a row from ``x`` on."""
    for style, words in entries:
        canvas.bar(x, y - 8, 10, 10, style)
        canvas.text(x + 15, y + 1, words, "tick")
        x += 24 + 6.2 * len(words)
