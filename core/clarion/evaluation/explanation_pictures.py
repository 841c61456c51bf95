"""Pictures of reasons: one row's waterfall, its signals over time, and many rows at once.

Waterfall and beeswarm after Lundberg & Lee's library `shap`, whose readers know them.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from clarion.arrays import FloatArray
from clarion.evaluation.axes import linear
from clarion.evaluation.svg import Canvas, shortened

_ROW = 24.0
_LABEL = 220.0
_WIDTH = 640.0
_LOW, _HIGH = (47, 127, 184), (200, 69, 47)
"""Colours of the lowest and the highest value of a signal."""
_PLAIN = (150, 150, 150)
MOST_ROWS = 15
"""Bars, or rows of dots, of a picture: what is left is summed up in the last one."""
MOST_COLUMNS = 120
"""Columns of a heat map: with more, neighbours are summed up."""
MOST_DOTS = 400
"""Dots of a signal in a beeswarm, spread evenly over the rows."""


def waterfall(
    title: str,
    base_value: float,
    names: Sequence[str],
    contributions: Sequence[float],
    *,
    notes: Sequence[str] = (),
    threshold: float | None = None,
) -> str:
    """Draw how contributions lead from the base value to the score, the largest on top.

    Parameters
    ----------
    names, contributions, notes
        One a signal; of more than `MOST_ROWS` the smallest are summed up.
    threshold
        Drawn as a line.
    """
    bars = _largest(names, contributions, notes)
    ends = base_value + np.cumsum([0.0, *(value for _, value, _ in reversed(bars))])
    marks = ends if threshold is None else np.append(ends, threshold)
    height = _ROW * (len(bars) + 2) + 30
    canvas = Canvas(_WIDTH, height, title)
    x = linear(marks, _LABEL, _WIDTH - 70, 4)
    bottom = height - 30
    if threshold is not None:
        level = x.pixel(threshold)
        canvas.line(level, 4, level, bottom, "threshold")
        canvas.text(level + 4, 12, f"threshold {threshold:.4g}", "tick")
    canvas.text(0, bottom - 8, f"base value {base_value:.4g}", "tick")
    for place, ((name, value, note), (start, end)) in enumerate(
        zip(reversed(bars), pairwise(ends), strict=True)
    ):
        top = bottom - _ROW * (place + 1.5)
        left, right = x.pixel(start), x.pixel(end)
        canvas.text(0, top + 12, shortened(name, 18), "strong")
        canvas.text(_LABEL - 8, top + 12, shortened(note, 16), "tick", "end")
        canvas.bar(left, top, right - left, _ROW - 8, "up" if value > 0 else "down")
        canvas.text(max(left, right) + 4, top + 12, f"{value:+.3g}", "tick")
        canvas.line(right, top - 8, right, top, "grid")
    canvas.text(0, 12, f"score {ends[-1]:.4g}", "strong")
    for tick, words in x.ticks:
        canvas.text(x.pixel(tick), height - 10, words, "tick", "middle")
        canvas.line(x.pixel(tick), bottom, x.pixel(tick), bottom + 4, "axis")
    canvas.line(x.start, bottom, x.end, bottom, "axis")
    return canvas.svg()


def heat_map(title: str, names: Sequence[str], columns: Sequence[str], values: FloatArray) -> str:
    """Draw signals down, time across: red pushed the score up, blue down, pale did little.

    Parameters
    ----------
    names, columns
        What the rows and the columns of ``values`` (k, t) are; of more than `MOST_COLUMNS`
        columns, neighbours are summed up, and only the rows with the largest |sum| are drawn.
    """
    kept = np.sort(np.argsort(-np.abs(values).sum(axis=1), kind="stable")[:MOST_ROWS])
    cuts = np.linspace(0, len(columns), min(len(columns), MOST_COLUMNS) + 1).astype(int)
    cells = np.array([[row[a:b].sum() for a, b in pairwise(cuts)] for row in values[kept]])
    largest = float(np.abs(cells).max(initial=0.0)) or 1.0
    height = _ROW * len(kept) + 34
    canvas = Canvas(_WIDTH, height, title)
    step = (_WIDTH - _LABEL - 10) / max(len(cuts) - 1, 1)
    for i, row in enumerate(kept):
        canvas.text(0, i * _ROW + 15, shortened(names[row], 32), "strong")
        for j, value in enumerate(cells[i]):
            if value:
                style, share = "up" if value > 0 else "down", abs(float(value)) / largest
                canvas.cell(_LABEL + j * step, i * _ROW + 2, step, _ROW - 4, style, share)
    bottom = _ROW * len(kept) + 4
    canvas.line(_LABEL, bottom, _WIDTH - 10, bottom, "axis")
    for place in np.unique(np.linspace(0, len(cuts) - 2, 5).astype(int)) if len(cuts) > 1 else ():
        words = columns[cuts[place]]
        canvas.text(_LABEL + (place + 0.5) * step, bottom + 16, words, "tick", "middle")
    return canvas.svg()


def beeswarm(
    title: str, names: Sequence[str], contributions: FloatArray, values: FloatArray
) -> str:
    """Draw a dot for each row and signal, at its contribution: blue for a low value, red for a high.

    Parameters
    ----------
    contributions, values
        Shape ``(n, k)``; a value that is NaN (a word, or missing) is grey. The signals with the
        largest mean |contribution| are drawn, and at most `MOST_DOTS` rows.
    """
    last = len(contributions) - 1
    rows = np.unique(np.linspace(0, last, min(last + 1, MOST_DOTS)).astype(int))
    order = np.argsort(-np.abs(contributions).sum(axis=0), kind="stable")[:MOST_ROWS]
    height = _ROW * len(order) + 40
    canvas = Canvas(_WIDTH, height, title)
    shown = contributions[np.ix_(rows, order)]
    x = linear(np.append(shown.ravel(), 0.0), _LABEL, _WIDTH - 20, 5)
    bottom = _ROW * len(order) + 6
    canvas.line(x.pixel(0.0), 0, x.pixel(0.0), bottom, "axis")
    for place, column in enumerate(order):
        middle = place * _ROW + _ROW / 2
        canvas.text(0, middle + 4, shortened(names[column], 32), "strong")
        across = x.at(contributions[rows, column])
        for left, up, share in zip(
            across, _swarmed(across), _ranks(values[rows, column]), strict=True
        ):
            canvas.dot(float(left), middle + float(up), 2.0, _mixed(float(share)))
    canvas.line(x.start, bottom, x.end, bottom, "axis")
    for tick, words in x.ticks:
        canvas.text(x.pixel(tick), bottom + 16, words, "tick", "middle")
    canvas.text(
        _LABEL, bottom + 30, "contribution to the score; blue: low value, red: high", "tick"
    )
    return canvas.svg()


def _largest(
    names: Sequence[str], contributions: Sequence[float], notes: Sequence[str]
) -> list[tuple[str, float, str]]:
    """Return (name, contribution, note) by falling |contribution|, the smallest summed up."""
    said = notes or [""] * len(names)
    bars = sorted(zip(names, contributions, said, strict=True), key=lambda bar: -abs(bar[1]))
    if len(bars) <= MOST_ROWS:
        return bars
    rest = bars[MOST_ROWS - 1 :]
    summed = (f"{len(rest)} others", sum(value for _, value, _ in rest), "")
    return [*bars[: MOST_ROWS - 1], summed]


def _swarmed(across: FloatArray) -> FloatArray:
    """Return how far up or down each dot goes, so that those at one place lie beside each other."""
    places = np.round(across / 3.0).astype(int)
    seen: dict[int, int] = {}
    up = np.zeros(len(across))
    for i, place in enumerate(places.tolist()):
        count = seen.get(place, 0)
        seen[place] = count + 1
        up[i] = ((count + 1) // 2) * (1.6 if count % 2 else -1.6)
    reach = float(np.abs(up).max(initial=0.0))
    return up * min(1.0, (_ROW / 2 - 2) / reach) if reach else up


def _ranks(values: FloatArray) -> FloatArray:
    """Return each value's place among the others, in [0, 1]; NaN where it is none."""
    known = ~np.isnan(values)
    ranks = np.full(len(values), np.nan)
    places = np.searchsorted(np.sort(values[known]), values[known], side="left")
    ranks[known] = places / max(int(known.sum()) - 1, 1)
    return ranks


def _mixed(share: float) -> str:
    """Return a colour between that of low and that of high values."""
    parts = zip(_LOW, _HIGH, strict=True)
    mixed = _PLAIN if np.isnan(share) else [round(a + share * (b - a)) for a, b in parts]
    return "#" + "".join(f"{part:02x}" for part in mixed)
