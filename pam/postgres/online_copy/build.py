"""The statements that make the table as it shall be, under a name of its own; nobody uses it, so locks are free."""

from collections.abc import Iterable
from datetime import datetime

from django.conf import settings
from django.db import transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from psqlextra.partitioning.constants import AUTO_PARTITIONED_COMMENT
from psycopg2 import sql

from pam.postgres.months import Month
from pam.postgres.online_copy import dress as wardrobe
from pam.postgres.online_copy.dress import Dress
from pam.postgres.online_copy.move import TARGET, Move, Span, suffixed

DEFAULT_SUFFIX = "default"
DEFAULT = sql.SQL("DEFAULT")

# Proves a month's bound while it is attached; gone after that.
BOUND = "menshun_bound"


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
        *(line for key in dress.keys for line in wardrobe.remark(key, move.target, suffixed(key.name, TARGET))),
        *wardrobe.wear(move, dress, move.target),
    ]


def stage_table(move: Move) -> sql.Composed:
    """A partitioned table without indexes: through it the rows find their months."""
    return sql.SQL("CREATE TABLE {} (LIKE {} INCLUDING GENERATED) PARTITION BY RANGE ({})").format(
        move.stage, move.source.identifier, move.time
    )


def foreign_key(key: wardrobe.ForeignKey, table: sql.Identifier, *, validated: bool) -> sql.Composed:
    """Lock: SHARE ROW EXCLUSIVE on the referenced table and on `table`; grows with rows only if `validated`."""
    return sql.SQL("ALTER TABLE {} ADD CONSTRAINT {} {}{}").format(
        table, sql.Identifier(key.name), sql.SQL(key.definition), sql.SQL("" if validated else " NOT VALID")
    )


def validate(key: wardrobe.ForeignKey, table: sql.Identifier) -> sql.Composed:
    """Lock: ROW SHARE on the referenced table, SHARE UPDATE EXCLUSIVE on `table`: nobody waits while rows are read."""
    return sql.SQL("ALTER TABLE {} VALIDATE CONSTRAINT {}").format(table, sql.Identifier(key.name))


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


def prove_bound(move: Move, month: Month, table: sql.Identifier) -> sql.Composed:
    """A CHECK that says what the bound says, so that attaching the month does not read its rows. Grows with rows.

    Lock: ACCESS EXCLUSIVE on the month, which nobody uses yet.
    """
    return sql.SQL("ALTER TABLE {} ADD CONSTRAINT {} CHECK ({})").format(
        table, sql.Identifier(BOUND), within(move, month)
    )


def attach(move: Move, table: sql.Identifier, bound: sql.Composable, *, proved: bool) -> list[sql.Composed]:
    """The statements that take a month from the stage and give it to the new table.

    Lock: ACCESS EXCLUSIVE on the referenced table, whose triggers for the month's foreign key the server drops.
    """
    statements = [
        sql.SQL("ALTER TABLE {} DETACH PARTITION {}").format(move.stage, table),
        sql.SQL("ALTER TABLE {} ATTACH PARTITION {} {}").format(move.target, table, bound),
    ]
    if proved:
        statements.append(sql.SQL("ALTER TABLE {} DROP CONSTRAINT {}").format(table, sql.Identifier(BOUND)))
    return statements


def oldest(connection: BaseDatabaseWrapper, move: Move, now: datetime) -> Month:
    """The month of the oldest row; of `now` when there is none. Lock: ACCESS SHARE while the table is read once."""
    with connection.cursor() as cursor:
        # What has no month is an obstacle, told with all others.
        cursor.execute(
            sql.SQL("SELECT min({time}) FROM {} WHERE {time} >= '0001-01-01 00:00+00' AND {time} < {}").format(
                move.source.identifier, sql.Literal(now.isoformat()), time=move.time
            )
        )
        (time,) = cursor.fetchone()
    return Month.of(time or now)


def span_of(connection: BaseDatabaseWrapper, move: Move, now: datetime) -> Span:
    """The months from the oldest row to `PAM_PARTITION_PREMAKE` after `now`. Lock: ACCESS SHARE, read once."""
    last = Month.of(now).plus(settings.PAM_PARTITION_PREMAKE)
    return Span(min(oldest(connection, move, now), last), last)


def execute(connection: BaseDatabaseWrapper, statements: Iterable[sql.Composable]) -> None:
    """Run statements in one transaction."""
    with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
        # Who holds a lock while its commit waits for the disk makes others wait for the disk. A commit of a client
        # that is acknowledged later flushes this one too, and after a crash the step is found undone and done again.
        cursor.execute("SET LOCAL synchronous_commit = off")
        for statement in statements:
            cursor.execute(statement)
