"""Abandon: what existed only while a table moved goes away."""

from django.db.backends.base.base import BaseDatabaseWrapper
from psycopg2 import sql

from pam.postgres import catalog
from pam.postgres.catalog import Relation
from pam.postgres.locks import with_table_locks
from pam.postgres.online_copy import capture, referenced, steps
from pam.postgres.online_copy.build import execute
from pam.postgres.online_copy.dress import read_dress
from pam.postgres.online_copy.move import CAPTURE_TRIGGER, TRUNCATE_TRIGGER, Move
from pam.postgres.online_copy.parallel import run


def drop_table(connection: BaseDatabaseWrapper, table: Relation) -> None:
    """Drop a table that nobody uses, month by month and its foreign keys off before it. Locks: see the steps."""
    months, keys = catalog.partitions(connection, table), read_dress(connection, table).foreign_keys
    if not keys:
        for month in months:
            # One that is still on the stage has foreign keys of its own.
            run(connection, steps.dropping(month, [], read_dress(connection, month).foreign_keys))
        months = []
    run(connection, steps.dropping(table, months, keys))


def abandon(connection: BaseDatabaseWrapper, move: Move) -> None:
    """Take away everything that a move has made, and leave the live table as it was; before the swap. What has such
    names without a record of a move is somebody else's, and stays.

    Locks: as `drop_table`, and to drop the triggers ACCESS EXCLUSIVE on the live table for a moment,
    asked for briefly.
    """
    if capture.recorded(connection, move) is None:
        return
    _drop_triggers(connection, move)
    for name in (move.target, move.stage):
        table = _relation(connection, name)
        if table is not None:
            drop_table(connection, table)
    run(connection, steps.ending(move, [], referenced.followed(connection, move)))


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


def _relation(connection: BaseDatabaseWrapper, name: sql.Identifier) -> Relation | None:
    return catalog.relation(connection, name.as_string(connection.connection))
