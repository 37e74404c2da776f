"""c. The lock of the swap, by rows and by months."""

import statistics
from collections import defaultdict
from typing import NamedTuple

from django.utils import timezone

from pam.postgres.months import Month
from tests.benchmarks.results import Figure, Row
from tests.benchmarks.scale import PHASE2, Scale, Told, migrate, run
from tests.support.clients import Client
from tests.support.held_locks import swap_lock
from tests.support.months import add_sessions_over
from tests.support.servers import ALIAS, ROOMY, server_under_alias

# Hundredths of the audit rows.
SIZES = (1, 10, 100, 500)
MONTHS = (1, 24, 84)
MIDDLE = 24


class Point(NamedTuple):
    """So many sessions in so many months."""

    rows: int
    months: int


def measure(scale: Scale, told: Told) -> Figure:
    """Milliseconds for which the swap of `sessions` locks it, at most, there and back."""
    sizes = [max(10, scale.rows * size // 100) for size in scale.sizes(SIZES)]
    by_rows = [Point(rows, scale.months(MIDDLE)) for rows in sizes]
    by_months = [Point(sizes[1], months) for months in scale.each(MONTHS)]
    held: dict[Point, dict[str, list[float]]] = defaultdict(lambda: {"there": [], "back": []})
    with server_under_alias(ROOMY):
        migrate(ALIAS, PHASE2)
        Client(ALIAS, "seed").step(0)
        for turn in range(scale.rounds):
            for point in dict.fromkeys(by_rows + by_months):
                told(f"{point.rows:,} rows, {point.months} months")
                if point.rows <= sizes[1]:
                    _convert(point, held[point], 1)
                elif turn == 0:
                    # To fill the table takes longer than to convert it.
                    _convert(point, held[point], scale.turns)
    return Figure(
        "Phase 3: for how long the swap of `sessions` locks it, by rows and by months",
        "the swap of the fewest rows, or months",
        f"(at the most; median of {scale.rounds} in turns, above {sizes[1]:,} rows of {scale.turns})",
        [
            *(_row(point, by_rows[0], held, {"rows": point.rows}) for point in by_rows),
            *(_row(point, by_months[0], held, {"months": point.months}) for point in by_months),
        ],
    )


def _convert(point: Point, held: dict[str, list[float]], times: int) -> None:
    run(ALIAS, "TRUNCATE sessions")
    add_sessions_over(ALIAS, point.rows, point.months, Month.of(timezone.now()))
    run(ALIAS, "VACUUM (ANALYZE) sessions", "CHECKPOINT")
    for _ in range(times):
        for way, found in held.items():
            found.append(swap_lock(ALIAS, back=way == "back"))


def _row(point: Point, base: Point, held: dict[Point, dict[str, list[float]]], swept: dict[str, int]) -> Row:
    ours, of = ({way: statistics.median(found) for way, found in held[one].items()} for one in (point, base))
    return Row(
        f"{point.rows:,} rows, {point.months} month{'s' * (point.months > 1)}",
        {way: ours[way] / of[way] for way in of},
        {f"ms {way}": milliseconds for way, milliseconds in of.items()},
        swept,
    )
