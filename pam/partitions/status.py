"""What a monthly table looks like now: its months, or how far its conversion is."""

from dataclasses import dataclass
from datetime import datetime

from django.db import ProgrammingError
from psycopg2 import sql

from pam.partitions import plan
from pam.partitions.tables import Table
from pam.postgres.errors import UNDEFINED_TABLE, sqlstate
from pam.postgres.monthly_catalog import months_of
from pam.postgres.online_copy import capture
from pam.postgres.online_copy.replay import waiting


@dataclass(frozen=True)
class MonthStatus:
    """A partition; `rows` is the estimate of its statistics, unless the exact number was asked for."""

    name: str
    bound: str
    rows: int
    bytes: int
    state: str
    made_by_us: bool


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


def status(table: Table, *, exact: bool = False) -> TableStatus:
    """The state of one table, read from the catalog and the conversion's records. Takes no lock that anybody feels.

    With `exact` the rows of each partition are counted, which reads them all.
    """
    try:
        return _status(table, exact=exact)
    except ProgrammingError as error:
        if sqlstate(error) != UNDEFINED_TABLE:
            raise
        # A run ended while it was looked at, and took its records along.
        return _status(table, exact=exact)


def _status(table: Table, *, exact: bool) -> TableStatus:
    move = table.move
    state = "partitioned" if move.source.is_partitioned else "plain"
    record = capture.recorded(table.connection, move)
    months = tuple(
        MonthStatus(one.relation.name, one.bound, one.rows, one.bytes, one.state, one.is_ours)
        for one in months_of(table.connection, move.source, exact=exact)
    )
    if record is None:
        return TableStatus(str(move.source), state, months)
    with table.connection.cursor() as cursor:
        cursor.execute(
            sql.SQL("SELECT count(rows), count(*), coalesce(sum(rows), 0)::bigint FROM {}").format(move.chunks)
        )
        done, chunks, rows = cursor.fetchone()
    verified = record.verified_at.isoformat() if record.verified_at else None
    return TableStatus(
        str(move.source), "converting", months, done, chunks, rows, waiting(table.connection, move), verified
    )


def months_ahead(table: Table, now: datetime) -> int:
    """How many months after that of `now` are there, without a gap; -1 if that of `now` is missing."""
    there = months_of(table.connection, table.move.source)
    return plan.months_ahead({one.month for one in there if one.month and not one.is_pending}, now)
