"""The growth chart: SVG that stands for itself, the same for the same figures."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from xml.etree import ElementTree

import pytest

from pam.health.growth import Point, trend
from pam.management.curve import BLOCKS, PLAIN, curve
from pam.monitoring.charts import growth_svg, write_growth

pytestmark = pytest.mark.once

NOW = datetime(2026, 11, 25, 13, 37, 11, tzinfo=UTC)
MB = 1 << 20


def points(kind: str, sizes: Sequence[int]) -> list[Point]:
    return [Point(NOW - (len(sizes) - 1 - day) * timedelta(days=1), kind, size * MB) for day, size in enumerate(sizes)]


CURVES = {
    "database": points("database", [100, 103, 104, 109, 110]),
    "public.small": points("table", [1, 1, 1, 1, 1]),
    "public.large": points("table", [80, 82, 84, 86, 88]),
}
TREND = trend(CURVES["database"], "database", NOW)


def texts(svg: str) -> list[str]:
    root = ElementTree.fromstring(svg)  # noqa: S314 (our own)
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    return [element.text or "" for element in root.iter("{http://www.w3.org/2000/svg}text")]


def test_it_is_svg_that_names_its_curves_and_limits():
    shown = texts(growth_svg(CURVES, TREND, {"budget": 150 * MB, "disk": 90_000 * MB}))
    assert {"database", "public.small", "public.large", "trend, with its interval of 95 %", "budget"} <= set(shown)
    assert "disk" not in shown, "that is so far away that it would press the curves flat"
    assert "128.0\xa0MB" in shown


def test_nothing_in_it_is_fetched():
    svg = growth_svg(CURVES, TREND, {"budget": 150 * MB})
    assert svg.startswith("<svg ")
    assert set(re.findall(r"https?://[^\"'\s]*", svg)) == {"http://www.w3.org/1999/xlink", "http://www.w3.org/2000/svg"}
    assert all(
        target.startswith("#")
        for target in re.findall(r"href=\"([^\"]*)\"|url\(([^)]*)\)", svg)
        for target in target
        if target
    )
    assert "<script" not in svg


def test_the_same_figures_make_the_same_chart():
    assert growth_svg(CURVES, TREND, {}) == growth_svg(CURVES, TREND, {})


def test_one_point_and_no_bytes_make_a_chart():
    assert "database" in texts(growth_svg({"database": [Point(NOW, "database", 0)]}, None, {}))


def test_a_png_by_its_name(tmp_path: Path):
    write_growth(tmp_path / "growth.PNG", CURVES, TREND, {})
    assert (tmp_path / "growth.PNG").read_bytes().startswith(b"\x89PNG")


def test_a_curve_of_text_goes_from_the_least_to_the_most():
    assert curve(points("table", [10, 20, 30, 40, 50, 60, 70, 80]), "utf-8", width=8) == BLOCKS
    assert curve(points("table", [80, 10, 80]), "utf-8", width=3) == "█▁█"
    assert curve(points("table", [5, 5]), "utf-8", width=4) == "▁▁▁▁"


def test_a_curve_is_even_over_time_not_over_snapshots():
    close = [
        Point(NOW, "table", 0),
        Point(NOW + timedelta(hours=1), "table", 7),
        Point(NOW + timedelta(days=7), "table", 7),
    ]
    assert curve(close, "utf-8", width=8) == "▁███████"


def test_a_terminal_without_blocks_gets_signs_that_it_knows():
    assert curve(points("table", [10, 20, 30, 40, 50, 60, 70, 80]), "latin-1", width=8) == PLAIN
