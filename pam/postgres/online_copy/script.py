"""The statements of a move in their order, each with its lock: what a DBA reads, and may run on an idle copy."""

from collections.abc import Iterator
from datetime import datetime

from django.conf import settings
from django.db.backends.base.base import BaseDatabaseWrapper
from psycopg2 import sql

from pam.postgres import catalog
from pam.postgres.catalog import Relation
from pam.postgres.months import Month, months
from pam.postgres.online_copy import build, capture, finishing, rows, swap
from pam.postgres.online_copy import dress as wardrobe
from pam.postgres.online_copy.dress import Dress, read_dress
from pam.postgres.online_copy.engine import is_done
from pam.postgres.online_copy.move import TARGET, Layout, Move, suffixed
from pam.postgres.partitioned_index import partition_index_name

Line = tuple[sql.Composable, str]

NOBODY = "Lock: on a table that nobody uses yet."


def statements(
    connection: BaseDatabaseWrapper, layout: Layout, to_months: bool, now: datetime
) -> Iterator[tuple[str, list[str]]]:
    """Each statement as text with the comments above it, for the table as it is now. Changes nothing.

    Locks: ACCESS SHARE on the table, which is read once for its oldest row.
    """
    connection.ensure_connection()
    source = catalog.relation(connection, layout.table)
    if source is None:
        yield (
            "SELECT 1",
            [f"{layout.table} is not there yet. The statements depend on what it wears: ask again when it is."],
        )
        return
    move = Move(source, layout, to_months)
    if is_done(connection, move):
        yield "SELECT 1", [f"{layout.table} is what it shall be already; nothing is done."]
        return
    dress = read_dress(connection, source)
    lines = _to_months(connection, move, dress, now) if to_months else _to_plain(connection, move, dress)
    for statement, comment in lines:
        yield statement.as_string(connection.connection), [comment]


def _to_months(connection: BaseDatabaseWrapper, move: Move, dress: Dress, now: datetime) -> Iterator[Line]:
    yield from _capture(connection, move, dress)
    for statement in build.target_table(move, dress):
        yield statement, NOBODY
    for key in dress.foreign_keys:
        yield (
            build.foreign_key(key, move.target, validated=True),
            f"Lock: SHARE ROW EXCLUSIVE on {key.references}, for a moment.",
        )
    last = Month.of(now).plus(settings.PAM_PARTITION_PREMAKE)
    oldest = build.oldest(connection, move, now)
    wanted: dict[str, sql.Composable] = {month.suffix: build.bounds(month) for month in months(min(oldest, last), last)}
    wanted[build.DEFAULT_SUFFIX] = sql.SQL("DEFAULT")
    for suffix, bound in wanted.items():
        for statement in build.new_partition(move, dress, suffix, bound):
            yield statement, NOBODY
    yield (
        rows.copy_statement(move, dress, move.source.identifier, sql.SQL("")),
        f"Lock: ACCESS SHARE on {move.source}, as a reader. What runs copies it in chunks, several at once.",
    )
    for suffix, bound in wanted.items():
        yield from _month(move, dress, suffix, bound)
    yield from _swap(move, dress)
    yield (
        sql.SQL("ANALYZE {}").format(move.source.identifier),
        "Lock: SHARE UPDATE EXCLUSIVE: no reader or writer waits.",
    )
    yield from _finish(move, dress, [])


def _month(move: Move, dress: Dress, suffix: str, bound: sql.Composable) -> Iterator[Line]:
    month = Relation(0, move.source.schema, suffixed(move.source.name, suffix), catalog.PLAIN)
    for key in dress.keys:
        name = partition_index_name(key.name, move.source, month)
        yield wardrobe.create_key(move, key, month.identifier, name), NOBODY
    for trigger in dress.triggers:
        if not trigger.for_each_row:
            for statement in wardrobe.create_trigger(trigger, month.identifier):
                yield statement, NOBODY
    yield from _foreign_keys(dress, month.identifier)
    yield sql.SQL("VACUUM (ANALYZE) {}").format(month.identifier), NOBODY
    yield sql.SQL("ALTER TABLE {} DETACH PARTITION {}").format(move.stage, month.identifier), NOBODY
    adopted = ", ".join(f"ACCESS EXCLUSIVE on {key.references}" for key in dress.foreign_keys)
    yield (
        sql.SQL("ALTER TABLE {} ATTACH PARTITION {} {}").format(move.target, month.identifier, bound),
        f"Lock: {adopted}, for a moment: what runs asks for 50 ms and proves the bound by a CHECK before."
        if adopted
        else NOBODY,
    )


def _to_plain(connection: BaseDatabaseWrapper, move: Move, dress: Dress) -> Iterator[Line]:
    parts = catalog.partitions(connection, move.source)
    yield from _capture(connection, move, dress)
    for statement in build.target_table(move, dress):
        yield statement, NOBODY
    for part in parts:
        yield (
            rows.copy_statement(move, dress, part.identifier, sql.SQL("")),
            f"Lock: ACCESS SHARE on {part}, as a reader. What runs copies it in chunks, several at once.",
        )
    for key in dress.keys:
        yield wardrobe.create_key(move, key, move.target, suffixed(key.name, TARGET)), NOBODY
    for trigger in dress.triggers:
        for statement in wardrobe.create_trigger(trigger, move.target):
            yield statement, NOBODY
    yield from _foreign_keys(dress, move.target)
    yield sql.SQL("VACUUM (ANALYZE) {}").format(move.target), NOBODY
    yield from _swap(move, dress)
    yield from _finish(move, dress, parts)


def _capture(connection: BaseDatabaseWrapper, move: Move, dress: Dress) -> Iterator[Line]:
    for statement in capture.working_tables(connection, move, dress):
        yield statement, NOBODY
    for statement in capture.triggers(move, catalog.partitions(connection, move.source)):
        yield statement, f"Lock: SHARE ROW EXCLUSIVE on {move.source}, asked for 50 ms at a time, held for a moment."


def _foreign_keys(dress: Dress, table: sql.Identifier) -> Iterator[Line]:
    for key in dress.foreign_keys:
        yield (
            build.foreign_key(key, table, validated=False),
            f"Lock: SHARE ROW EXCLUSIVE on {key.references}, asked for 50 ms at a time, held for a moment.",
        )
        yield finishing.validate(key, table), f"Lock: ROW SHARE on {key.references}: nobody waits while rows are read."


def _swap(move: Move, dress: Dress) -> Iterator[Line]:
    lock = f"Lock: ACCESS EXCLUSIVE on {move.source}, asked for 50 ms at a time; some ms, whatever the rows and months."
    yield sql.SQL("BEGIN"), "What runs replays the captured keys first, compares count and checksum of every month."
    yield sql.SQL("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE").format(move.source.identifier), lock
    for statement in swap.renames(move, dress):
        yield statement, lock
    yield sql.SQL("COMMIT"), "Lock: all are given back."


def _finish(move: Move, dress: Dress, months_of_old: list[Relation]) -> Iterator[Line]:
    for month in months_of_old:
        yield sql.SQL("DROP TABLE {}").format(month.identifier), "Lock: on the old table, which nobody uses any more."
    for key in dress.foreign_keys:
        yield (
            sql.SQL("ALTER TABLE {} DROP CONSTRAINT {}").format(move.old, sql.Identifier(key.name)),
            f"Lock: ACCESS EXCLUSIVE on {key.references}, asked for 50 ms at a time, held for a moment.",
        )
    for table in (move.old, *((move.stage,) if move.to_months else ()), move.keys, move.chunks):
        yield sql.SQL("DROP TABLE {}").format(table), "Lock: on a table that nobody uses any more."
    yield sql.SQL("DROP FUNCTION {}()").format(move.function), "Lock: none on any table."
    yield sql.SQL("DROP TABLE {}").format(move.record), "Lock: on a table that nobody uses any more."
