"""Rows that fell into the default partition move to the months that they are of."""

from django.db import Error
from django.db.backends.base.base import BaseDatabaseWrapper
from psycopg2 import sql

from pam.postgres import catalog, extended_statistics
from pam.postgres.catalog import Relation
from pam.postgres.errors import MenshunError
from pam.postgres.locks import with_locks
from pam.postgres.monthly import attach, explained, make_unattached, unattached
from pam.postgres.monthly_catalog import default_partition
from pam.postgres.months import Month
from pam.postgres.online_copy import dress as wardrobe
from pam.postgres.online_copy.build import DEFAULT_SUFFIX, execute
from pam.postgres.online_copy.dress import Dress, read_dress
from pam.postgres.online_copy.move import Move, suffixed
from pam.postgres.partitioned_index import partition_index_name

# What is drained is moved while readers and writers wait: some 100 ms at most.
MOST_DRAINED = 10_000
# Each month that is attached makes them wait a little longer; more months than these take several turns.
MONTHS_AT_ONCE = 12


class TooManyRows(MenshunError):
    """More rows than can be moved under a short lock."""


class RowsLost(MenshunError):
    """Not all rows arrived where they were sent; the transaction was undone."""


def months_in_default(connection: BaseDatabaseWrapper, move: Move) -> dict[Month, int]:
    """The months of the rows in the default partition, and how many rows each.

    Reads it: it should be nearly empty. Infinity and years that Python's calendar does not know have no month.
    """
    default = default_partition(connection, move.source)
    if default is None:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(
            sql.SQL(
                "SELECT extract(year FROM m)::int, extract(month FROM m)::int, rows FROM ("
                "SELECT pg_catalog.date_trunc('month', {time} AT TIME ZONE 'UTC') AS m, count(*) AS rows"
                " FROM {default} WHERE {time} >= '0001-01-01 00:00+00' AND {time} < '9999-12-01 00:00+00'"
                " GROUP BY 1) months ORDER BY m"
            ).format(time=move.time, default=default.identifier)
        )
        return {Month(year, month): rows for year, month, rows in cursor.fetchall()}


def drain(connection: BaseDatabaseWrapper, move: Move) -> int:
    """Move the rows of the default partition to their months, which are made; returns how many.

    In turns of MONTHS_AT_ONCE months, each one transaction: the default partition is detached, the months and a new
    default one come, the rows are inserted from the old one, which is then dropped. No row is deleted or updated, so
    that an append-only guard has nothing to refuse, and no reader sees a row twice or not at all; but to a transaction
    at REPEATABLE READ that began before and comes to the table afterwards, the rows that moved are missing. Locks:
    ACCESS EXCLUSIVE on the new months, on referenced tables, on the table and its default partition, asked for briefly
    in this order, held while at most MOST_DRAINED rows move. The months are made before the locks are asked for. Raises
    TooManyRows, RowsLost, MonthTaken, LockUnavailable.
    """
    found = months_in_default(connection, move)
    default = default_partition(connection, move.source)
    if default is None:
        return 0
    months = list(found)
    if months:
        _require_few(connection, default, last=months[-1])
    for first in range(0, len(months), MONTHS_AT_ONCE):
        _turn(connection, move, months[first : first + MONTHS_AT_ONCE])
    return sum(found.values())


def _require_few(connection: BaseDatabaseWrapper, default: Relation, last: Month) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql.SQL("SELECT count(*) FROM {}").format(default.identifier))
        (rows,) = cursor.fetchone()
    if rows > MOST_DRAINED:
        raise TooManyRows(
            f"{default} holds {rows:,} rows; more than {MOST_DRAINED:,} cannot be moved while others "
            "wait. Convert the table back and forth instead, which is done online: python manage.py migrate pam "
            f"0010_phase3_begin, then python manage.py migrate, with PAM_PARTITION_PREMAKE so large that it reaches "
            f"{last.year:04}-{last.month:02}, the last month of these rows."
        )


def _turn(connection: BaseDatabaseWrapper, move: Move, months: list[Month]) -> None:
    """Make these months, and move their rows to them; the others end in the new default partition."""
    default = default_partition(connection, move.source)
    if default is None:
        return
    dress = read_dress(connection, move.source)
    for month in months:
        make_unattached(connection, move, dress, month)
    old = sql.Identifier(default.schema, suffixed(move.source.name, "menshun_drained"))
    prepare = [
        sql.SQL("ALTER TABLE {} DETACH PARTITION {}").format(move.source.identifier, default.identifier),
        *_set_aside(connection, default, old),
        *(statement for month in months for statement in attach(move, month)),
        *_new_default(connection, move, dress),
    ]
    insert = sql.SQL("INSERT INTO {} ({columns}) SELECT {columns} FROM {}").format(
        move.source.identifier, old, columns=dress.column_list
    )
    finish = [sql.SQL("SET CONSTRAINTS ALL IMMEDIATE").format(), sql.SQL("DROP TABLE {}").format(old)]

    def move_rows() -> None:
        execute(connection, prepare)
        with connection.cursor() as cursor:
            cursor.execute(sql.SQL("SELECT count(*) FROM {}").format(old))
            (rows,) = cursor.fetchone()
            cursor.execute(insert)
            if cursor.rowcount != rows:
                # A trigger of somebody's swallowed rows: the old partition is not dropped, all is as it was.
                raise RowsLost(
                    f"Of {rows} rows of {default} only {cursor.rowcount} arrived in their months; nothing was changed. "
                    "Look at the table's INSERT triggers, then run it again: python manage.py pam_partitions drain"
                )
        execute(connection, finish)

    # The new months first: a dump may have begun that reads them.
    wanted = [(table, "ACCESS EXCLUSIVE") for table in unattached(connection, move, months)]
    wanted += [(key.references, "ACCESS EXCLUSIVE") for key in dress.foreign_keys]
    wanted += [(move.source, "ACCESS EXCLUSIVE"), (default, "ACCESS EXCLUSIVE")]
    try:
        with_locks(connection, wanted, move_rows)
    except Error as error:
        raise explained(error, move, months[0]) from error


def _set_aside(connection: BaseDatabaseWrapper, default: Relation, old: sql.Identifier) -> list[sql.Composed]:
    """The old default partition, its indexes and statistics make way for the names of the new one."""
    schema, name = old.strings
    statistics = [one.drop(default) for one in extended_statistics.ours(connection, default)]
    renames = [sql.SQL("ALTER TABLE {} RENAME TO {}").format(default.identifier, sql.Identifier(name))]
    for key in read_dress(connection, default).keys:
        renames.append(
            sql.SQL("ALTER INDEX {} RENAME TO {}").format(
                sql.Identifier(schema, key.name), sql.Identifier(suffixed(key.name, "menshun_drained"))
            )
        )
    return statistics + renames


def _new_default(connection: BaseDatabaseWrapper, move: Move, dress: Dress) -> list[sql.Composed]:
    table = Relation(0, move.source.schema, suffixed(move.source.name, DEFAULT_SUFFIX), catalog.PLAIN)
    like = sql.SQL("CREATE TABLE {} (LIKE {} INCLUDING ALL EXCLUDING INDEXES EXCLUDING STATISTICS)").format(
        table.identifier, move.source.identifier
    )
    guards = [trigger for trigger in dress.triggers if not trigger.for_each_row]
    return [
        like + wardrobe.options(dress),
        *(
            wardrobe.create_key(move, key, table.identifier, partition_index_name(key.name, move.source, table))
            for key in dress.keys
        ),
        *(statement for trigger in guards for statement in wardrobe.create_trigger(trigger, table.identifier)),
        *wardrobe.statistics(dress, table.identifier),
        *extended_statistics.for_partition(connection, move.source, table),
        *wardrobe.owned(dress, table.identifier),
        sql.SQL("ALTER TABLE {} ATTACH PARTITION {} DEFAULT").format(move.source.identifier, table.identifier),
    ]
