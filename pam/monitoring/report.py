"""The state of a database on one page, for a change ticket: self-contained HTML, with charts, to be read or printed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import connections
from django.template.loader import render_to_string
from django.utils.safestring import mark_safe

from pam.explain.judge import Verdict
from pam.health.advice import Advice, Status
from pam.health.finding import Finding, by_urgency
from pam.health.settings import advise, dangers
from pam.monitoring.charts import growth_svg, months_svg
from pam.monitoring.examine import Examination, examine
from pam.monitoring.index_report import IndexReport, index_report
from pam.monitoring.section import Section, section
from pam.monitoring.settings_case import gather
from pam.monitoring.size_history import measure
from pam.monitoring.size_report import SizeReport
from pam.monitoring.size_report import report as size_report
from pam.monitoring.verdicts import require_tables, verdicts_on
from pam.postgres.index_usage import IndexUsage
from pam.workload import QUERIES


@dataclass(frozen=True)
class Report:
    """All sections; each is there whatever became of the others."""

    database: str
    server: str
    now: datetime
    state: Section[Examination]
    sizes: Section[SizeReport]
    indexes: Section[IndexReport]
    verdicts: Section[Sequence[Verdict]]
    advice: Section[Sequence[Advice]]
    findings: Sequence[Finding]

    @property
    def slow(self) -> list[Verdict]:
        """The named queries that do not keep their promise."""
        return [verdict for verdict in self.verdicts.found or () if not verdict.passes]

    @property
    def index_rows(self) -> list[tuple[IndexUsage, tuple[str, ...]]]:
        """Each index with what it is for."""
        found = self.indexes.found
        return [(one, found.judgement.purposes[one.oid]) for one in found.facts.indexes] if found else []

    @property
    def wanted(self) -> list[Advice]:
        """The settings that should be others."""
        return [one for one in self.advice.found or () if one.status is Status.CHANGE]


def report(alias: str, now: datetime, *, memory: int | None, budget: int | None) -> Report:
    """Gather all of it, as of the clock that is passed in. Read-only; the named queries are run, each for a minute.

    `memory` and `budget` in bytes, as `pam_settings` and `pam_sizes` take them. Locks: ACCESS SHARE.
    Raises what connecting does; all else is a sentence in its section.
    """
    connection = connections[alias]
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_catalog.current_database(), pg_catalog.current_setting('server_version')")
        database, server = cursor.fetchone()

    def verdicts() -> list[Verdict]:
        require_tables(alias)
        return verdicts_on(alias, QUERIES, analyze=True)

    state = section(lambda: examine(connection, now))
    sizes = section(lambda: size_report(alias, measure(alias), now, budget))
    indexes = section(lambda: index_report(connection, (), now))
    asked = section(verdicts)
    case = section(lambda: gather(alias, memory))
    advice = Section(advise(case.found)) if case.found else Section[Sequence[Advice]](None, case.reason)
    findings = by_urgency(
        [
            *(state.found.findings if state.found else ()),
            *(sizes.found.findings if sizes.found else ()),
            *(indexes.found.judgement.findings if indexes.found else ()),
            *(dangers(case.found) if case.found else ()),
        ]
    )
    return Report(database, server, now, state, sizes, indexes, asked, advice, findings)


def page(found: Report) -> str:
    """The report as HTML. What comes from the database is escaped; nothing is fetched from anywhere."""
    sizes, state = found.sizes.found, found.state.found
    charts = {
        "growth": growth_svg(sizes.curves, sizes.growth, sizes.ceilings) if sizes else "",
        "months": months_svg(state.months, found.now) if state else "",
    }
    # The library escapes what it writes.
    marked = {name: mark_safe(text) for name, text in charts.items()}  # noqa: S308
    return render_to_string("pam/report.html", {"report": found, **marked})
