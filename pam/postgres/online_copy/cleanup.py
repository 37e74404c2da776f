"""Finish and abandon: what existed only while a table moved goes away."""

from functools import partial

from django.db.backends.base.base import BaseDatabaseWrapper
from psycopg2 import sql

from pam.postgres import catalog
from pam.postgres.catalog import Relation
from pam.postgres.locks import with_locks, with_table_locks
from pam.postgres.online_copy.build import execute
from pam.postgres.online_copy.dress import read_dress
from pam.postgres.online_copy.move import CAPTURE_TRIGGER, TRUNCATE_TRIGGER, Move


def finish(connection: BaseDatabaseWrapper, move: Move) -> None:
    """Drop the old table and all working objects; after the swap.

    Locks: ACCESS EXCLUSIVE on a referenced table for a moment, asked for briefly, to take the foreign key off. A month
    that is dropped while it is attached takes no lock on it, so months go first, one by one.
    """
    old = _relation(connection, move.old)
    if old is not None:
        drop_table(connection, old)
    _drop_working_tables(connection, move)


def drop_table(connection: BaseDatabaseWrapper, table: Relation) -> None:
    """Drop a table that nobody uses any more, month by month and foreign keys before all else."""
    for month in catalog.partitions(connection, table):
        _drop_foreign_keys(connection, month)
        # Lock: ACCESS EXCLUSIVE on this table and month, which nobody uses; none on the referenced table.
        execute(connection, [sql.SQL("DROP TABLE {}").format(month.identifier)])
    _drop_foreign_keys(connection, table)
    execute(connection, [sql.SQL("DROP TABLE {}").format(table.identifier)])


def _drop_foreign_keys(connection: BaseDatabaseWrapper, table: Relation) -> None:
    for key in read_dress(connection, table).foreign_keys:
        statement = sql.SQL("ALTER TABLE {} DROP CONSTRAINT {}").format(table.identifier, sql.Identifier(key.name))
        with_locks(connection, [(key.references, "ACCESS EXCLUSIVE")], partial(execute, connection, [statement]))


def abandon(connection: BaseDatabaseWrapper, move: Move) -> None:
    """Take away everything that a move has made, and leave the live table as it was; before the swap.

    Locks: as `finish`, and to drop the triggers ACCESS EXCLUSIVE on the live table for a moment,
    asked for briefly.
    """
    _drop_triggers(connection, move)
    for name in (move.target, move.stage):
        table = _relation(connection, name)
        if table is not None:
            drop_table(connection, table)
    _drop_working_tables(connection, move)


def _drop_triggers(connection: BaseDatabaseWrapper, move: Move) -> None:
    tables = [move.source, *catalog.partitions(connection, move.source)]
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_catalog.pg_trigger WHERE tgrelid = ANY (%s) AND tgname = ANY (%s)",
            [[table.oid for table in tables], [CAPTURE_TRIGGER, TRUNCATE_TRIGGER]],
        )
        if not cursor.fetchone()[0]:
            return

    def drop() -> None:
        execute(
            connection,
            [
                sql.SQL("DROP TRIGGER IF EXISTS {} ON {}").format(
                    sql.Identifier(CAPTURE_TRIGGER), move.source.identifier
                ),
                *(
                    sql.SQL("DROP TRIGGER IF EXISTS {} ON {}").format(
                        sql.Identifier(TRUNCATE_TRIGGER), table.identifier
                    )
                    for table in tables
                ),
            ],
        )

    with_table_locks(connection, [move.source], "ACCESS EXCLUSIVE", drop)


def _drop_working_tables(connection: BaseDatabaseWrapper, move: Move) -> None:
    """The record goes last: while it is there, a run knows that something is left."""
    drops = [sql.SQL("DROP TABLE IF EXISTS {}").format(name) for name in (move.stage, move.keys, move.chunks)]
    execute(
        connection,
        [
            *drops,
            sql.SQL("DROP FUNCTION IF EXISTS {}()").format(move.function),
            sql.SQL("DROP TABLE IF EXISTS {}").format(move.record),
        ],
    )


def _relation(connection: BaseDatabaseWrapper, name: sql.Identifier) -> Relation | None:
    return catalog.relation(connection, name.as_string(connection.connection))
