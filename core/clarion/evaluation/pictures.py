"""The pictures of a report: scores over time, attribution bars, two explainers side by side, curves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from clarion.arrays import BoolArray, FloatArray, Int64Array
from clarion.evaluation.axes import Axis, linear, logarithmic, scores, times
from clarion.evaluation.svg import Canvas, legend, shortened

_WIDTH = 920.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 56.0, 14.0, 30.0, 26.0
_NARROWEST = 1.5
"""Pixels of the shortest stretch, so that it can be seen."""


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of time to be shaded, with a word for the legend."""

    start: int
    end: int
    words: str


def over_time(
    title: str,
    stamps: Int64Array,
    values: FloatArray,
    anomalous: BoolArray,
    *,
    threshold: float | None = None,
    spans: Sequence[Span] = (),
    timed: bool = True,
    marks: str = "anomalous",
) -> str:
    """Draw a quantity over time, anomalous points marked; ``marks`` is the legend's word for them.

    Parameters
    ----------
    stamps
        Shape ``(n,)``, nanoseconds since 1970 UTC, rising; row numbers where not ``timed``.
    values, anomalous
        Shape ``(n,)``.
    threshold
        Drawn as a line; the values are then scores, on a logarithmic scale where they spread.
    spans
        Stretches to be shaded, such as the rows of the fit.
    """
    height = 240.0
    canvas = Canvas(_WIDTH, height, title)
    places = stamps.astype(np.float64)
    x = (times if timed else linear)(places, _LEFT, _WIDTH - _RIGHT)
    all_values = values if threshold is None else np.append(values, threshold)
    make = linear if threshold is None else scores
    y = make(all_values, height - _BOTTOM, _TOP)
    for span in spans:
        left, right = x.pixel(span.start), x.pixel(span.end)
        width = max(right - left, _NARROWEST)
        canvas.bar(left, _TOP, width, height - _BOTTOM - _TOP, "span")
    canvas.grid(x, y)
    canvas.path(x.at(places), y.at(values), "series")
    if threshold is not None:
        level = y.pixel(threshold)
        canvas.line(_LEFT, level, _WIDTH - _RIGHT, level, "threshold")
        canvas.text(_WIDTH - _RIGHT, level - 5, f"threshold {threshold:.4g}", "strong", "end")
    marked = np.flatnonzero(anomalous)
    canvas.dots(x.at(places[marked]), y.at(values[marked]), 2.4, "anomaly")
    shaded = dict.fromkeys(span.words for span in spans)
    entries = [("line-swatch", title), ("anomaly", marks), *(("span", w) for w in shaded)]
    legend(canvas, _LEFT, 14, entries)
    return canvas.svg()


def attribution_bars(
    title: str, names: Sequence[str], values: Sequence[float], notes: Sequence[str] = ()
) -> str:
    """Draw one bar a signal, to the right where it pushed the score up; a note under each name."""
    row, label, number = 24.0, 168.0, 62.0
    width = 440.0
    canvas = Canvas(width, row * len(names) + 6, title)
    x = _around_zero(values, label + number, width - number)
    zero = x.pixel(0.0)
    canvas.line(zero, 0, zero, row * len(names) + 2, "axis")
    for i, (name, value) in enumerate(zip(names, values, strict=True)):
        top, length = i * row + 3, x.pixel(value) - zero
        note = notes[i] if notes else ""
        canvas.text(0, top + 12, shortened(name, 14), "strong")
        canvas.text(label - 4, top + 12, shortened(note, 20), "tick", "end")
        canvas.bar(zero, top, length, row - 8, "up" if value > 0 else "down")
        outside = 4.0 if value > 0 else -4.0
        canvas.text(
            zero + length + outside,
            top + 12,
            f"{value:+.3g}",
            "tick",
            "start" if value > 0 else "end",
        )
    return canvas.svg()


def side_by_side(
    title: str, names: Sequence[str], columns: Sequence[tuple[str, Sequence[float]]]
) -> str:
    """Draw two or more sets of bars beside each other, each on its own scale (its largest bar)."""
    row, label, width, top = 24.0, 60.0, 440.0, 22.0
    canvas = Canvas(width, top + row * len(names) + 4, title)
    each = (width - label) / len(columns)
    for i, name in enumerate(names):
        canvas.text(0, top + i * row + 11, shortened(name, 8), "tick")
    for c, (heading, values) in enumerate(columns):
        left = label + c * each
        x = _around_zero(values, left + 8, left + each - 8)
        zero = x.pixel(0.0)
        canvas.text(left + each / 2, 12, heading, "strong", "middle")
        canvas.line(zero, top - 4, zero, top + row * len(names), "axis")
        for i, value in enumerate(values):
            style = "up" if value > 0 else "down"
            canvas.bar(zero, top + i * row, x.pixel(value) - zero, row - 7, style)
    return canvas.svg()


def curve(
    title: str,
    x_name: str,
    y_name: str,
    x: FloatArray,
    y: FloatArray,
    *,
    marked: tuple[float, float] | None = None,
    chance: tuple[float, float] | None = None,
) -> str:
    """Draw a curve in the unit square, such as ROC or precision over recall.

    Parameters
    ----------
    marked
        A point of it, such as that of the threshold in use.
    chance
        What a random score gets: its heights at 0 and at 1, drawn as a line.
    """
    width, height = 300.0, 270.0
    canvas = Canvas(width, height, title)
    unit = np.array([0.0, 1.0])
    across, up = linear(unit, 46, width - 14, 4), linear(unit, height - 40, 36, 4)
    canvas.grid(across, up)
    if chance is not None:
        left, right = (up.pixel(level) for level in chance)
        canvas.line(across.start, left, across.end, right, "chance")
    kept = np.unique(np.linspace(0, len(x) - 1, 400).astype(np.int64))
    canvas.path(across.at(x[kept]), up.at(y[kept]), "series")
    if marked is not None:
        canvas.dots(across.at(marked[:1]), up.at(marked[1:]), 4.0, "marked")
    canvas.text(46, 14, title, "strong")
    canvas.text((46 + width) / 2, height - 6, x_name, "tick", "middle")
    canvas.text(46, 28, y_name, "tick", "start")
    return canvas.svg()


def score_histogram(
    title: str, groups: Sequence[tuple[str, str, FloatArray]], threshold: float
) -> str:
    """Draw how many rows have which score, one (style, words, scores) a group."""
    width, height, bins = 300.0, 270.0, 40
    canvas = Canvas(width, height, title)
    everything = np.concatenate([values for _, _, values in groups] + [np.array([threshold])])
    x = scores(everything, 46, width - 14)
    spaced = np.geomspace if x.logarithmic else np.linspace
    edges = spaced(x.low, x.high, bins + 1)
    counts = [np.histogram(np.clip(values, x.low, x.high), edges)[0] for _, _, values in groups]
    y = logarithmic(np.array([1.0, float(max(c.max() for c in counts))]), height - 40, 40)
    canvas.grid(x, y)
    for (style, _, _), count in zip(groups, counts, strict=True):
        for left, right, n in zip(x.at(edges[:-1]), x.at(edges[1:]), count, strict=True):
            if n:
                top = y.pixel(float(n) + 0.05)
                canvas.bar(left + 0.4, top, right - left - 0.8, y.start - top, style)
    level = x.pixel(threshold)
    canvas.line(level, 30, level, y.start, "threshold")
    canvas.text(level + 4, 38, "threshold", "tick")
    canvas.text(46, 14, title, "strong")
    legend(canvas, 46, height - 6, [(style, words) for style, words, _ in groups])
    return canvas.svg()


def _around_zero(values: Sequence[float], start: float, end: float) -> Axis:
    low, high = min(0.0, *values, 0.0), max(0.0, *values, 0.0)
    if low == high:
        high = 1.0
    return Axis(low, high, start, end)
