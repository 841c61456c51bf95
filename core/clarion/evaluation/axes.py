"""Axes of pictures: from values to pixels, with ticks that people can read."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from clarion.arrays import FloatArray

_MINUTE_NS = 60 * 1_000_000_000
_DAY_NS = 1440 * _MINUTE_NS
_SHORT_STEPS_NS = (
    *(seconds * _MINUTE_NS // 60 for seconds in (1, 2, 5, 10, 15, 30)),
    *(minutes * _MINUTE_NS for minutes in (1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720)),
)
"""Steps of ticks within a day."""


@dataclass(frozen=True, slots=True)
class Axis:
    """One axis: ``low..high`` in values onto ``start..end`` in pixels.

    Attributes
    ----------
    ticks
        Values at which a line is drawn, and their texts.
    logarithmic
        Equal ratios take equal lengths.
    """

    low: float
    high: float
    start: float
    end: float
    ticks: tuple[tuple[float, str], ...] = ()
    logarithmic: bool = False

    def at(self, values: FloatArray | Sequence[float] | float) -> FloatArray:
        """Return the pixels of values; what lies outside is drawn at the border."""
        bounded = np.clip(np.asarray(values, np.float64), self.low, self.high)
        low, high = self.low, self.high
        if self.logarithmic:
            bounded, low, high = np.log10(bounded), math.log10(low), math.log10(high)
        share = (bounded - low) / (high - low)
        return np.asarray(self.start + share * (self.end - self.start))

    def pixel(self, value: float) -> float:
        """Return the pixel of one value."""
        return float(self.at(value))


def linear(values: FloatArray, start: float, end: float, wanted: int = 5) -> Axis:
    """Return an axis that holds all values, its ends and ticks at round numbers."""
    low, high = float(np.min(values)), float(np.max(values))
    if high - low <= 1e-12 * max(abs(low), abs(high)) or high - low < 1e-300:
        low, high = low - max(1.0, abs(low) / 10), high + max(1.0, abs(high) / 10)
    step = round_step((high - low) / wanted)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    digits = max(0, -math.floor(math.log10(step)))
    ticks = tuple((i * step, f"{i * step:,.{digits}f}") for i in range(first, last + 1))
    return Axis(first * step, last * step, start, end, ticks)


def scores(values: FloatArray, start: float, end: float) -> Axis:
    """Return a logarithmic axis for positive values that differ by more than 100, else a linear one."""
    low, high = float(values.min()), float(values.max())
    spread = low > 0 and high > 100 * low
    return (logarithmic if spread else linear)(values, start, end)


def logarithmic(values: FloatArray, start: float, end: float) -> Axis:
    """Return an axis of whole powers of ten that holds all values, each above 0."""
    first = math.floor(math.log10(float(values.min())))
    last = max(first + 1, math.ceil(math.log10(float(values.max())) - 1e-9))
    every = max(1, (last - first) // 5)
    ticks = tuple((10.0**i, power_of_ten(i)) for i in range(first, last + 1, every))
    return Axis(10.0**first, 10.0**last, start, end, ticks, logarithmic=True)


def times(stamps: FloatArray, start: float, end: float, wanted: int = 7) -> Axis:
    """Return an axis of times, in nanoseconds since 1970 UTC, its ticks at midnights.

    Where these are fewer than two, at round times of the day; the first says the date.
    """
    low, high = float(stamps.min()), float(stamps.max())
    days = max(1, math.ceil((high - low) / _DAY_NS / wanted))
    marks = np.arange(math.ceil(low / _DAY_NS) * _DAY_NS, high, days * _DAY_NS)
    texts = [day(mark) for mark in marks]
    if len(marks) < 2:
        step = next((s for s in _SHORT_STEPS_NS if (high - low) / s <= wanted), _SHORT_STEPS_NS[-1])
        marks = np.arange(math.ceil(low / step) * step, high + 1, step)
        texts = [clock(mark, seconds=step < _MINUTE_NS) for mark in marks]
        texts = [f"{day(marks[0])}, {texts[0]}", *texts[1:]] if texts else []
    ticks = tuple((float(mark), text) for mark, text in zip(marks, texts, strict=True))
    return Axis(low, max(high, low + 1), start, end, ticks)


def clock(nanoseconds: float, *, seconds: bool) -> str:
    """Return a time of the day such as ``14:30``; at midnight the date."""
    moment = datetime.fromtimestamp(nanoseconds / 1e9, UTC)
    if moment.hour == moment.minute == moment.second == 0:
        return day(nanoseconds)
    return f"{moment:%H:%M:%S}" if seconds else f"{moment:%H:%M}"


def day(nanoseconds: float) -> str:
    """Return a date such as ``24 Mar``."""
    date = datetime.fromtimestamp(nanoseconds / 1e9, UTC)
    return f"{date.day} {date:%b}"


def round_step(step: float) -> float:
    """Return the smallest of 1, 2, 5 x 10^k that is at least ``step``."""
    power = 10.0 ** math.floor(math.log10(step))
    return next(f * power for f in (1.0, 2.0, 5.0, 10.0) if step <= f * power * (1 + 1e-9))


def power_of_ten(exponent: int) -> str:
    """Return 10^exponent in words of few letters."""
    if 0 <= exponent <= 4:
        return f"{10**exponent:,}"
    return f"1e{exponent}"
