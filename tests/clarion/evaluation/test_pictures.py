"""Pictures are read back as XML: what they show is where the numbers say."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clarion.evaluation import axes, pictures
from clarion.evaluation.page import card, page, section, table, tiles
from clarion.evaluation.svg import Canvas

SVG = "{http://www.w3.org/2000/svg}"
HOUR = 3600 * 1_000_000_000


def drawn(picture: str, tag: str, style: str) -> list[dict[str, str]]:
    root = ElementTree.fromstring(picture)
    return [e.attrib for e in root.iter(f"{SVG}{tag}") if e.attrib.get("class") == style]


def texts(picture: str) -> list[str]:
    return ["".join(e.itertext()) for e in ElementTree.fromstring(picture).iter(f"{SVG}text")]


@given(
    st.lists(st.floats(-1e12, 1e12), min_size=1, max_size=20),
    st.sampled_from([axes.linear, axes.scores]),
)
def test_an_axis_holds_its_values_in_order_and_its_ticks_are_few(
    values: list[float], make: object
) -> None:
    axis = make(np.array(values), 0.0, 100.0)  # type: ignore[operator]  # one of two functions
    slack = 1e-8 * (axis.high - axis.low)
    assert axis.low <= min(values) + slack
    assert axis.high >= max(values) - slack
    pixels = axis.at(np.sort(values))
    assert (np.diff(pixels) >= 0).all()
    assert 2 <= len(axis.ticks) <= 12
    assert len({words for _, words in axis.ticks}) == len(axis.ticks)


def test_equal_ratios_take_equal_lengths_on_a_logarithmic_axis() -> None:
    axis = axes.scores(np.array([1.0, 1e4]), 0.0, 400.0)
    np.testing.assert_allclose(axis.at([1.0, 10.0, 100.0, 1e4]), [0.0, 100.0, 200.0, 400.0])
    assert not axes.scores(np.array([-5.0, 1e4]), 0.0, 1.0).logarithmic  # scores may be negative


def test_time_ticks_are_midnights() -> None:
    start = int(np.datetime64("2024-02-27T05", "ns").astype(np.int64))
    axis = axes.times(np.array([start, start + 72 * HOUR], float), 0.0, 100.0)
    assert [words for _, words in axis.ticks] == ["28 Feb", "29 Feb", "1 Mar"]


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (35 * 60, ["27 Feb, 05:05", "05:10", "05:15", "05:20", "05:25", "05:30", "05:35"]),
        (20, ["27 Feb, 05:02:15", "05:02:20", "05:02:25", "05:02:30"]),
        (30 * 3600, ["27 Feb, 06:00", "12:00", "18:00", "28 Feb", "06:00"]),
    ],
)
def test_within_a_day_ticks_are_round_times_and_the_first_says_the_date(
    seconds: int, expected: list[str]
) -> None:
    start = int(np.datetime64("2024-02-27T05:02:12", "ns").astype(np.int64))
    axis = axes.times(np.array([start, start + seconds * 10**9], float), 0.0, 100.0)
    assert [words for _, words in axis.ticks] == expected
    places = axis.at([place for place, _ in axis.ticks])
    assert (np.diff(places) > 0).all()
    assert 0.0 <= places[0] <= places[-1] <= 100.0


def test_one_moment_has_an_axis_too() -> None:
    assert axes.times(np.array([5e9]), 0.0, 100.0).pixel(5e9) == 0.0


def test_rows_without_times_are_counted_and_each_stretch_is_seen() -> None:
    rows, quiet = np.arange(2000), np.zeros(2000, bool)
    spans = [pictures.Span(500, 500, "labelled"), pictures.Span(1000, 1500, "labelled")]
    picture = pictures.over_time("score", rows, rows / 10.0, quiet, spans=spans, timed=False)
    narrow, wide, _ = drawn(picture, "rect", "span")  # the third is the legend's
    assert float(narrow["width"]) >= 1.0
    assert float(wide["width"]) == pytest.approx((920 - 70) / 4, abs=0.2)
    assert {"0", "500", "1,500"} <= set(texts(picture))
    assert texts(picture).count("labelled") == 1


def test_a_curve_shows_its_point_and_what_chance_gets() -> None:
    unit = np.linspace(0, 1, 9)
    picture = pictures.curve("ROC", "x", "y", unit, unit, marked=(0.0, 1.0), chance=(0.0, 1.0))
    (dot,), (line,) = drawn(picture, "circle", "marked"), drawn(picture, "line", "chance")
    assert (dot["cx"], dot["cy"]) == (line["x1"], line["y2"])  # the upper left corner
    assert not drawn(pictures.curve("ROC", "x", "y", unit, unit), "circle", "marked")


def test_scores_over_time_show_each_anomaly_and_the_threshold() -> None:
    stamps = np.arange(48) * HOUR
    scores = np.linspace(1.0, 2.0, 48)
    scores[[7, 30]] = 9.0
    span = pictures.Span(int(stamps[10]), int(stamps[20]), "weeks of the fit")
    picture = pictures.over_time("score", stamps, scores, scores > 5, threshold=5.0, spans=[span])
    dots = drawn(picture, "circle", "anomaly")
    (level,) = drawn(picture, "line", "threshold")
    assert len(dots) == 2
    assert all(float(dot["cy"]) < float(level["y1"]) for dot in dots)  # above the line
    (shade, _) = drawn(picture, "rect", "span")
    assert float(shade["x"]) > float(dots[0]["cx"])
    assert float(shade["x"]) + float(shade["width"]) < float(dots[1]["cx"])
    assert "threshold 5" in texts(picture)


def test_attribution_bars_go_right_where_a_signal_pushed_the_score_up() -> None:
    picture = pictures.attribution_bars("a", ["flow", "heat"], [3.0, -1.5], ["7 l/s", ""])
    (up,), (down,), (zero,) = (
        drawn(picture, "rect", "up"),
        drawn(picture, "rect", "down"),
        drawn(picture, "line", "axis"),
    )
    assert float(up["x"]) == pytest.approx(float(zero["x1"]))
    assert float(down["x"]) + float(down["width"]) == pytest.approx(float(zero["x1"]))
    assert float(up["width"]) == pytest.approx(2 * float(down["width"]), abs=0.2)
    assert {"flow", "+3", "-1.5", "7 l/s"} <= set(texts(picture))


def test_side_by_side_gives_each_column_its_own_scale() -> None:
    picture = pictures.side_by_side(
        "s", ["a", "b"], [("SHAP", [100.0, 50.0]), ("LIME", [0.2, 0.1])]
    )
    widths = [float(bar["width"]) for bar in drawn(picture, "rect", "up")]
    np.testing.assert_allclose(widths, [widths[0], widths[0] / 2] * 2, atol=0.2)


@pytest.mark.parametrize("scores", [np.zeros(3), np.array([-1.0, -2.0]), np.array([1e-9, 1e12])])
def test_odd_scores_are_drawn_too(scores: np.ndarray[tuple[int], np.dtype[np.float64]]) -> None:
    stamps = np.arange(len(scores)) * HOUR
    anomalous = np.zeros(len(scores), bool)
    pictures.over_time("s", stamps, scores, anomalous, threshold=float(scores[0]))
    picture = pictures.score_histogram("h", [("normal", "all", scores)], float(scores[0]))
    assert drawn(picture, "rect", "normal")


def test_a_page_needs_nothing_but_itself_and_shows_words_as_words() -> None:
    evil = "<script>&"
    made = page(
        evil,
        evil,
        [
            section(evil, evil, tiles([(evil, evil)])),
            card(
                pictures.curve(evil, "x", "y", np.linspace(0, 1, 9), np.linspace(0, 1, 9)),
                heading=evil,
            ),
            table([evil], [[evil]]),
        ],
    )
    assert "<script" not in made
    assert "&lt;script&gt;&amp;" in made
    outside = re.findall(r"(?:src|href|url\()\s*=?\s*[\"']?https?:", made)
    assert outside == []
    assert "@import" not in made


def test_names_that_no_xml_may_hold_still_make_a_picture() -> None:
    canvas = Canvas(100, 50, "p\x00q <b>")
    canvas.text(1, 2, "\x1b[31mred\ufffe\ud800 & \tblue")
    picture = ElementTree.fromstring(canvas.svg())
    assert [part.text for part in picture] == ["pq <b>", "[31mred & \tblue"]
