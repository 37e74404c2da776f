"""Index health: what `pam_indexes` says, with bloat as it is estimated; only the command reads a whole index."""

from datetime import datetime

from django.db import connections
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from pam.admin.database.page import STATEMENT_MS, database, look, render
from pam.health.finding import by_urgency
from pam.monitoring.index_report import IndexReport, index_report
from pam.monitoring.section import Section


def indexes(request: HttpRequest) -> HttpResponse:
    """Size, scans, bloat and purpose of each index, and what is wrong. Locks: see `index_report`."""
    now = timezone.now()
    found = indexes_now(now)
    report = found.found
    purposes = report.judgement.purposes if report else {}
    context = {
        "now": now,
        "reason": found.reason,
        "rows": [(one, purposes[one.oid]) for one in report.facts.indexes] if report else [],
        "lines": report.lines if report else [],
        "findings": by_urgency(report.judgement.findings) if report else [],
    }
    return render(request, "database_indexes", context)


def indexes_now(now: datetime) -> Section[IndexReport]:
    """The report, or why there is none."""
    return look(
        "database_indexes",
        lambda: index_report(connections[database()], (), now, timeout_ms=STATEMENT_MS, measure=False),
    )
