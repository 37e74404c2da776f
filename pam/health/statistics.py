"""What the planner knows of the tables: where it is nothing, too little or too old, and where ANALYZE is due."""

from collections.abc import Collection, Iterator
from datetime import datetime, timedelta

from django.template.defaultfilters import filesizeformat

from pam.health.finding import Finding, Severity
from pam.postgres.server_state import TableStatistics

OLD = timedelta(days=30)
# Autovacuum analyzes after 50 rows and a tenth of the table, unless the server has it otherwise.
# https://www.postgresql.org/docs/current/routine-vacuuming.html#AUTOVACUUM
DUE_SHARE, DUE_ROWS = 0.1, 50
# So much says that it does not come.
LATE_SHARE, LATE_ROWS = 0.2, 1000
# Of so few bytes the planner needs no statistics, and autovacuum gathers none of a few rows.
SMALL = 1 << 20


def judge_statistics(tables: Collection[TableStatistics], alias: str, now: datetime) -> list[Finding]:
    """The findings on tables and partitions, as of the clock that is passed in. `alias`: for the cures."""
    cure = f"python manage.py pam_analyze --database {alias}"
    judged = (table for table in tables if table.bytes and table.is_readable)
    return [finding for table in judged for finding in _judge(table, tables, cure, now)]


def due(tables: Collection[TableStatistics]) -> list[TableStatistics]:
    """Those that ANALYZE would tell something new of, partitions before the table that they belong to.

    Autovacuum looks at partitions only, never at the whole, so that one is due when one of its partitions is, or was
    analyzed later than it.
    """
    parts = [table for table in tables if not table.is_partitioned and _is_due(table)]
    wholes = [
        table
        for table in tables
        if table.is_partitioned
        and table.bytes
        and (
            not table.has_statistics
            or table.analyzed_at is None
            or any(part in parts or _is_later(part, table) for part in tables if part.parent_oid == table.oid)
        )
    ]
    return [*parts, *wholes]


def _is_due(table: TableStatistics) -> bool:
    return table.bytes > 0 and (not table.has_statistics or table.changed > DUE_ROWS + DUE_SHARE * table.rows)


def _is_later(part: TableStatistics, whole: TableStatistics) -> bool:
    return (
        part.analyzed_at is not None
        and whole.analyzed_at is not None
        # The partitions of one ANALYZE follow each other within a moment.
        and part.analyzed_at > whole.analyzed_at + timedelta(minutes=1)
    )


def _judge(table: TableStatistics, tables: Collection[TableStatistics], cure: str, now: datetime) -> Iterator[Finding]:
    if not table.has_statistics:
        if table.bytes > SMALL or table.changed > LATE_ROWS:
            evidence = f"it has {filesizeformat(table.bytes)} of rows, and the planner knows nothing of their values"
            yield Finding("never-analyzed", Severity.WARNING, str(table), evidence, cure)
    elif table.changed > LATE_ROWS + LATE_SHARE * table.rows:
        evidence = f"{table.changed:,} rows were changed since it was analyzed, when it had {table.rows:,}"
        yield Finding("statistics-outdated", Severity.WARNING, str(table), evidence, cure)
    elif table.analyzed_at is not None and now - table.analyzed_at > OLD and _has_changed(table, tables):
        evidence = f"it has changed since it was analyzed, at {table.analyzed_at:%Y-%m-%d %H:%M %Z}"
        yield Finding("statistics-old", Severity.WARNING, str(table), evidence, cure)


def _has_changed(table: TableStatistics, tables: Collection[TableStatistics]) -> bool:
    if not table.is_partitioned:
        return table.changed > 0
    return any(part.changed > 0 or _is_later(part, table) for part in tables if part.parent_oid == table.oid)
