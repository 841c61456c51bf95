"""Pictures of a promise are read back as XML: what they show is where the numbers say."""

from __future__ import annotations

from xml.etree import ElementTree

import numpy as np
import pytest

from clarion.evaluation import confidence_pictures as pictures
from clarion.evaluation.pictures import Span

SVG = "{http://www.w3.org/2000/svg}"
HOUR = 3600 * 1_000_000_000
PROMISED = np.array([0.001, 0.01, 0.1])
NO_ROWS = np.empty(0, np.int64)


def drawn(picture: str, tag: str, style: str) -> list[dict[str, str]]:
    root = ElementTree.fromstring(picture)
    return [e.attrib for e in root.iter(f"{SVG}{tag}") if e.attrib.get("class") == style]


def texts(picture: str) -> list[str]:
    return ["".join(e.itertext()) for e in ElementTree.fromstring(picture).iter(f"{SVG}text")]


def points(polygon: dict[str, str]) -> list[tuple[float, float]]:
    return [(float(a), float(b)) for a, b in (p.split(",") for p in polygon["points"].split())]


def bounded(rates: list[float], factor: float = 2.0) -> pictures.Bounded:
    values = np.array(rates)
    return pictures.Bounded(values, values / factor, np.minimum(values * factor, 1.0))


def height_on(line: dict[str, str], x: float) -> float:
    """Return the height in pixels of a straight line at ``x``."""
    x1, y1, x2, y2 = (float(line[name]) for name in ("x1", "y1", "x2", "y2"))
    return y1 + (x - x1) / (x2 - x1) * (y2 - y1)


def test_a_rate_that_is_kept_stands_on_the_line_and_a_larger_one_above() -> None:
    picture = pictures.reliability(
        "Rates", PROMISED, bounded([0.001, 0.03, 0.1]), (PROMISED / 2, PROMISED * 2)
    )
    (same,), dots = drawn(picture, "line", "chance"), drawn(picture, "circle", "normal")
    gaps = [height_on(same, float(dot["cx"])) - float(dot["cy"]) for dot in dots]
    assert gaps[0] == pytest.approx(0, abs=0.2)
    assert gaps[1] > 20
    assert gaps[2] == pytest.approx(0, abs=0.2)
    for whisker, dot in zip(drawn(picture, "line", "whisker"), dots, strict=True):
        assert float(whisker["y2"]) < float(dot["cy"]) < float(whisker["y1"])
        assert whisker["x1"] == whisker["x2"] == dot["cx"]
    (band,) = drawn(picture, "polygon", "span")
    low, high = points(band)[:3], points(band)[3:][::-1]
    assert [x for x, _ in low] == [x for x, _ in high] == [float(dot["cx"]) for dot in dots]
    assert all(below[1] > above[1] for below, above in zip(low, high, strict=True))
    assert not drawn(picture, "circle", "marked")


def test_the_rate_in_use_is_marked_and_rates_of_zero_have_bounds_only() -> None:
    picture = pictures.reliability(
        "Rates",
        PROMISED,
        pictures.Bounded(np.array([0.0, 0.01, 0.1]), np.zeros(3), np.array([0.005, 0.02, 0.2])),
        (PROMISED / 2, PROMISED * 2),
        marked=(0.01, 0.01),
    )
    assert len(drawn(picture, "circle", "normal")) == 2
    assert len(drawn(picture, "line", "whisker")) == 3
    (mark,), dots = drawn(picture, "circle", "marked"), drawn(picture, "circle", "normal")
    assert (mark["cx"], mark["cy"]) == (dots[0]["cx"], dots[0]["cy"])
    assert "in use" in texts(picture)


@pytest.mark.parametrize("timed", [True, False])
def test_rates_over_time_stand_above_the_promise_where_they_were_larger(timed: bool) -> None:
    stamps = np.arange(4) * 12 * (HOUR if timed else 1)
    picture = pictures.rates_over_time(
        "Rates", stamps, bounded([0.01, 0.0, 0.2, 1.0]), 0.01, allowed=0.015, timed=timed
    )
    (promise,) = drawn(picture, "line", "threshold")
    dots = [float(dot["cy"]) for dot in drawn(picture, "circle", "normal")]
    assert dots[0] == float(promise["y1"])
    assert dots[2] < dots[1] < dots[0]  # one has no dot: it is zero
    area, swatch = drawn(picture, "rect", "span")
    assert float(area["y"]) < float(promise["y1"])
    assert "promised 0.01" in texts(picture)
    assert float(swatch["y"]) < 20
    plain = pictures.rates_over_time("Rates", stamps, bounded([0.01] * 4), 0.01, timed=timed)
    assert not drawn(plain, "rect", "span")


def test_a_drift_timeline_dots_each_alarm_on_its_level_and_cuts_what_is_endless() -> None:
    rows = np.arange(0, 100, 10)
    endless = np.where(rows < 50, 0.0, 300.0)
    everything = pictures.Line("all rows", rows, endless, np.array([50, 80]))
    normal = pictures.Line("normal rows", rows[:5], endless[:5], NO_ROWS)
    spans = [Span(45, 45, "labelled")]
    picture = pictures.drift_timeline("Drift", everything, normal, 2.0, spans=spans, timed=False)
    (level,), dots = drawn(picture, "line", "threshold"), drawn(picture, "circle", "anomaly")
    assert [dot["cy"] for dot in dots] == [level["y1"]] * 2
    assert float(dots[0]["cx"]) < float(dots[1]["cx"])
    (line,) = drawn(picture, "polyline", "second")
    heights = [y for _, y in points(line)]
    # Quiet rows are told apart from the level by a good part of the picture, though others are at 300.
    assert heights[0] - float(level["y1"]) > 20
    assert float(level["y1"]) - heights[-1] > 20
    (quiet,) = drawn(picture, "polyline", "series")
    assert len(points(quiet)) == 5
    assert "10" in texts(picture)
    assert "300" not in texts(picture)
    shade = drawn(picture, "rect", "span")[0]
    assert float(shade["width"]) >= 1.0
    assert {"all rows", "normal rows", "drift told", "labelled"} <= set(texts(picture))


def test_a_timeline_without_alarms_has_no_dot() -> None:
    line = pictures.Line("all rows", np.array([5]), np.array([0.3]), NO_ROWS)
    picture = pictures.drift_timeline("Drift", line, line, 2.0)
    assert not drawn(picture, "circle", "anomaly")
    assert "drift told" not in texts(picture)
