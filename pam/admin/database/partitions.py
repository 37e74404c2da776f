"""The months, and a conversion while it is under way: what `pam_partitions status` says."""

from datetime import datetime

from django.db import connections
from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone

from pam.admin.database.page import STATEMENT_MS, database, look, render, svg
from pam.health.finding import by_urgency
from pam.health.months import present
from pam.monitoring.charts import months_svg
from pam.monitoring.months_report import MonthsReport, months_report
from pam.monitoring.section import Section
from pam.partitions.plan import months_ahead

# How often the page loads itself anew while rows are copied.
SECONDS = 10


def partitions(request: HttpRequest) -> HttpResponse:
    """The months of each table. While a conversion is under way it refreshes itself, unless asked to stand still."""
    now = timezone.now()
    found = _months(now)
    report = found.found
    tables = [
        (facts, progress, months_ahead(present(facts), now), _time(progress.verified_at))
        for facts, progress in (report.tables if report else ())
    ]
    context = {
        "now": now,
        "reason": found.reason,
        "tables": tables,
        "partitioned": [facts for facts, *_ in tables if present(facts)],
        "findings": by_urgency(report.findings) if report else [],
        "converting": bool(report and report.is_converting),
        "refresh": SECONDS if report and report.is_converting and "still" not in request.GET else None,
        "seconds": SECONDS,
    }
    return render(request, "database_partitions", context)


def timeline(request: HttpRequest) -> HttpResponse:
    """The months on a line of time, a bar for each."""
    now = timezone.now()
    found = _months(now).found
    if found is None:
        raise Http404
    return svg(months_svg(found.facts, now))


def _time(text: str | None) -> datetime | None:
    """A time as a program is told it."""
    return datetime.fromisoformat(text) if text else None


def _months(now: datetime) -> Section[MonthsReport]:
    return look("database_partitions", lambda: months_report(connections[database()], now, statement_ms=STATEMENT_MS))
