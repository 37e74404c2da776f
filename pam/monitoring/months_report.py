"""The months of the monthly tables, and how far a conversion is: gathered, and judged."""

from dataclasses import dataclass
from datetime import datetime

from django.db.backends.base.base import BaseDatabaseWrapper

from pam.health.finding import Finding
from pam.health.months import MonthlyFacts, judge_months
from pam.monitoring.examine import monthly_facts
from pam.partitions.status import TableStatus, status
from pam.partitions.tables import tables
from pam.postgres import catalog
from pam.postgres.locks import read_only


@dataclass(frozen=True)
class MonthsReport:
    """Each table that is there, as `pam_status` and as `pam_partitions status` see it, at one time."""

    tables: tuple[tuple[MonthlyFacts, TableStatus], ...]
    findings: tuple[Finding, ...]

    @property
    def facts(self) -> list[MonthlyFacts]:
        return [facts for facts, _ in self.tables]

    @property
    def is_converting(self) -> bool:
        """Whether a conversion of any of them has begun and not ended."""
        return any(facts.is_converting for facts in self.facts)


def months_report(connection: BaseDatabaseWrapper, now: datetime, *, statement_ms: int) -> MonthsReport:
    """The months as of the clock that is passed in, each statement within so many milliseconds (SQLSTATE 57014).

    Read-only. Locks: ACCESS SHARE on the default partitions, which are read, and on the records of a conversion. A swap
    that ends meanwhile takes these records away: UNDEFINED_TABLE, and all is well at the next look.
    """
    with read_only(connection, statement_ms):
        facts = monthly_facts(connection)
        there = [table for table in tables(connection.alias) if catalog.relation(connection, table.layout.table)]
        found = tuple(zip(facts, map(status, there), strict=True))
    return MonthsReport(found, tuple(finding for table in facts for finding in judge_months(table, now)))
