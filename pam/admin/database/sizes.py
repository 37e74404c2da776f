"""Sizes, growth and forecast: what `pam_sizes` says, by the snapshots that it keeps; none is kept from here."""

from datetime import datetime
from itertools import pairwise

from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone

from pam.admin.database.page import PATIENCE, database, look, render, svg
from pam.health.finding import by_urgency
from pam.health.growth import Point
from pam.monitoring.budget import budget
from pam.monitoring.charts import growth_svg
from pam.monitoring.section import Section
from pam.monitoring.size_history import DATABASE, measure
from pam.monitoring.size_report import SizeReport, growth_told, limits_told, rate_told, report

# The latest ones; the chart has all.
SNAPSHOTS = 30


def sizes(request: HttpRequest) -> HttpResponse:
    """Each table, what is kept of earlier times, and when a limit is reached."""
    now = timezone.now()
    found = sizes_now(now)
    return render(request, "database_sizes", {"now": now, "reason": found.reason, **_shown(found.found)})


def growth(request: HttpRequest) -> HttpResponse:
    """The curves with their trend."""
    found = sizes_now(timezone.now()).found
    if found is None:
        raise Http404
    return svg(growth_svg(found.curves, found.growth, found.ceilings))


def sizes_now(now: datetime) -> Section[SizeReport]:
    """The report, or why there is none."""
    return look("database_sizes", lambda: report(database(), measure(database(), PATIENCE), now, budget()))


def _shown(found: SizeReport | None) -> dict[str, object]:
    if found is None:
        return {}
    largest = sorted(found.measured.tables, key=lambda table: -table.size.total)
    return {
        "report": found,
        "tables": [(table, rate_told(found.trends[str(table.relation)])) for table in largest],
        "snapshots": _snapshots(found)[:SNAPSHOTS],
        "growth": growth_told(found.growth) if found.growth else "",
        "limits": list(limits_told(found)),
        "findings": by_urgency(found.findings),
    }


def _snapshots(found: SizeReport) -> list[tuple[Point, int | None]]:
    """The database at each snapshot, the latest first, and the bytes since the one before."""
    kept = [point for point in found.curves[DATABASE] if point.taken_at < found.now]
    changes: list[int | None] = [None, *(after.bytes - before.bytes for before, after in pairwise(kept))]
    return list(zip(kept, changes, strict=True))[::-1] if kept else []
