"""Months of a partitioned table that is in use: one comes, one is retired, and the default partition is drained.

The names, indexes and guards are those that a conversion gives its months (`pam.postgres.online_copy`).
"""

from datetime import datetime
from functools import partial

from django.db import Error
from django.db.backends.base.base import BaseDatabaseWrapper
from psqlextra.partitioning.constants import AUTO_PARTITIONED_COMMENT
from psycopg2 import sql

from pam.postgres import catalog
from pam.postgres.catalog import Relation
from pam.postgres.errors import MenshunError, NameTaken, sqlstate
from pam.postgres.locks import with_locks
from pam.postgres.months import Month
from pam.postgres.online_copy import dress as wardrobe
from pam.postgres.online_copy.build import DEFAULT_SUFFIX, bounds, execute
from pam.postgres.online_copy.dress import Dress, read_dress
from pam.postgres.online_copy.move import Move, suffixed
from pam.postgres.partitioned_index import partition_index_name

CHECK_VIOLATION = "23514"
# A month that was made and not attached yet; a run that finds one makes it anew.
UNFINISHED = "menshun: a month in the making"
# What is drained is moved while readers and writers wait: some 100 ms at most.
MOST_DRAINED = 10_000


class DefaultHasRows(MenshunError):
    """A month cannot be attached while the default partition holds rows of it."""


class TooManyRows(MenshunError):
    """More rows than can be moved under a short lock."""


def add_month(connection: BaseDatabaseWrapper, move: Move, month: Month) -> bool:
    """Make sure that the partitioned table has `month`; returns whether it was made now.

    Locks: SHARE UPDATE EXCLUSIVE on the table, SHARE ROW EXCLUSIVE on a referenced one, ACCESS EXCLUSIVE on the default
    partition, which is read: asked for briefly, held for a moment. Raises NameTaken, LockUnavailable, DefaultHasRows.
    """
    name = move.named(month.suffix)
    found = catalog.relation(connection, name.as_string(connection.connection))
    if found and found.oid in {part.oid for part in catalog.partitions(connection, move.source)}:
        return False
    if found:
        _require_unfinished(connection, found)
        execute(connection, [sql.SQL("DROP TABLE {}").format(name)])
    dress = read_dress(connection, move.source)
    execute(connection, new_month(move, dress, month))
    attach = [
        sql.SQL("ALTER TABLE {} ATTACH PARTITION {} {}").format(move.source.identifier, name, bounds(month)),
        sql.SQL("COMMENT ON TABLE {} IS {}").format(name, sql.Literal(AUTO_PARTITIONED_COMMENT)),
    ]
    wanted = [(key.references, "SHARE ROW EXCLUSIVE") for key in dress.foreign_keys]
    wanted.append((move.source, "SHARE UPDATE EXCLUSIVE"))
    default = default_partition(connection, move)
    if default:
        wanted.append((default, "ACCESS EXCLUSIVE"))
    try:
        with_locks(connection, wanted, partial(execute, connection, attach))
    except Error as error:
        if sqlstate(error) != CHECK_VIOLATION:
            raise
        raise DefaultHasRows(
            f"The default partition of {move.source} holds rows of {month.suffix}, so that this month cannot be made "
            "beside it. Move them: python manage.py pam_partitions drain"
        ) from error
    return True


def new_month(move: Move, dress: Dress, month: Month) -> list[sql.Composed]:
    """The statements that make an empty month, with indexes and guards and without foreign keys: those it gets when it
    is attached, with a weaker lock on the referenced table than if it had them. Lock: ACCESS SHARE on the table."""
    table = Relation(0, move.source.schema, suffixed(move.source.name, month.suffix), catalog.PLAIN)
    like = sql.SQL("CREATE TABLE {} (LIKE {} INCLUDING ALL EXCLUDING INDEXES EXCLUDING STATISTICS)").format(
        table.identifier, move.source.identifier
    )
    return [
        like + wardrobe.options(dress),
        sql.SQL("COMMENT ON TABLE {} IS {}").format(table.identifier, sql.Literal(UNFINISHED)),
        *(
            wardrobe.create_key(move, key, table.identifier, partition_index_name(key.name, move.source, table))
            for key in dress.keys
        ),
        *(
            statement
            for trigger in dress.triggers
            if not trigger.for_each_row
            for statement in wardrobe.create_trigger(trigger, table.identifier)
        ),
        *wardrobe.statistics(dress, table.identifier),
        *wardrobe.owned(dress, table.identifier),
    ]


def retire_month(connection: BaseDatabaseWrapper, move: Move, month: Relation, now: datetime) -> None:
    """Detach a month; its table and rows stay, and its comment says since when. Dropping it is somebody's decision.

    A default partition forbids DETACH CONCURRENTLY. Locks: ACCESS EXCLUSIVE on table and month, SHARE ROW EXCLUSIVE on
    a referenced table; asked for briefly, held for a moment whatever the rows. Raises LockUnavailable.
    """
    dress = read_dress(connection, move.source)
    comment = f"detached from {move.source} on {now.isoformat()}"
    detach = [
        sql.SQL("ALTER TABLE {} DETACH PARTITION {}").format(move.source.identifier, month.identifier),
        sql.SQL("COMMENT ON TABLE {} IS {}").format(month.identifier, sql.Literal(comment)),
    ]
    wanted = [(key.references, "SHARE ROW EXCLUSIVE") for key in dress.foreign_keys]
    wanted += [(move.source, "ACCESS EXCLUSIVE"), (month, "ACCESS EXCLUSIVE")]
    with_locks(connection, wanted, partial(execute, connection, detach))


def default_partition(connection: BaseDatabaseWrapper, move: Move) -> Relation | None:
    """The default partition of the table, or None."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT c.oid, n.nspname, c.relname, c.relkind FROM pg_catalog.pg_partitioned_table p"
            " JOIN pg_catalog.pg_class c ON c.oid = p.partdefid"
            " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE p.partrelid = %s",
            [move.source.oid],
        )
        row = cursor.fetchone()
    return Relation(*row) if row else None


def months_in_default(connection: BaseDatabaseWrapper, move: Move) -> dict[Month, int]:
    """The months of the rows in the default partition, and how many rows each. Reads it: it should be nearly empty."""
    default = default_partition(connection, move)
    if default is None:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(
            sql.SQL(
                "SELECT extract(year FROM m)::int, extract(month FROM m)::int, rows FROM ("
                "SELECT pg_catalog.date_trunc('month', {time} AT TIME ZONE 'UTC') AS m, count(*) AS rows"
                " FROM {default} WHERE pg_catalog.isfinite({time}) GROUP BY 1) months ORDER BY m"
            ).format(time=move.time, default=default.identifier)
        )
        return {Month(year, month): rows for year, month, rows in cursor.fetchall()}


def drain(connection: BaseDatabaseWrapper, move: Move) -> int:
    """Move the rows of the default partition to their months, which are made; returns how many.

    One transaction: the default partition is detached, the months and a new default one come, the rows are inserted
    from the old one, which is then dropped. No row is deleted or updated, so that an append-only guard has nothing to
    refuse, and no reader sees a row twice or not at all. Locks: ACCESS EXCLUSIVE on the table and on referenced ones,
    asked for briefly, held while the rows move. Raises TooManyRows, LockUnavailable.
    """
    default = default_partition(connection, move)
    found = months_in_default(connection, move)
    if default is None or not found:
        return 0
    if sum(found.values()) > MOST_DRAINED:
        raise TooManyRows(
            f"{default} holds {sum(found.values()):,} rows; more than {MOST_DRAINED:,} cannot be moved while others "
            "wait. Convert the table back and forth instead, which is done online: python manage.py migrate pam "
            "0010_phase3_begin, then python manage.py migrate"
        )
    dress = read_dress(connection, move.source)
    old = sql.Identifier(default.schema, suffixed(move.source.name, "menshun_drained"))
    statements = [
        sql.SQL("ALTER TABLE {} DETACH PARTITION {}").format(move.source.identifier, default.identifier),
        *_set_aside(connection, default, old),
    ]
    for month in found:
        name = move.named(month.suffix)
        left = catalog.relation(connection, name.as_string(connection.connection))
        if left:
            _require_unfinished(connection, left)
            statements.append(sql.SQL("DROP TABLE {}").format(name))
        statements += [
            *new_month(move, dress, month),
            sql.SQL("ALTER TABLE {} ATTACH PARTITION {} {}").format(move.source.identifier, name, bounds(month)),
            sql.SQL("COMMENT ON TABLE {} IS {}").format(name, sql.Literal(AUTO_PARTITIONED_COMMENT)),
        ]
    statements += [
        *_new_default(move, dress),
        sql.SQL("INSERT INTO {} ({columns}) SELECT {columns} FROM {}").format(
            move.source.identifier, old, columns=dress.column_list
        ),
        sql.SQL("SET CONSTRAINTS ALL IMMEDIATE").format(),
        sql.SQL("DROP TABLE {}").format(old),
    ]
    wanted = [(key.references, "ACCESS EXCLUSIVE") for key in dress.foreign_keys]
    wanted += [(move.source, "ACCESS EXCLUSIVE"), (default, "ACCESS EXCLUSIVE")]
    with_locks(connection, wanted, partial(execute, connection, statements))
    return sum(found.values())


def _set_aside(connection: BaseDatabaseWrapper, default: Relation, old: sql.Identifier) -> list[sql.Composed]:
    """The old default partition and its indexes make way for the names of the new one."""
    schema, name = old.strings
    renames = [sql.SQL("ALTER TABLE {} RENAME TO {}").format(default.identifier, sql.Identifier(name))]
    for key in read_dress(connection, default).keys:
        renames.append(
            sql.SQL("ALTER INDEX {} RENAME TO {}").format(
                sql.Identifier(schema, key.name), sql.Identifier(suffixed(key.name, "menshun_drained"))
            )
        )
    return renames


def _new_default(move: Move, dress: Dress) -> list[sql.Composed]:
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
        *wardrobe.owned(dress, table.identifier),
        sql.SQL("ALTER TABLE {} ATTACH PARTITION {} DEFAULT").format(move.source.identifier, table.identifier),
    ]


def _require_unfinished(connection: BaseDatabaseWrapper, found: Relation) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_catalog.obj_description(%s, 'pg_class')", [found.oid])
        (comment,) = cursor.fetchone()
    if comment != UNFINISHED:
        raise NameTaken(str(found), f"{found} (pg_class.relkind {found.kind})", "a partition of that name")
