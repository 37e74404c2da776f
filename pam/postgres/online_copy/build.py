"""Build: the table as it shall be, empty, under a name of its own. Nobody uses it, so its locks cost nothing."""

from datetime import datetime

from django.db import transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from psqlextra.partitioning.constants import AUTO_PARTITIONED_COMMENT
from psycopg2 import sql

from pam.postgres import catalog
from pam.postgres.locks import with_locks
from pam.postgres.months import Month, months
from pam.postgres.online_copy import dress as wardrobe
from pam.postgres.online_copy.dress import Dress
from pam.postgres.online_copy.move import TARGET, Move, suffixed

DEFAULT_SUFFIX = "default"


def bounds(month: Month) -> sql.Composed:
    """The partition bound of a month: half-open, midnight UTC, with its offset."""
    return sql.SQL("FOR VALUES FROM ({}) TO ({})").format(_text(month.start), _text(month.end))


def within(move: Move, month: Month) -> sql.Composed:
    """The condition that a row lies in the month."""
    return sql.SQL("{time} >= {start} AND {time} < {end}").format(
        time=move.time, start=_text(month.start), end=_text(month.end)
    )


def _text(time: datetime) -> sql.Composable:
    return sql.Literal(time.isoformat(sep=" "))


def partition(move: Move, suffix: str) -> sql.Identifier:
    """The final name of a month, or of the default partition."""
    return move.named(suffix)


def target_table(move: Move, dress: Dress) -> list[sql.Composed]:
    """The statements that make the target: partitioned with its keys, indexes and guards; plain without indexes."""
    like = sql.SQL("CREATE TABLE {} (LIKE {} INCLUDING ALL EXCLUDING INDEXES EXCLUDING STATISTICS)").format(
        move.target, move.source.identifier
    )
    if not move.to_months:
        return [like + wardrobe.options(dress), *wardrobe.wear(move, dress, move.target)]
    return [
        like + sql.SQL(" PARTITION BY RANGE ({})").format(move.time),
        *(wardrobe.create_key(move, key, move.target, suffixed(key.name, TARGET)) for key in dress.keys),
        *(statement for trigger in dress.triggers for statement in wardrobe.create_trigger(trigger, move.target)),
        *(line for key in dress.keys for line in wardrobe.index_comment(move, key, suffixed(key.name, TARGET))),
        *wardrobe.wear(move, dress, move.target),
        sql.SQL("CREATE TABLE {} (LIKE {} INCLUDING GENERATED) PARTITION BY RANGE ({})").format(
            move.stage, move.source.identifier, move.time
        ),
    ]


def foreign_key(key: wardrobe.ForeignKey, table: sql.Identifier, *, validated: bool) -> sql.Composed:
    """Lock: SHARE ROW EXCLUSIVE on the referenced table and on `table`; grows with rows only if `validated`."""
    return sql.SQL("ALTER TABLE {} ADD CONSTRAINT {} {}{}").format(
        table, sql.Identifier(key.name), sql.SQL(key.definition), sql.SQL("" if validated else " NOT VALID")
    )


def new_partition(move: Move, dress: Dress, suffix: str, bound: sql.Composable) -> list[sql.Composed]:
    """The statements that make one partition and let the stage send rows to it."""
    table = partition(move, suffix)
    return [
        sql.SQL("CREATE TABLE {} (LIKE {} INCLUDING ALL EXCLUDING INDEXES EXCLUDING STATISTICS)").format(
            table, move.target
        )
        + wardrobe.options(dress),
        *wardrobe.statistics(dress, table),
        *wardrobe.owned(dress, table),
        *([] if suffix == DEFAULT_SUFFIX else [marked(table)]),
        sql.SQL("ALTER TABLE {} ATTACH PARTITION {} {}").format(move.stage, table, bound),
    ]


def marked(table: sql.Identifier) -> sql.Composed:
    """The mark by which django-postgres-extra knows the months that it may look after."""
    return sql.SQL("COMMENT ON TABLE {} IS {}").format(table, sql.Literal(AUTO_PARTITIONED_COMMENT))


def build(connection: BaseDatabaseWrapper, move: Move, dress: Dress, now: datetime, premake: int) -> None:
    """Make the target; to months also the stage with all months from the oldest row to `premake` months after `now`.

    Locks: ACCESS SHARE on the live table for a moment; for each foreign key SHARE ROW EXCLUSIVE on the referenced
    table, asked for briefly. One transaction for each table: what is there already is kept.
    """
    if not _exists(connection, move.target):
        execute(connection, target_table(move, dress))
    if not move.to_months:
        return
    _add_foreign_keys(connection, move, dress)
    last = Month.of(now).plus(premake)
    wanted: dict[str, sql.Composable] = {
        month.suffix: bounds(month) for month in months(min(oldest(connection, move, now), last), last)
    }
    wanted[DEFAULT_SUFFIX] = sql.SQL("DEFAULT")
    for suffix, bound in wanted.items():
        if not _exists(connection, partition(move, suffix)):
            execute(connection, new_partition(move, dress, suffix, bound))


def _add_foreign_keys(connection: BaseDatabaseWrapper, move: Move, dress: Dress) -> None:
    """While the target is empty: a partition that has the key already is adopted later without a look at its rows."""
    target = catalog.relation(connection, move.target.as_string(connection.connection))
    if target is None:
        return
    have = {key.name for key in wardrobe.read_dress(connection, target).foreign_keys}
    for key in dress.foreign_keys:
        if key.name not in have:
            statement = foreign_key(key, move.target, validated=True)

            def add(statement: sql.Composed = statement) -> None:
                with connection.cursor() as cursor:
                    cursor.execute(statement)

            with_locks(connection, [(key.references, "SHARE ROW EXCLUSIVE")], add)


def oldest(connection: BaseDatabaseWrapper, move: Move, now: datetime) -> Month:
    """The month of the oldest row; of `now` when there is none. Lock: ACCESS SHARE while the table is read once."""
    with connection.cursor() as cursor:
        cursor.execute(sql.SQL("SELECT min({}) FROM {}").format(move.time, move.source.identifier))
        (time,) = cursor.fetchone()
    return Month.of(min(time or now, now))


def _exists(connection: BaseDatabaseWrapper, name: sql.Identifier) -> bool:
    return catalog.relation(connection, name.as_string(connection.connection)) is not None


def execute(connection: BaseDatabaseWrapper, statements: list[sql.Composed]) -> None:
    """Run statements in one transaction."""
    with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
        # Who holds a lock while its commit waits for the disk makes others wait for the disk. A commit of a client
        # that is acknowledged later flushes this one too, and after a crash the step is found undone and done again.
        cursor.execute("SET LOCAL synchronous_commit = off")
        for statement in statements:
            cursor.execute(statement)
