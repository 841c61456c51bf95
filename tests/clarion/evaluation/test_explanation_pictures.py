from __future__ import annotations

import re
from xml.etree import ElementTree

import numpy as np
import pytest

from clarion.evaluation.explanation_pictures import (
    MOST_COLUMNS,
    MOST_DOTS,
    MOST_ROWS,
    beeswarm,
    heat_map,
    waterfall,
)
from clarion.evaluation.page import standalone

SVG = "{http://www.w3.org/2000/svg}"


def parts(svg: str, tag: str, style: str | None = None) -> list[dict[str, str]]:
    found = ElementTree.fromstring(svg).iter(f"{SVG}{tag}")
    return [dict(e.attrib) for e in found if style is None or e.attrib.get("class") == style]


def words(svg: str) -> list[str]:
    return [element.text or "" for element in ElementTree.fromstring(svg).iter(f"{SVG}text")]


def test_a_waterfall_leads_from_the_base_value_to_the_score() -> None:
    drawn = waterfall("why", 2.0, ["flow", "heat"], [3.0, -1.0], threshold=3.5)
    (up,), (down,) = parts(drawn, "rect", "up"), parts(drawn, "rect", "down")
    # The largest lies on top; both end at the score, 4, and pixels follow the values.
    assert float(up["y"]) < float(down["y"])
    assert float(up["x"]) == pytest.approx(float(down["x"]), abs=0.11)
    assert float(up["width"]) == pytest.approx(3 * float(down["width"]), rel=0.01)
    told = words(drawn)
    assert {"score 4", "base value 2", "threshold 3.5", "+3", "-1", "flow", "heat"} <= set(told)


def test_small_contributions_are_summed_up_in_one_bar() -> None:
    values = [10.0, *[0.5] * 30]
    drawn = waterfall("why", 0.0, [f"s{i}" for i in range(31)], values)
    assert len(parts(drawn, "rect", "up")) == MOST_ROWS
    assert f"{31 - MOST_ROWS + 1} others" in words(drawn)
    assert f"{0.5 * (31 - MOST_ROWS + 1):+.3g}" in words(drawn)
    assert "score 25" in words(drawn)


def test_a_heat_map_is_as_strong_as_the_contribution() -> None:
    values = np.array([[0.0, 2.0, -4.0], [1.0, 0.0, 0.0]])
    drawn = heat_map("cells", ["flow", "heat"], ["a", "b", "c"], values)
    cells = parts(drawn, "rect", "up") + parts(drawn, "rect", "down")
    assert sorted(float(cell["fill-opacity"]) for cell in cells) == [0.25, 0.5, 1.0]
    assert len(parts(drawn, "rect", "down")) == 1


def test_long_heat_maps_sum_neighbours(rng: np.random.Generator) -> None:
    wide = heat_map("cells", ["flow"], [str(i) for i in range(1000)], np.ones((1, 1000)))
    assert len(parts(wide, "rect", "up")) == MOST_COLUMNS
    tall = heat_map("cells", [f"s{i}" for i in range(50)], ["now"], np.arange(1.0, 51.0)[:, None])
    assert [w for w in words(tall) if w.startswith("s")] == [
        f"s{i}" for i in range(50 - MOST_ROWS, 50)
    ]


def test_a_beeswarm_has_a_dot_a_row_and_colours_by_value() -> None:
    contributions = np.array([[1.0, 0.1], [2.0, -0.1], [3.0, 0.0]])
    values = np.array([[1.0, np.nan], [2.0, np.nan], [3.0, np.nan]])
    dots = parts(beeswarm("all", ["flow", "word"], contributions, values), "circle")
    first = [dot for dot in dots if float(dot["cy"]) < 24]
    assert [dot["fill"] for dot in first] == ["#2f7fb8", "#7c6274", "#c8452f"]
    assert [float(dot["cx"]) for dot in first] == sorted(float(dot["cx"]) for dot in first)
    assert {dot["fill"] for dot in dots if float(dot["cy"]) > 24} == {"#969696"}


def test_dots_at_one_place_lie_beside_each_other_within_their_row(
    rng: np.random.Generator,
) -> None:
    drawn = beeswarm("all", ["flow"], np.zeros((5000, 1)), rng.normal(size=(5000, 1)))
    heights = [float(dot["cy"]) for dot in parts(drawn, "circle")]
    assert len(heights) == MOST_DOTS
    assert 2 <= min(heights) < max(heights) <= 22
    assert len(set(heights)) > 10


@pytest.mark.parametrize("rows", [0, 1])
def test_next_to_nothing_is_drawn_too(rows: int) -> None:
    nothing = np.zeros((rows, 2))
    for drawn in (
        beeswarm("all", ["a", "b"], nothing, nothing),
        heat_map("cells", ["a", "b"], ["x"] * rows, nothing.T),
        waterfall("why", 0.0, ["a"] * rows, [0.0] * rows),
    ):
        assert ElementTree.fromstring(drawn).tag == f"{SVG}svg"


def test_names_cannot_break_out_of_the_picture() -> None:
    evil = '</text><script>alert("&")</script>'
    drawn = waterfall(evil, 0.0, [evil], [1.0], notes=[evil])
    assert "<script" not in drawn
    ElementTree.fromstring(drawn)


def test_a_standalone_picture_has_its_colours_inside() -> None:
    alone = standalone(waterfall("why", 2.0, ["flow"], [3.0], threshold=1.0))
    assert "var(" not in alone
    assert re.search(r"svg \.up \{ fill: #[0-9a-f]{6} \}", alone)
    left, top, width, _ = (
        float(n) for n in ElementTree.fromstring(alone).attrib["viewBox"].split()
    )
    assert (left, top, width) == (-12, -12, 664)
