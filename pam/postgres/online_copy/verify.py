"""Verify: count and checksum of every month, live table against copy, at one moment."""

from logging import getLogger

from django.conf import settings
from django.db import Error, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from psycopg2 import sql

from pam.postgres.errors import sqlstate
from pam.postgres.locks import HOUR_MS, timeouts
from pam.postgres.online_copy.errors import NotEqual
from pam.postgres.online_copy.move import Move
from pam.postgres.online_copy.parallel import in_parallel

# A type without a hash of its own (json, say): such rows are compared as text.
UNDEFINED_FUNCTION = "42883"
HASH = sql.SQL("pg_catalog.hash_record_extended(ROW(t.*), 0)")
TEXT_HASH = sql.SQL("pg_catalog.hashtextextended(ROW(t.*)::text, 0)")

# A month is written as text once, not once for each of its rows; the server adds up bigint in 128 bits.
SUMS = sql.SQL(
    "SELECT month::text, rows, checksum FROM ("
    "SELECT pg_catalog.date_trunc('month', t.{time} AT TIME ZONE 'UTC'), count(*), sum({hash}) FROM {table} t"
    " WHERE NOT EXISTS (SELECT FROM {keys} k WHERE k.id = t.{key}) GROUP BY 1) sums (month, rows, checksum)"
)

ONE_MOMENT = "TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"
# The planner takes each row's time for a group of its own, and would sort whole rows by it. There are a few months: a
# hash table holds them, another one the keys. Each side has a session of its own, so helpers would only be in the way.
PLAN = (
    "SET LOCAL enable_sort = off",
    "SET LOCAL enable_nestloop = off",
    "SET LOCAL max_parallel_workers_per_gather = 0",
)

logger = getLogger("pam.migrations")

Sums = dict[str, tuple[int, int]]


def verify(connection: BaseDatabaseWrapper, move: Move) -> None:
    """Raise NotEqual unless both tables have the same rows, leaving out those whose keys wait to be replayed.

    Both sides are read in one snapshot, by a session each. The checksum does not depend on the order of rows.
    Locks: ACCESS SHARE on both while they are read once.
    """
    try:
        source, target = _both(connection, move, HASH)
    except Error as error:
        if sqlstate(error) != UNDEFINED_FUNCTION:
            raise
        source, target = _both(connection, move, TEXT_HASH)
    differences = [
        f"month {month[:7]}: {_shown(source.get(month))} in the live table, {_shown(target.get(month))} in the copy"
        for month in sorted(source.keys() | target.keys())
        if source.get(month) != target.get(month)
    ]
    if differences:
        raise NotEqual(str(move.source), differences)
    with connection.cursor() as cursor:
        cursor.execute(_note(move))
    logger.info("%s: the copy is verified, count and checksum of every month", move.source)


def statements(move: Move) -> list[sql.Composable]:
    """The two queries whose answers must be equal, and the note that they were."""
    return [
        sql.SQL("BEGIN {}").format(sql.SQL(ONE_MOMENT)),
        *map(sql.SQL, PLAN),
        _statement(move, move.source.identifier, HASH),
        _statement(move, move.target, HASH),
        sql.SQL("COMMIT"),
        _note(move),
    ]


def _note(move: Move) -> sql.Composed:
    return sql.SQL("UPDATE {} SET verified_at = pg_catalog.now()").format(move.record)


def _both(connection: BaseDatabaseWrapper, move: Move, how: sql.SQL) -> tuple[Sums, Sums]:
    """Side by side, at the moment of a snapshot that is held until both are read."""
    sides = {"live table": move.source.identifier, "copy": move.target}
    sums: dict[str, Sums] = {}
    with (
        timeouts(connection, lock_ms=HOUR_MS),
        transaction.atomic(using=connection.alias),
        connection.cursor() as cursor,
    ):
        cursor.execute(f"SET {ONE_MOMENT}")
        cursor.execute("SELECT pg_catalog.pg_export_snapshot()")
        (snapshot,) = cursor.fetchone()

        def add_up(own: BaseDatabaseWrapper, side: str) -> int:
            sums[side] = _sums(own, snapshot, _statement(move, sides[side], how))
            return len(sums[side])

        in_parallel(connection.alias, settings.PAM_COPY_WORKERS, sides, add_up, lambda _: None)
    return sums["live table"], sums["copy"]


def _statement(move: Move, table: sql.Identifier, how: sql.SQL) -> sql.Composed:
    return SUMS.format(time=move.time, key=move.key, keys=move.keys, table=table, hash=how)


def _sums(connection: BaseDatabaseWrapper, snapshot: str, statement: sql.Composed) -> Sums:
    with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
        cursor.execute(f"SET {ONE_MOMENT}")
        cursor.execute("SET TRANSACTION SNAPSHOT %s", [snapshot])
        for setting in PLAN:
            cursor.execute(setting)
        cursor.execute(statement)
        return {month: (count, int(checksum)) for month, count, checksum in cursor.fetchall()}


def _shown(sums: tuple[int, int] | None) -> str:
    return "no row" if sums is None else f"{sums[0]:,} rows, checksum {sums[1]}"
