"""Charts of the swap's lock, the named queries and the partitions, as SVG: the same figures, the same file."""

from collections.abc import Callable, Sequence
from pathlib import Path

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Sheet

from pam.monitoring import charts
from tests.benchmarks.results import Figure, Row

COLOURS, MARKERS = charts.COLOURS[:2], charts.MARKERS[:2]
INCHES_A_QUERY = 0.24


def draw(figures: dict[str, Figure], folder: Path) -> None:
    """One file for each of c, d and f that was measured."""
    folder.mkdir(parents=True, exist_ok=True)
    for letter, (name, chart) in CHARTS.items():
        if letter in figures:
            with rc_context(charts.STYLE):
                chart(figures[letter]).savefig(folder / name, metadata={"Date": None})


def _swap_lock(figure: Figure) -> Sheet:
    """The lock by rows, and by months, on one scale."""
    sheet = Sheet(figsize=(9, 3.6), layout="constrained")
    left, right = sheet.subplots(1, 2, sharey=True)
    _lines(left, figure.rows, "rows")
    _lines(right, figure.rows, "months")
    sheet.suptitle("Lock of the swap of sessions: flat is good")
    left.set_ylabel("times that of the fewest")
    left.set_ylim(bottom=0)
    right.legend()
    return sheet


def _partition_counts(figure: Figure) -> Sheet:
    """Time of a look-up and of an insert."""
    sheet = Sheet(figsize=(6, 3.6), layout="constrained")
    axes = sheet.subplots()
    _lines(axes, figure.rows, "partitions")
    sheet.suptitle("Time of a statement, by partitions: flat is good")
    axes.set_ylabel("times that with 1 partition")
    axes.set_ylim(bottom=0)
    axes.legend()
    return sheet


def _named_queries(figure: Figure) -> Sheet:
    """Time and buffers of every query, phases 2 and 3, of what they were in phase 1."""
    sheet = Sheet(figsize=(11, 1.4 + INCHES_A_QUERY * len(figure.rows)), layout="constrained")
    panels = sheet.subplots(1, 2, sharey=True)
    for axes, what in zip(panels, ("time", "buffers"), strict=True):
        for column, colour, marker in zip(_columns(figure, what), COLOURS, MARKERS, strict=True):
            axes.plot(
                [row.ratios[column] for row in figure.rows],
                [row.what for row in figure.rows],
                marker,
                color=colour,
                label=column.removeprefix(f"{what}, "),
                alpha=0.8,
            )
        axes.axvline(1, color="black", linewidth=1)
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
        axes.set_xlabel(f"{what}, times that of phase 1: left is better")
    panels[0].margins(y=0.02)
    panels[0].invert_yaxis()
    sheet.suptitle("The named queries")
    sheet.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return sheet


def _columns(figure: Figure, what: str) -> Sequence[str]:
    return [column for column in figure.rows[0].ratios if column.startswith(what)]


def _lines(axes: Axes, rows: list[Row], x: str) -> None:
    """A line for each ratio of the rows that have this point; evenly spaced, since the points are powers."""
    points = [row for row in rows if x in row.point]
    for column, colour, marker in zip(points[0].ratios, COLOURS, MARKERS, strict=True):
        axes.plot(
            [f"{row.point[x]:,}" for row in points],
            [row.ratios[column] for row in points],
            f"{marker}-",
            color=colour,
            label=column,
        )
    axes.set_xlabel(x)
    axes.margins(y=0.1)


CHARTS: dict[str, tuple[str, Callable[[Figure], Sheet]]] = {
    "c": ("swap_lock.svg", _swap_lock),
    "d": ("named_queries.svg", _named_queries),
    "f": ("partition_counts.svg", _partition_counts),
}
