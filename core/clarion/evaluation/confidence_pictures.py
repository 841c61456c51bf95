"""Pictures of a promise: realised rates over promised ones and along the rows, and the test for drift."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from clarion.arrays import FloatArray, Int64Array
from clarion.evaluation.axes import Axis, linear, logarithmic, times
from clarion.evaluation.pictures import Span
from clarion.evaluation.svg import Canvas, legend

_WIDTH, _HEIGHT = 920.0, 220.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 56.0, 14.0, 30.0, 26.0
_NARROWEST = 1.5
"""Pixels of the shortest shaded stretch, so that it can be seen."""
_MARGIN = 3.0
"""The lowest rate of the reliability plot is so much smaller than the lowest promised one."""
_DEEPEST = 100.0
"""The lowest rate drawn is so much smaller than the promised one: of lower ones and 0 only bounds are seen."""
_HIGHEST = 10.0
"""Log10 of the largest capital drawn: with more, the level at which drift is told would not be seen."""


@dataclass(frozen=True, slots=True, eq=False)
class Bounded:
    """Rates in [0, 1] with their bounds, each array of shape ``(k,)``."""

    rates: FloatArray
    low: FloatArray
    high: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Line:
    """A line through ``values`` (k,) at ``stamps`` (k,), k > 0, with dots at the level at ``alarms`` (a,).

    ``words`` are the legend's.
    """

    words: str
    stamps: Int64Array
    values: FloatArray
    alarms: Int64Array


def reliability(
    title: str,
    promised: FloatArray,
    realised: Bounded,
    band: tuple[FloatArray, FloatArray],
    *,
    marked: tuple[float, float] | None = None,
) -> str:
    """Draw realised over promised rates, both logarithmic; on the dotted line they are the same.

    Parameters
    ----------
    promised
        Shape ``(k,)``, k > 0, rising, in (0, 1).
    band
        Lower and upper ends, each ``(k,)``, of what the promise allows; drawn as an area.
    marked
        The promised and realised rate of the threshold in use.
    """
    width, height = 420.0, 380.0
    canvas = Canvas(width, height, title)
    ends = np.array([promised[0] / _MARGIN, 1.0])
    x, y = logarithmic(ends, 52, width - 14), logarithmic(ends, height - 58, 40)
    canvas.grid(x, y)
    canvas.area(x.at(promised), y.at(band[0]), y.at(band[1]), "span")
    canvas.line(x.start, y.start, x.end, y.end, "chance")
    _whiskers(canvas, x.at(promised), y, realised)
    if marked is not None:
        canvas.dots(x.at(marked[:1]), y.at(marked[1:]), 4.5, "marked")
    canvas.text(52, 14, title, "strong")
    canvas.text(52, 30, "realised false-alarm rate", "tick")
    canvas.text((x.start + x.end) / 2, height - 24, "promised false-alarm rate", "tick", "middle")
    entries = [("normal", "realised, 95 % bounds"), ("span", "allowed by luck")]
    entries += [] if marked is None else [("marked", "in use")]
    legend(canvas, 52, height - 6, entries)
    return canvas.svg()


def rates_over_time(
    title: str,
    stamps: Int64Array,
    realised: Bounded,
    promised: float,
    *,
    allowed: float | None = None,
    timed: bool = True,
) -> str:
    """Draw the realised rate of each stretch of rows, on a logarithmic scale.

    Parameters
    ----------
    stamps
        Shape ``(k,)``, k > 0: when each stretch begins, nanoseconds since 1970 UTC; row numbers where
        not ``timed``.
    promised, allowed
        What is promised, in (0, 1), drawn as a line; and the most that the promise allows.
    """
    canvas = Canvas(_WIDTH, _HEIGHT, title)
    x = _along(stamps, timed=timed)
    lowest, highest = promised / _DEEPEST, max(float(realised.high.max()), promised)
    y = logarithmic(np.array([lowest, highest]), _HEIGHT - _BOTTOM, _TOP)
    if allowed is not None:
        top = y.pixel(allowed)
        canvas.bar(_LEFT, top, x.end - x.start, y.start - top, "span")
    canvas.grid(x, y)
    level = y.pixel(promised)
    canvas.line(_LEFT, level, x.end, level, "threshold")
    canvas.text(x.end, 14, f"promised {promised:.4g}", "strong", "end")
    _whiskers(canvas, x.at(stamps.astype(np.float64)), y, realised)
    entries = [("normal", "realised rate, 95 % bounds")]
    entries += [] if allowed is None else [("span", "what the promise allows")]
    legend(canvas, _LEFT, 14, entries)
    return canvas.svg()


def drift_timeline(
    title: str,
    everything: Line,
    normal: Line,
    level: float,
    *,
    spans: Sequence[Span] = (),
    timed: bool = True,
) -> str:
    """Draw log10 of the capital of a test for drift along the rows, cut off above 10.

    Parameters
    ----------
    everything, normal
        What it held of all rows, and of the normal ones alone.
    level
        Log10 of the capital at which drift is told; drawn as a line.
    spans
        Stretches to be shaded, such as those that labels call anomalous.
    """
    canvas = Canvas(_WIDTH, _HEIGHT, title)
    x = _along(np.concatenate([everything.stamps, normal.stamps]), timed=timed)
    values = np.concatenate([everything.values, normal.values, np.array([level + 1.0])])
    y = linear(values.clip(max=_HIGHEST), _HEIGHT - _BOTTOM, _TOP)
    for span in spans:
        left, right = x.pixel(span.start), x.pixel(span.end)
        canvas.bar(left, _TOP, max(right - left, _NARROWEST), y.start - _TOP, "span")
    canvas.grid(x, y)
    told = y.pixel(level)
    canvas.line(_LEFT, told, x.end, told, "threshold")
    entries = [("second-swatch", everything.words), ("line-swatch", normal.words)]
    for line, style in ((everything, "second"), (normal, "series")):
        canvas.path(x.at(line.stamps.astype(np.float64)), y.at(line.values), style)
        places = x.at(line.alarms.astype(np.float64))
        canvas.dots(places, np.full(len(places), told), 4.0, "anomaly")
    if len(everything.alarms) or len(normal.alarms):
        entries.append(("anomaly", "drift told"))
    entries += [("span", words) for words in dict.fromkeys(span.words for span in spans)]
    legend(canvas, _LEFT, 14, entries)
    canvas.text(x.end, 14, f"drift is told at {level:g}", "strong", "end")
    return canvas.svg()


def _along(stamps: Int64Array, *, timed: bool) -> Axis:
    return (times if timed else linear)(stamps.astype(np.float64), _LEFT, _WIDTH - _RIGHT)


def _whiskers(canvas: Canvas, x: FloatArray, y: Axis, realised: Bounded) -> None:
    """Draw a dot a rate, with a line between its bounds; no dot below what the axis holds."""
    for place, low, high in zip(x, y.at(realised.low), y.at(realised.high), strict=True):
        canvas.line(place, low, place, high, "whisker")
    seen = realised.rates >= y.low
    canvas.dots(x[seen], y.at(realised.rates[seen]), 3.0, "normal")
