"""What a monthly table looks like now: its months, or how far its conversion is."""

from dataclasses import dataclass
from datetime import datetime

from psycopg2 import sql

from pam.partitions.tables import Table
from pam.postgres import catalog
from pam.postgres.months import Month
from pam.postgres.online_copy import capture
from pam.postgres.online_copy.replay import waiting

MONTHS = """
SELECT c.relname, pg_catalog.pg_get_expr(c.relpartbound, c.oid), greatest(c.reltuples, 0)::bigint,
    pg_catalog.pg_total_relation_size(c.oid), CASE WHEN i.inhdetachpending THEN 'detach pending' ELSE 'attached' END
FROM pg_catalog.pg_inherits i JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid
WHERE i.inhparent = %s
ORDER BY pg_catalog.pg_get_expr(c.relpartbound, c.oid) = 'DEFAULT', c.relname
"""


@dataclass(frozen=True)
class MonthStatus:
    """A partition; `rows` is the estimate of its statistics."""

    name: str
    bound: str
    rows: int
    bytes: int
    state: str


@dataclass(frozen=True)
class TableStatus:
    """A table: "plain", "converting" or "partitioned", and what belongs to that."""

    table: str
    state: str
    months: tuple[MonthStatus, ...] = ()
    chunks_done: int = 0
    chunks: int = 0
    rows_copied: int = 0
    keys_waiting: int = 0
    verified_at: str | None = None


def status(table: Table) -> TableStatus:
    """The state of one table, read from the catalog and the conversion's records. Takes no lock that anybody feels."""
    move = table.move
    state = "partitioned" if move.source.is_partitioned else "plain"
    record = capture.recorded(table.connection, move)
    with table.connection.cursor() as cursor:
        cursor.execute(MONTHS, [move.source.oid])
        months = tuple(MonthStatus(*row) for row in cursor.fetchall())
        if record is None:
            return TableStatus(str(move.source), state, months)
        cursor.execute(
            sql.SQL("SELECT count(rows), count(*), coalesce(sum(rows), 0)::bigint FROM {}").format(move.chunks)
        )
        done, chunks, rows = cursor.fetchone()
    verified = record[2].isoformat() if record[2] else None
    return TableStatus(
        str(move.source), "converting", months, done, chunks, rows, waiting(table.connection, move), verified
    )


def months_ahead(table: Table, now: datetime) -> int:
    """How many months after that of `now` are there, without a gap; -1 if that of `now` is missing."""
    move = table.move
    have = {part.name for part in catalog.partitions(table.connection, move.source)}
    month, count = Month.of(now), -1
    while move.named(month.suffix).strings[-1] in have:
        month, count = month.plus(1), count + 1
    return count
