"""Charts as SVG or PNG: the same figures, the same file, and nothing in it that is fetched from elsewhere.

The library is loaded by who draws: it takes a quarter of a second, which each `migrate` would pay.
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from io import StringIO
from math import ceil, log2
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.template.defaultfilters import filesizeformat

from pam.health.growth import Point, Trend
from pam.health.months import MonthlyFacts

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

STYLE: dict[Any, Any] = {
    "svg.hashsalt": "menshun",
    "svg.fonttype": "none",
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.color": "#dddddd",
    "date.converter": "concise",
}
# Told apart by form too.
COLOURS, MARKERS = ("#1f5a8c", "#d9822b", "#4b8b3b", "#8c1f5a", "#6b6b6b"), ("o", "s", "^", "D", "v")
# The first curve, and the largest of the others.
CURVES = 5
AHEAD = timedelta(days=30)
# A limit that is further away would press the curves flat.
NEAR = 3
# Across, at most.
LINES, FEW_LINES = 6, 4


def growth_svg(curves: Mapping[str, Sequence[Point]], trend: Trend | None, limits: Mapping[str, int]) -> str:
    """The curves of `growth_figure` as one `<svg>` element, which is a file of its own as well as a part of HTML."""
    with _style():
        return _text(growth_figure(curves, trend, limits))


def write_growth(
    file: Path, curves: Mapping[str, Sequence[Point]], trend: Trend | None, limits: Mapping[str, int]
) -> None:
    """The same as a file, SVG or PNG by its name. OSError if it cannot be written."""
    if file.suffix.lower() == ".svg":
        file.write_text(growth_svg(curves, trend, limits), encoding="utf-8")
        return
    with _style():
        growth_figure(curves, trend, limits).savefig(file, format="png", dpi=150)


def growth_figure(curves: Mapping[str, Sequence[Point]], trend: Trend | None, limits: Mapping[str, int]) -> "Figure":
    """Sizes over time: the first curve, with its trend thirty days ahead and its interval, and the largest others.

    `limits` are bytes by name. One that is more than three times the largest size is left out.
    """
    from matplotlib.figure import Figure

    first, *others = curves
    others.sort(key=lambda name: -curves[name][-1].bytes)
    figure = Figure(figsize=(9, 4.2), layout="constrained")
    axes: Axes = figure.subplots()
    for name, colour, marker in zip([first, *others[: CURVES - 1]], COLOURS, MARKERS, strict=False):
        # The library's types know no times.
        times: Any = [point.taken_at for point in curves[name]]
        axes.plot(times, [point.bytes for point in curves[name]], f"{marker}-", color=colour, label=name, markersize=3)
    if trend:
        _draw_trend(axes, trend)
    largest = max(point.bytes for point in curves[first])
    for name, limit in limits.items():
        if limit <= NEAR * largest:
            axes.axhline(limit, color="black", linewidth=1, linestyle="--")
            axes.annotate(name, (0, limit), xycoords=("axes fraction", "data"), va="bottom")
    axes.set_ylim(bottom=0)
    _mark_sizes(axes, LINES)
    figure.suptitle("Size with indexes and TOAST, partitions with their table")
    figure.legend(loc="outside lower center", ncols=3)
    return figure


def months_svg(tables: Sequence[MonthlyFacts], now: datetime) -> str:
    """The partitions of each table on a line of time, a bar for each, as high as it is large; "" if there are none.

    A bar stands where its month does, so that a gap is seen as one; the line is `now`.
    """
    partitioned = [table for table in tables if any(one.month for one in table.partitions)]
    if not partitioned:
        return ""
    from matplotlib.figure import Figure

    with _style():
        figure = Figure(figsize=(9, 2.1 * len(partitioned)), layout="constrained")
        for place, table in enumerate(partitioned):
            axes: Axes = figure.add_subplot(len(partitioned), 1, place + 1)
            months = [(one, one.month) for one in table.partitions if one.month]
            # The library's types know no times.
            starts: Any = [month.start for _, month in months]
            widths: Any = [0.9 * (month.end - month.start) for _, month in months]
            axes.bar(starts, [one.bytes for one, _ in months], widths, align="edge", color=COLOURS[0])
            moment: Any = now
            axes.axvline(moment, color=COLOURS[1])
            axes.set_title(f"{table.table}: {len(months)} months", loc="left", fontsize="medium")
            _mark_sizes(axes, FEW_LINES)
        return _text(figure)


def _mark_sizes(axes: "Axes", lines: int) -> None:
    """At powers of two, as sizes are told."""
    from matplotlib.ticker import MultipleLocator

    _, top = axes.get_ylim()
    axes.yaxis.set_major_locator(MultipleLocator(2 ** ceil(log2(top / lines))))
    axes.yaxis.set_major_formatter(lambda value, _: str(filesizeformat(value)))


def _style() -> AbstractContextManager[None]:
    from matplotlib import rc_context

    return rc_context(STYLE)


def _text(figure: "Figure") -> str:
    """One `<svg>` element, which is a file of its own as well as a part of HTML."""
    out = StringIO()
    figure.savefig(out, format="svg", metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))
    text = out.getvalue()
    # Without the lines before it, which name the address of a DTD.
    return text[text.index("<svg") :]


def _draw_trend(axes: "Axes", trend: Trend) -> None:
    """From the last snapshot on; the interval is that of the rate."""
    times: Any = [trend.until, trend.until + AHEAD]
    days = AHEAD / timedelta(days=1)
    low, mean, high = ([trend.end, trend.end + rate * days] for rate in (trend.low, trend.per_day, trend.high))
    axes.fill_between(times, low, high, color=COLOURS[0], alpha=0.2, linewidth=0)
    axes.plot(times, mean, ":", color=COLOURS[0], label="trend, with its interval of 95 %")
