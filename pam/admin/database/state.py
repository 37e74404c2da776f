"""The first page: phases, migrations and findings, as `pam_status` says them, and a line about each other page."""

from collections.abc import Sequence
from datetime import datetime

from django.db import connections
from django.http import HttpRequest, HttpResponse
from django.template.defaultfilters import filesizeformat, pluralize
from django.utils import timezone

from pam.admin.database import queries, settings
from pam.admin.database.indexes import indexes_now
from pam.admin.database.page import PAGES, STATEMENT_MS, Page, database, look, render
from pam.admin.database.sizes import sizes_now
from pam.health.finding import Finding, by_urgency
from pam.health.months import told
from pam.monitoring.examine import Examination, examine
from pam.monitoring.section import Section
from pam.monitoring.size_report import growth_told


def state(request: HttpRequest) -> HttpResponse:
    """What is applied, what is wrong with its cure, and how the rest is. Locks: those of `examine` and its like."""
    now = timezone.now()
    found = look("database", lambda: examine(connections[database()], now, statement_ms=STATEMENT_MS))
    findings = by_urgency(found.found.findings) if found.found else []
    context = {"now": now, "state": found.found, "reason": found.reason, "findings": findings}
    return render(request, "database", {**context, "lines": _lines(found, now)})


def _lines(state: Section[Examination], now: datetime) -> list[tuple[Page, Sequence[str]]]:
    """Each other page with what is to be said of it here; a database that does not answer is not asked again."""
    unknown = ["Not asked, since the first question had no answer."]
    told_of = {
        "database_partitions": [told(table, now) for table in state.found.months] if state.found else unknown,
        "database_indexes": _indexes(now) if state.found else unknown,
        "database_sizes": _sizes(now) if state.found else unknown,
        "database_queries": queries.in_short(),
        "database_settings": settings.in_short(),
    }
    return [(page, told_of[page.name]) for page in PAGES if page.name in told_of]


def _indexes(now: datetime) -> list[str]:
    found = indexes_now(now)
    if found.found is None:
        return [found.reason]
    return [f"{len(found.found.facts.indexes):,} indexes; {_findings(found.found.judgement.findings)}"]


def _sizes(now: datetime) -> list[str]:
    found = sizes_now(now)
    if found.found is None:
        return [found.reason]
    growth = found.found.growth
    line = f"{filesizeformat(found.found.measured.bytes)}, {growth_told(growth) if growth else 'growth not known yet'}"
    return [f"{line}; {_findings(found.found.findings)}"]


def _findings(findings: Sequence[Finding]) -> str:
    return f"{len(findings):,} finding{pluralize(len(findings))}" if findings else "no findings"
