"""A month is retired: detached, kept as a table of its own, and dropped only when somebody names it."""

from datetime import datetime
from functools import partial

from django.db import Error
from django.db.backends.base.base import BaseDatabaseWrapper
from psycopg2 import sql

from pam.postgres import catalog
from pam.postgres.catalog import Relation
from pam.postgres.errors import MenshunError, sqlstate
from pam.postgres.locks import CALM, with_locks, with_retries
from pam.postgres.monthly_catalog import Partition, comment_of, default_partition, months_of
from pam.postgres.online_copy import dress as wardrobe
from pam.postgres.online_copy.build import execute
from pam.postgres.online_copy.dress import Dress, read_dress
from pam.postgres.online_copy.move import Move

DEPENDENT_OBJECTS_STILL_EXIST = "2BP01"


class NotOurs(MenshunError):
    """A table that was not made, or not detached, by us: it is left alone."""


class StillUsed(MenshunError):
    """Something of somebody else's needs the table."""


def mark_of(table: Relation) -> str:
    """What the comment of a month that we detached from `table` begins with; the time follows."""
    return f"detached from {table} on "


def retire_month(connection: BaseDatabaseWrapper, move: Move, month: Relation, now: datetime) -> None:
    """Detach a month of ours; its table and rows stay, and its comment says since when. It stays append-only.

    A default partition forbids DETACH CONCURRENTLY. Locks then: SHARE ROW EXCLUSIVE on a referenced table, ACCESS
    EXCLUSIVE on table, month and default partition; asked for briefly, held for a moment whatever the rows. Without
    one: SHARE UPDATE EXCLUSIVE on the table. One that was begun and killed is ended. Raises NotOurs, LockUnavailable.
    """
    dress = read_dress(connection, move.source)
    default = default_partition(connection, move.source)
    partition = _require_ours(connection, move.source, month)
    remember = sql.SQL("COMMENT ON TABLE {} IS {}").format(
        month.identifier, sql.Literal(mark_of(move.source) + now.isoformat())
    )
    detach = sql.SQL("ALTER TABLE {} DETACH PARTITION {}").format(move.source.identifier, month.identifier)
    guards = _lost_guards(dress, month)
    if partition.is_pending or (default is None and not guards):
        # The comment first: what is killed after it is still a partition, and known as ours.
        execute(connection, [remember])
        _detach_concurrently(connection, move.source, month, detach, guards)
        return
    wanted = [(key.references, "SHARE ROW EXCLUSIVE") for key in dress.foreign_keys]
    wanted += [(table, "ACCESS EXCLUSIVE") for table in (move.source, month, default) if table]
    with_locks(connection, wanted, partial(execute, connection, [detach, remember, *guards]))


def _require_ours(connection: BaseDatabaseWrapper, table: Relation, month: Relation) -> Partition:
    for partition in months_of(connection, table):
        begun = partition.is_pending or (partition.comment or "").startswith(mark_of(table))
        if partition.relation.oid == month.oid and not partition.is_default and (partition.is_ours or begun):
            return partition
    raise NotOurs(
        f"{month} is no month of {table} that menshun made, so it is not detached. See what is there: "
        "python manage.py pam_partitions status"
    )


def _lost_guards(dress: Dress, month: Relation) -> list[sql.Composed]:
    """The row triggers of the table, for the month: the server takes them off it when it is detached, and with them
    the refusal to change a row. Lock: SHARE ROW EXCLUSIVE on the month, whose ACCESS EXCLUSIVE we have."""
    return [
        statement
        for trigger in dress.triggers
        if trigger.for_each_row
        for statement in wardrobe.create_trigger(trigger, month.identifier)
    ]


def _detach_concurrently(
    connection: BaseDatabaseWrapper,
    table: Relation,
    month: Relation,
    detach: sql.Composed,
    guards: list[sql.Composed],
) -> None:
    """Lock: SHARE UPDATE EXCLUSIVE on the table; at the end ACCESS EXCLUSIVE on the month for a moment, for which it
    waits until older queries of the table have ended."""

    def run() -> None:
        here = {partition.relation.oid: partition for partition in months_of(connection, table)}
        if month.oid not in here:
            return
        if here[month.oid].is_pending:
            # A try, or a run, ended while it waited. Ended in one transaction, in which the guards come back.
            execute(connection, [detach + sql.SQL(" FINALIZE"), *guards])
            return
        with connection.cursor() as cursor:
            cursor.execute(detach + sql.SQL(" CONCURRENTLY"))

    with_retries(connection, CALM, "ACCESS EXCLUSIVE", [table, month], run)


def drop_detached(connection: BaseDatabaseWrapper, table: Relation, name: str) -> None:
    """Drop the table `name`, a month that we detached from `table`, and its rows. It is gone for good.

    First its foreign keys, then the table. Locks: ACCESS EXCLUSIVE on this one and on the referenced tables, asked for
    briefly, held for a moment; then on this one alone, while its files are removed. Raises NotOurs, StillUsed,
    LockUnavailable.
    """
    found = _detached(connection, table, name)
    if found is None:
        raise NotOurs(
            f"{table.schema}.{name} is no month that menshun detached from {table}, so it is not dropped. See what is "
            "there: python manage.py pam_partitions status"
        )
    keys = read_dress(connection, found).foreign_keys
    if keys:
        loosen = [
            sql.SQL("ALTER TABLE {} DROP CONSTRAINT {}").format(found.identifier, sql.Identifier(key.name))
            for key in keys
        ]
        wanted = [(table, "ACCESS EXCLUSIVE") for table in (found, *(key.references for key in keys))]
        with_locks(connection, wanted, partial(execute, connection, loosen))
    drop = [sql.SQL("DROP TABLE {}").format(found.identifier)]
    try:
        with_locks(connection, [(found, "ACCESS EXCLUSIVE")], partial(execute, connection, drop))
    except Error as error:
        if sqlstate(error) != DEPENDENT_OBJECTS_STILL_EXIST:
            raise
        raise StillUsed(
            f"{found} is used by something else, so it is not dropped: {str(error).strip()}\nTake that away, then "
            f"run it again: python manage.py pam_partitions drop --partitions {name}"
        ) from error


def is_detached(connection: BaseDatabaseWrapper, table: Relation, name: str) -> bool:
    """Whether `name`, beside `table`, is a month that we detached from it."""
    return _detached(connection, table, name) is not None


def _detached(connection: BaseDatabaseWrapper, table: Relation, name: str) -> Relation | None:
    quoted = sql.Identifier(table.schema, name)
    found = catalog.relation(connection, quoted.as_string(connection.connection))
    if found is None or found.kind != catalog.PLAIN:
        return None
    comment, is_partition = comment_of(connection, found)
    return None if is_partition or not (comment or "").startswith(mark_of(table)) else found
