"""Obstacles: everything that would stop a move, found at once, before anything is changed."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.backends.base.base import BaseDatabaseWrapper
from django.template.defaultfilters import filesizeformat
from psycopg2 import sql

from pam.postgres import activity, catalog, lock_table
from pam.postgres.catalog import Relation
from pam.postgres.disk import free
from pam.postgres.locks import CONFLICTS
from pam.postgres.online_copy import capture, disk
from pam.postgres.online_copy.build import span_of
from pam.postgres.online_copy.dress import read_dress
from pam.postgres.online_copy.month_steps import partitions
from pam.postgres.online_copy.move import (
    CHUNKS,
    FUNCTION,
    KEYS,
    OLD,
    RECORD,
    REFERENCED,
    STAGE,
    TARGET,
    Move,
    Span,
    suffixed,
)
from pam.postgres.partitioned_index import partition_index_name
from pam.postgres.sql import query

APPEND_ONLY = "pam_refuse_change_v1"
# The comment of what a later migration of ours hangs on the table: on the way back that migration goes first.
GOES_BEFORE = "menshun: comes after the conversion to months and goes before the way back"
WORKING = (TARGET, STAGE, OLD, KEYS, CHUNKS, RECORD)
# A transaction that has lasted so long already may well outlast every try to swap.
LONG = timedelta(minutes=1)
# What a slot in use may be behind, in bytes: a gigabyte.
MOST_WAL = 1 << 30
WITHOUT_MONTH = "{time} IS NULL OR NOT pg_catalog.isfinite({time}) OR {time} < '0001-01-01 00:00+00'"


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
    tables = [move.source, *catalog.partitions(connection, move.source)]
    # On the way back our own views go first, each by its migration; until the swap they may be read.
    found = [
        obstacle
        for table in tables
        for obstacle in hanging_on(connection, table, move.layout.time, our_views=move.to_months)
    ]
    with connection.cursor() as cursor:
        for month in tables[1:]:
            cursor.execute(query("obstacles", "of_a_month"), {"table": month.oid, "guard": APPEND_ONLY})
            found += [Obstacle(problem, cure) for problem, cure in cursor.fetchall()]
        for name in ("prepared", "slots"):
            cursor.execute(query("obstacles", name), {"most": MOST_WAL})
            found += [Obstacle(problem, cure) for problem, cure in cursor.fetchall()]
    found += _of_shape(connection, move) + _of_rows(connection, move) + _of_sessions(connection, move)
    found += of_disk(disk.needed(connection, move.source), free(connection))
    span = span_of(connection, move, now)
    if capture.recorded(connection, move) is None:
        # Of a move that is under way the names are taken by itself.
        found += _of_names(connection, move, span)
    return found + _of_lock_table(connection, move, span)


def hanging_on(
    connection: BaseDatabaseWrapper, table: Relation, time: str, *, our_views: bool = True
) -> list[Obstacle]:
    """What hangs on the table and would not come along, our own views among it unless it is said otherwise.

    Reads the catalog only, in some milliseconds.
    """
    facts: dict[str, int | str | bool] = {"table": table.oid, "time": time, "mark": GOES_BEFORE, "ours_too": our_views}
    with connection.cursor() as cursor:
        cursor.execute(query("obstacles", "in_the_catalog"), facts)
        return [Obstacle(problem, cure) for problem, cure in cursor.fetchall()]


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
            # A constraint of ours gets the time column; of this one nobody has said that it may.
            f"Drop it: DROP INDEX CONCURRENTLY {key.name}; or create it with {move.layout.time} as its last column.",
        )
        for key in dress.keys
        if move.to_months and key.unique and not key.constraint and move.layout.time not in key.columns
    ]
    found += [
        Obstacle(
            f"The UNIQUE constraint {key.name} lacks {move.layout.time}, which each one over partitions must have.",
            f"Drop it: ALTER TABLE {move.layout.table} DROP CONSTRAINT {key.name}; or add it with {move.layout.time} "
            "as its last column.",
        )
        for key in dress.keys
        if move.to_months
        and key.constraint == "u"
        and key.name not in move.layout.uniques
        and move.layout.time not in key.columns
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
    guards = _guards_off(connection, move)
    with connection.cursor() as cursor:
        cursor.execute(
            sql.SQL("SELECT count(*) FROM {} WHERE ").format(move.source.identifier)
            + sql.SQL(WITHOUT_MONTH).format(time=move.time)
        )
        (count,) = cursor.fetchone()
        if count and move.to_months:
            where = WITHOUT_MONTH.format(time=move.layout.time)
            found.append(
                Obstacle(
                    f"{count:,} rows have no month: their {move.layout.time} is NULL, infinity, or before the year 1.",
                    f"Give them a time, or delete them: WHERE {where}. {guards}".rstrip(),
                )
            )
        for columns in (move.layout.primary_key, *move.layout.uniques.values()):
            listed = sql.SQL(", ").join(map(sql.Identifier, columns))
            if not move.source.is_partitioned:
                continue
            twice = sql.SQL("SELECT {listed} FROM {} GROUP BY {listed} HAVING count(*) > 1").format(
                move.source.identifier, listed=listed
            )
            cursor.execute(sql.SQL("SELECT count(*), min(ROW({})::text) FROM ({}) twice").format(listed, twice))
            count, example = cursor.fetchone()
            if count:
                found.append(
                    Obstacle(
                        f"{count:,} values of ({', '.join(columns)}) are there more than once, such as {example}; the "
                        "plain table allows each once.",
                        f"Let one of each stay. They are: {twice.as_string(connection.connection)}. {guards}".rstrip(),
                    )
                )
    return found


def _guards_off(connection: BaseDatabaseWrapper, move: Move) -> str:
    """How the owner deletes from a table that refuses it: in one transaction, so that nobody else may meanwhile."""
    triggers = [trigger for trigger in read_dress(connection, move.source).triggers if trigger.function == APPEND_ONLY]
    if not triggers:
        return ""
    table, states = move.source, {"A": "ENABLE ALWAYS", "R": "ENABLE REPLICA"}
    off = [f"ALTER TABLE {table} DISABLE TRIGGER {trigger.name}" for trigger in triggers]
    on = [f"ALTER TABLE {table} {states.get(one.enabled, 'ENABLE')} TRIGGER {one.name}" for one in triggers]
    return f"It is append-only, so its owner runs: {'; '.join(['BEGIN', *off, 'DELETE ...', *on, 'COMMIT'])}."


def _of_names(connection: BaseDatabaseWrapper, move: Move, span: Span) -> list[Obstacle]:
    """Names that months, indexes and working tables are to have, and something else has."""
    dress = read_dress(connection, move.source)
    wanted = [suffixed(move.source.name, suffix) for suffix in WORKING]
    wanted += [suffixed(key.name, suffix) for key in dress.keys for suffix in (TARGET, OLD)]
    if move.to_months:
        for month in partitions(move, span):
            wanted += [month.name, *(partition_index_name(key.name, move.source, month) for key in dress.keys)]
    with connection.cursor() as cursor:
        functions = [suffixed(move.source.name, suffix) for suffix in (FUNCTION, REFERENCED)]
        cursor.execute(
            query("obstacles", "taken"), {"schema": move.source.schema, "names": wanted, "functions": functions}
        )
        return [
            Obstacle(
                f'The name "{name}" is taken.',
                f'Rename it: ALTER {kind} "{move.source.schema}"."{name}" RENAME TO ...; or drop it.',
            )
            for name, kind in cursor.fetchall()
        ]


def _of_lock_table(connection: BaseDatabaseWrapper, move: Move, span: Span) -> list[Obstacle]:
    """A statement over all months locks each, with its indexes, and the server has room for so many locks."""
    with connection.cursor() as cursor:
        cursor.execute(query("obstacles", "lock_table"))
        room = lock_table.room(*cursor.fetchone())
    count = len(partitions(move, span)) if move.to_months else len(catalog.partitions(connection, move.source))
    locks = lock_table.of_migration(count, len(read_dress(connection, move.source).keys))
    if locks <= room:
        return []
    return [
        Obstacle(
            f"A statement over {count} months takes some {locks:,} locks; the server has room for {room:,}.",
            "Raise max_locks_per_transaction and restart the server; or, if a few rows are much older than all others, "
            "see whether their times are right.",
        )
    ]


def _of_sessions(connection: BaseDatabaseWrapper, move: Move) -> list[Obstacle]:
    """Transactions that have held a lock on the table, or on one it references, for long already."""
    dress = read_dress(connection, move.source)
    used = [move.source, *catalog.partitions(connection, move.source), *dress.referenced]
    return [
        Obstacle(
            f"A transaction holds a lock on it, or on a table it references: {session}.",
            f"Wait for it, or end it: SELECT pg_terminate_backend({session.pid}).",
        )
        for session in activity.holding(connection, [table.oid for table in used], CONFLICTS["ACCESS EXCLUSIVE"])
        if session.pid and session.age and session.age > LONG
    ]


def of_disk(needed: int, free: int | None) -> list[Obstacle]:
    """Too little disk, where it is known how much there is. Bytes."""
    if free is None or free >= needed:
        return []
    return [
        Obstacle(
            f"It needs {filesizeformat(needed)} of disk, and {filesizeformat(free)} are free.",
            "Make room where the server keeps its data.",
        )
    ]
