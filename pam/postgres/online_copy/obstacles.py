"""Obstacles: everything that would stop a move, found at once, before anything is changed."""

from dataclasses import dataclass
from datetime import datetime

from django.db.backends.base.base import BaseDatabaseWrapper
from psycopg2 import sql

from pam.postgres.months import Month, months
from pam.postgres.online_copy.dress import read_dress
from pam.postgres.online_copy.move import RECORD, Move, suffixed
from pam.postgres.sql import query

# Locks that a statement over all months takes for each: the month and its indexes.
APPEND_ONLY = "pam_refuse_change_v1"


@dataclass(frozen=True)
class Obstacle:
    """What is in the way, and what removes it."""

    problem: str
    cure: str

    def __str__(self) -> str:
        return f"{self.problem} {self.cure}"


def find(connection: BaseDatabaseWrapper, move: Move, now: datetime) -> list[Obstacle]:
    """All obstacles, in the order of the list; empty if the move can begin. Changes nothing.

    Locks: ACCESS SHARE on the table, which is read once for its times and once for keys that are twice there.
    """
    with connection.cursor() as cursor:
        cursor.execute(query("obstacles", "in_the_catalog"), {"table": move.source.oid, "time": move.layout.time})
        found = [Obstacle(problem, cure) for problem, cure in cursor.fetchall()]
    return found + _of_shape(connection, move) + _of_rows(connection, move) + _of_names(connection, move, now)


def _of_shape(connection: BaseDatabaseWrapper, move: Move) -> list[Obstacle]:
    dress = read_dress(connection, move.source)
    found = [
        Obstacle(
            f"The trigger {trigger.name} would run again for each row that is copied.",
            f"Drop it before, and create it again afterwards: it was {trigger.head} ON ... {trigger.tail}.",
        )
        for trigger in dress.triggers
        if trigger.function != APPEND_ONLY
    ]
    found += [
        Obstacle(
            f"The unique index {key.name} lacks {move.layout.time}, which each one over partitions must have.",
            f"Drop it, or make it a constraint: ALTER TABLE {move.layout.table} ADD UNIQUE USING INDEX {key.name}.",
        )
        for key in dress.keys
        if move.to_months and key.unique and not key.constraint and move.layout.time not in key.columns
    ]
    found += [
        Obstacle(
            f"The column {column.name} is an identity column, whose sequence belongs to the table.",
            f"Give it a default instead: ALTER TABLE {move.layout.table} ALTER COLUMN {column.name} DROP IDENTITY.",
        )
        for column in dress.columns
        if column.identity
    ]
    if not any(key.constraint == "p" for key in dress.keys):
        found.append(
            Obstacle(
                "It has no primary key, by which a changed row could be found.", "ALTER TABLE ... ADD PRIMARY KEY."
            )
        )
    return found


def _of_rows(connection: BaseDatabaseWrapper, move: Move) -> list[Obstacle]:
    """Times without a month; keys that are unique only together with the time."""
    found: list[Obstacle] = []
    with connection.cursor() as cursor:
        cursor.execute(
            sql.SQL("SELECT count(*) FROM {} WHERE {time} IS NULL OR NOT pg_catalog.isfinite({time})").format(
                move.source.identifier, time=move.time
            )
        )
        (count,) = cursor.fetchone()
        if count:
            found.append(
                Obstacle(
                    f"{count:,} rows have no month: their {move.layout.time} is NULL or infinity.",
                    f"Give them a time, or delete them: WHERE {move.layout.time} IS NULL OR NOT"
                    f" isfinite({move.layout.time}).",
                )
            )
        for columns in (move.layout.primary_key, *move.layout.uniques.values()):
            listed = sql.SQL(", ").join(map(sql.Identifier, columns))
            if not move.source.is_partitioned:
                continue
            cursor.execute(
                sql.SQL(
                    "SELECT count(*), min(ROW({listed})::text) FROM (SELECT {listed} FROM {} GROUP BY {listed}"
                    " HAVING count(*) > 1) twice"
                ).format(move.source.identifier, listed=listed)
            )
            count, example = cursor.fetchone()
            if count:
                found.append(
                    Obstacle(
                        f"{count:,} values of ({', '.join(columns)}) are there more than once, such as {example}; the "
                        "plain table allows each once.",
                        "Settle these rows first.",
                    )
                )
    return found


def _of_names(connection: BaseDatabaseWrapper, move: Move, now: datetime) -> list[Obstacle]:
    """Names that months and working tables are to have, and something else has."""
    if not move.to_months:
        return []
    with connection.cursor() as cursor:
        cursor.execute(sql.SQL("SELECT min({}) FROM {}").format(move.time, move.source.identifier))
        (oldest,) = cursor.fetchone()
        last = Month.of(now).plus(12)
        wanted = [suffixed(move.source.name, month.suffix) for month in months(min(_month(oldest, now), last), last)]
        wanted += [suffixed(move.source.name, suffix) for suffix in ("default", "menshun_new", "menshun_stage", RECORD)]
        cursor.execute(query("obstacles", "taken"), {"schema": move.source.schema, "names": wanted})
        found = [
            Obstacle(
                f'The name "{name}" is taken.',
                f'Rename it: ALTER TABLE "{move.source.schema}"."{name}" RENAME TO ...; or drop it.',
            )
            for (name,) in cursor.fetchall()
        ]
        cursor.execute(query("obstacles", "lock_table"))
        room = int(cursor.fetchone()[0])
    locks = len(wanted) * (len(read_dress(connection, move.source).keys) + 3)
    if locks > room:
        found.append(
            Obstacle(
                f"A statement over {len(wanted)} months takes some {locks:,} locks; the server has room for {room:,}.",
                "Raise max_locks_per_transaction and restart the server.",
            )
        )
    return found


def _month(oldest: datetime | None, now: datetime) -> Month:
    return Month.of(oldest or now)
