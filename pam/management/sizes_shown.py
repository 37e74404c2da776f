"""A report of sizes as `pam_sizes` shows it: lines for a person, a dictionary for a program."""

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from django.template.defaultfilters import filesizeformat

from pam.health.growth import Trend, forecast
from pam.management.curve import curve
from pam.management.findings import as_json
from pam.monitoring.size_history import DATABASE
from pam.monitoring.size_report import SizeReport, growth_told, limits_told, rate_told
from pam.postgres.sizes import Size, TableSize

# Who reads the document must know what it says.
FORMAT = 1
HEAD = ("", "heap", "indexes", "TOAST", "total", "rows", "partitions", "a day")


def lines(found: SizeReport, encoding: str | None) -> Iterator[str]:
    """The tables, the largest first; the database and its growth; each limit; what is not known."""
    tables = sorted(found.measured.tables, key=lambda table: -table.size.total)
    rows = [HEAD, *(_row(table, found.trends[str(table.relation)]) for table in tables)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEAD))]
    for name, *figures in rows if tables else ():
        cells = (f"{text:>{width}}" for text, width in zip(figures, widths[1:], strict=True))
        yield f"{name:{widths[0]}}  {'  '.join(cells)}"
    measured, growth = found.measured, found.growth
    yield f"{measured.database}: {filesizeformat(measured.bytes)}, of it {filesizeformat(measured.elsewhere)} elsewhere"
    if growth:
        points = found.curves[DATABASE]
        first, last = points[0], points[-1]
        yield (
            f"  {filesizeformat(first.bytes)} on {first.taken_at:%Y-%m-%d}  {curve(points, encoding)}  "
            f"{filesizeformat(last.bytes)} on {last.taken_at:%Y-%m-%d}"
        )
        yield f"  {growth_told(growth)}"
    for sentence in limits_told(found):
        yield f"  {sentence}"
    yield from (*found.remarks, *(found.unknown if found.findings else ()))


def _row(table: TableSize, growth: Trend | None) -> tuple[str, ...]:
    size = table.size
    parts = (size.heap, size.indexes, size.toast, size.total)
    return (
        str(table.relation),
        *(str(filesizeformat(part)) for part in parts),
        "?" if size.rows is None else f"{size.rows:,}",
        str(len(table.partitions)) if table.relation.is_partitioned else "",
        rate_told(growth),
    )


def as_document(found: SizeReport, *, kept: bool) -> dict[str, Any]:
    """All of it as `json.dumps` takes it: sizes in bytes, times in ISO 8601 with their zone."""
    measured = found.measured
    return {
        "format": FORMAT,
        "measured_at": found.now.isoformat(),
        "snapshot_kept": kept,
        "database": {
            "name": measured.database,
            "total_bytes": measured.bytes,
            "elsewhere_bytes": measured.elsewhere,
            "growth": _growth(found.growth),
        },
        "tables": [
            {
                "relation": str(table.relation),
                "kind": table.kind,
                **_size(table.size),
                "growth": _growth(found.trends[str(table.relation)]),
                "partitions": [
                    {
                        "relation": str(one.relation),
                        "month": f"{one.month.start:%Y-%m}" if one.month else None,
                        **_size(one.size),
                    }
                    for one in table.partitions
                ],
            }
            for table in measured.tables
        ],
        "missing": measured.missing,
        "limits": [
            {"name": limit.name, "left_bytes": limit.left, **_forecast(found, place)}
            for place, limit in enumerate(found.limits)
        ],
        "remarks": found.remarks,
        "unknown": found.unknown,
        "findings": as_json(found.findings),
    }


def _size(size: Size) -> dict[str, int | None]:
    return {
        "heap_bytes": size.heap,
        "index_bytes": size.indexes,
        "toast_bytes": size.toast,
        "total_bytes": size.total,
        "rows": size.rows,
    }


def _growth(growth: Trend | None) -> dict[str, Any] | None:
    """Bytes a day."""
    if growth is None:
        return None
    return {**asdict(growth), "since": growth.since.isoformat(), "until": growth.until.isoformat()}


def _forecast(found: SizeReport, place: int) -> dict[str, str | None]:
    when = forecast(found.limits[place], found.growth, found.now) if found.growth else None
    times = asdict(when) if when else dict.fromkeys(("at", "earliest", "latest"))
    return {f"full_{name}": time.isoformat() if time else None for name, time in times.items()}
